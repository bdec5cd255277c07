/** One request's part of the memory for bodies. */
export interface HeldMemory {
  /** Makes room for a body that has grown to `size` bytes. False, with nothing taken, when the memory is used up. */
  grow(size: number): boolean;
  /** Gives back what is held. A second call does nothing. */
  release(): void;
}

/**
 * The memory for long bodies. Each body may use `ownBytes` of its own; whatever it needs beyond them comes out of
 * `sharedBytes`. Clients that send long bodies before they are authenticated therefore cannot use up the machine.
 */
export function createBodyMemory({ ownBytes, sharedBytes }: { ownBytes: number; sharedBytes: number }) {
  let freeBytes = sharedBytes;
  return function hold(): HeldMemory {
    let held = 0;
    return {
      grow(size) {
        const more = Math.max(0, size - ownBytes - held);
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
