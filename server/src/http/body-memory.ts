/** What one request holds of the shared memory. */
export interface HeldMemory {
  /** Makes room for a body that has `size` bytes by now; false when there is none. */
  grow(size: number): boolean;
  release(): void;
}

/**
 * The memory of long bodies. Each body may have `ownBytes` for itself; what it has beyond them comes out of `sharedBytes`,
 * so that many who send long bodies, and have not proven yet who they are, do not use up the machine's.
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
