/** One request's part of the memory for bodies. */
export interface HeldMemory {
  /**
   * Makes room for a body of `length` bytes so far, which takes `size` bytes of memory. False, with nothing taken, when
   * the memory is used up. Proven is a body that a known caller has signed, if it is what its head says.
   */
  grow(length: number, size: number, isProven?: boolean): boolean;
  /** Gives back what is held. A second call does nothing. */
  release(): void;
}

/** The part that is left to bodies with a verified signature, so that no caller without a key's secret keeps them out. */
const SHARE_OF_PROVEN = 0.5;
/** The longest body that there may be, in pieces of unknown length, always has room where there is nothing else. */
const LONGEST_BYTES = 6_000_000;

/**
 * The memory for long bodies. A body of up to `ownBytes` always finds room; what a longer one takes beyond them comes out
 * of `sharedBytes`. Clients that send long bodies before they are authenticated therefore cannot use up the machine, nor
 * all of this memory.
 */
export function createBodyMemory({ ownBytes, sharedBytes }: { ownBytes: number; sharedBytes: number }) {
  let freeBytes = sharedBytes;
  let freeForUnproven = Math.max(sharedBytes * (1 - SHARE_OF_PROVEN), Math.min(sharedBytes, LONGEST_BYTES));
  return function hold(): HeldMemory {
    let held = 0;
    let heldUnproven = 0;
    return {
      grow(length, size, isProven = false) {
        const more = length <= ownBytes ? 0 : Math.max(0, size - ownBytes - held);
        const unproven = isProven ? 0 : more;
        if (more > freeBytes || unproven > freeForUnproven) return false;
        freeBytes -= more;
        held += more;
        freeForUnproven -= unproven;
        heldUnproven += unproven;
        return true;
      },
      release() {
        freeBytes += held;
        freeForUnproven += heldUnproven;
        held = 0;
        heldUnproven = 0;
      },
    };
  };
}
