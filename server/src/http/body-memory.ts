import { Counts } from '../counts.ts';

/** One request's part of the memory for bodies. */
export interface HeldMemory {
  /**
   * Makes room for a body of `length` bytes so far, which takes `size` bytes of memory. False, with nothing taken, when
   * the memory is used up. The signer is the known caller who has signed the body, if it is what its head says.
   */
  grow(length: number, size: number, signer?: string): boolean;
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
 * all of this memory. A signer has one body of any length, and of several about as much as that leaves free: clients choose how long
 * their bodies take, and would otherwise keep out those of all others.
 */
export function createBodyMemory({ ownBytes, sharedBytes }: { ownBytes: number; sharedBytes: number }) {
  let freeBytes = sharedBytes;
  const ofSigners = new Counts();
  let freeForUnproven = Math.max(sharedBytes * (1 - SHARE_OF_PROVEN), Math.min(sharedBytes, LONGEST_BYTES));
  return function hold(): HeldMemory {
    let held = 0;
    let heldUnproven = 0;
    let heldProven = 0;
    let signedBy = '';
    return {
      grow(length, size, signer) {
        const more = length <= ownBytes ? 0 : Math.max(0, size - ownBytes - held);
        const unproven = signer === undefined ? more : 0;
        if (more > freeBytes || unproven > freeForUnproven) return false;
        if (signer !== undefined) {
          const all = ofSigners.of(signer) + more;
          if (all > held + more && all > freeBytes - more) return false;
          ofSigners.add(signer, more);
          signedBy = signer;
          heldProven += more;
        }
        freeBytes -= more;
        held += more;
        freeForUnproven -= unproven;
        heldUnproven += unproven;
        return true;
      },
      release() {
        freeBytes += held;
        freeForUnproven += heldUnproven;
        ofSigners.add(signedBy, -heldProven);
        heldProven = 0;
        held = 0;
        heldUnproven = 0;
      },
    };
  };
}
