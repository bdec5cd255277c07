/** A chunk that has grown to this many names is cut in two. */
const MAX_CHUNK = 128;

/**
 * A set of names in order of their UTF-16 units, which grows and shrinks at the cost of one short chunk, however many names
 * there are: they are kept in chunks, each in order and behind the one before.
 */
export class SortedNames {
  /** None of them is empty. */
  readonly #chunks: string[][] = [];

  /** Must not be called for a name that is there. */
  add(name: string): void {
    const at = Math.min(this.#chunkFor(name), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([name]);
      return;
    }
    chunk.splice(firstFrom(chunk, name), 0, name);
    if (chunk.length >= MAX_CHUNK) this.#chunks.splice(at + 1, 0, chunk.splice(MAX_CHUNK / 2));
  }

  delete(name: string): void {
    const at = this.#chunkFor(name);
    const chunk = this.#chunks[at];
    const index = chunk === undefined ? 0 : firstFrom(chunk, name);
    if (chunk?.[index] !== name) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  /** Up to `limit` names, from the first that is `from` or behind it. */
  slice(from: string, limit: number): string[] {
    const names: string[] = [];
    let start: number | undefined;
    for (let at = this.#chunkFor(from); at < this.#chunks.length && names.length < limit; at += 1) {
      const chunk = this.#chunks[at] ?? [];
      start = start === undefined ? firstFrom(chunk, from) : 0;
      names.push(...chunk.slice(start, start + limit - names.length));
    }
    return names;
  }

  /** The first chunk that ends with the name or behind it; their number when all end before. */
  #chunkFor(name: string): number {
    let [low, high] = [0, this.#chunks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.at(-1) ?? '') < name) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The index of the first name that is `name` or behind it. */
function firstFrom(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] ?? '') < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
