/** One request's part of the memory for bodies. */
export interface HeldMemory {
  /**
   * Makes room for a body of `length` bytes so far, which takes `size` bytes of memory. False, with nothing taken, when
   * the memory is used up.
   */
  grow(length: number, size: number): boolean;
  /** Gives back what is held. A second call does nothing. */
  release(): void;
}

/**
 * The memory for long bodies. A body of up to `ownBytes` always finds room; what a longer one takes beyond them comes out
 * of `sharedBytes`. Clients that send long bodies before they are authenticated therefore cannot use up the machine.
 */
export function createBodyMemory({ ownBytes, sharedBytes }: { ownBytes: number; sharedBytes: number }) {
  let freeBytes = sharedBytes;
  return function hold(): HeldMemory {
    let held = 0;
    return {
      grow(length, size) {
        const more = length <= ownBytes ? 0 : Math.max(0, size - ownBytes - held);
        if (more > freeBytes) return false;
        freeBytes -= more;
        held += more;
        return true;
      },
      release() {
        freeBytes += held;
        held = 0;
      },
    };
  };
}
