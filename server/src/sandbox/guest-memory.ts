/**
 * The functions of this build of QuickJS that its JavaScript side does not offer, under the names that its linker gave
 * them. `guest-memory.test.ts` fails when another build has other names.
 */
export interface EngineExports {
  /** The top of the C stack: the only state of an instance outside of its memory. */
  readonly Oa: () => number;
  readonly v: (bytes: number) => number;
  readonly M: (pointer: number) => void;
}

const PAGE_BYTES = 4_096;
/**
 * How much of the C stack is cleared, from its top: more than a script can use, because QuickJS stops at 96 KiB and
 * what it calls uses little.
 */
const CLEARED_STACK_BYTES = 262_144;
/** How much is cleared above the static data that is not zero: some data there may have been zero. */
const CLEARED_DATA_BYTES = 65_536;
/**
 * How much below the cleared stack must still be zero after an invocation; otherwise the stack went deeper than it
 * should.
 */
const GUARD_BYTES = 16_384;
/** More than the static data of the module takes. */
const STATIC_BYTES = 1_048_576;
const PROBE_BYTES = 65_536;
const ZEROS = Buffer.alloc(GUARD_BYTES);

interface Run {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** The memory of an instance at rest. */
export interface Snapshot {
  /** The pages that are not all zero. Neighbouring pages share a run. */
  readonly runs: readonly Run[];
  /** Where the heap ended. */
  readonly breakAt: number;
  readonly bytes: number;
}

/** The linear memory of one instance, which can be put back to what it was. */
export class GuestMemory {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: EngineExports;
  readonly #initialBytes: number;
  readonly #stackTop: number;
  /** The address of the word that says where the heap ends. */
  readonly #breakWord: number;

  /** The instance must be at rest, and must not have been used much. */
  constructor({ memory, exports }: { memory: WebAssembly.Memory; exports: EngineExports }) {
    this.#memory = memory;
    this.#exports = exports;
    this.#initialBytes = memory.buffer.byteLength;
    this.#stackTop = exports.Oa();
    this.#breakWord = findBreakWord(memory, exports);
  }

  get #break(): number {
    return new Uint32Array(this.#memory.buffer, this.#breakWord, 1)[0] as number;
  }

  save(): Snapshot {
    const breakAt = this.#break;
    const memory = new Uint8Array(this.#memory.buffer, 0, breakAt);
    const runs: Run[] = [];
    let start: number | undefined;
    for (let at = 0; at < breakAt; at += PAGE_BYTES) {
      if (!isZero(memory.subarray(at, at + PAGE_BYTES))) start ??= at;
      else if (start !== undefined) {
        runs.push({ at: start, bytes: memory.slice(start, at) });
        start = undefined;
      }
    }
    if (start !== undefined) runs.push({ at: start, bytes: memory.slice(start) });
    return { runs, breakAt, bytes: runs.reduce((sum, { bytes }) => sum + bytes.length, 0) };
  }

  /**
   * Puts every byte back to what it was, except below the part of the stack that scripts can reach. Returns false when
   * that is not possible: the instance must then not be used again.
   */
  restore({ runs, breakAt }: Snapshot, maxGrowthBytes: number): boolean {
    const reached = this.#break;
    const isSound =
      this.#memory.buffer.byteLength === this.#initialBytes &&
      this.#exports.Oa() === this.#stackTop &&
      reached - breakAt <= maxGrowthBytes;
    if (!isSound || this.#isGuardBroken()) return false;
    const memory = new Uint8Array(this.#memory.buffer);
    let at = 0;
    for (const run of runs) {
      this.#clear(memory, at, run.at);
      memory.set(run.bytes, run.at);
      at = run.at + run.bytes.length;
    }
    memory.fill(0, at, Math.max(at, reached));
    return true;
  }

  /** Most of the gap that holds the stack is never used, and clearing all of it would take longer than all the rest. */
  #clear(memory: Uint8Array, from: number, to: number): void {
    const stackEnd = this.#stackTop - CLEARED_STACK_BYTES;
    if (from < stackEnd && stackEnd < to) {
      memory.fill(0, from, Math.min(from + CLEARED_DATA_BYTES, to));
      memory.fill(0, stackEnd, to);
    } else {
      memory.fill(0, from, to);
    }
  }

  #isGuardBroken(): boolean {
    const at = this.#stackTop - CLEARED_STACK_BYTES - GUARD_BYTES;
    return !isZero(new Uint8Array(this.#memory.buffer, at, GUARD_BYTES));
  }
}

/** Takes at most `GUARD_BYTES` bytes. A loop over them would take most of the time of a save. */
function isZero(bytes: Uint8Array): boolean {
  return ZEROS.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}

/**
 * The allocator keeps the end of the heap in a static word whose address only the linker knows. Among the words that
 * grow with a large allocation, it has the highest value: the others point into the heap.
 */
function findBreakWord(memory: WebAssembly.Memory, { v: malloc, M: free }: EngineExports): number {
  const staticWords = () => new Uint32Array(memory.buffer.slice(0, STATIC_BYTES));
  const before = staticWords();
  const pointer = malloc(PROBE_BYTES);
  const after = staticWords();
  free(pointer);
  let found: number | undefined;
  for (let index = 0; index < after.length; index += 1) {
    const value = after[index] as number;
    const growth = value - (before[index] as number);
    const mayBeEnd = growth >= PROBE_BYTES / 2 && growth <= 2 * PROBE_BYTES && value > pointer + PROBE_BYTES;
    if (mayBeEnd && value <= memory.buffer.byteLength && value > (after[found ?? -1] ?? 0)) found = index;
  }
  if (found === undefined) throw new Error('no static word holds the end of the heap in this build of QuickJS');
  return found * Uint32Array.BYTES_PER_ELEMENT;
}
