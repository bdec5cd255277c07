/**
 * Compiles a pattern that a whole text must match: `*` stands for any run of characters, also none, and `?` for any one. Whatever
 * the pattern, time is bounded by the length of the text times a thirtieth of the pattern's: a policy has room for dozens of long
 * patterns, which are compared with dozens of tags for each decision.
 */
export function compileWildcard(pattern: string): (text: string) => boolean {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern;
  const [first = '', ...others] = pattern.split(/\*+/);
  const last = others.pop();
  if (last === undefined) return (text) => text.length === first.length && isAt(first, text, 0);
  const finds = others.map((piece) => ({ piece, find: createFind(piece) }));
  const least = [first, last, ...others].reduce((sum, { length }) => sum + length, 0);
  return (text) => {
    const end = text.length - last.length;
    if (text.length < least || !isAt(first, text, 0) || !isAt(last, text, end)) return false;
    let at = first.length;
    for (const { piece, find } of finds) {
      // The first place is as good as any: it leaves most of the text to the others.
      const found = find(text, at, end);
      if (found === undefined) return false;
      at = found + piece.length;
    }
    return true;
  };
}

const ANY = '?'.charCodeAt(0);
const BITS = 32;

/** Whether a piece of a pattern, which has no `*`, is what the text has at this place. */
function isAt(piece: string, text: string, place: number): boolean {
  for (let index = 0; index < piece.length; index += 1) {
    const wanted = piece.charCodeAt(index);
    if (wanted !== ANY && wanted !== text.charCodeAt(place + index)) return false;
  }
  return true;
}

/** Finds the first place of a piece in a part of a text. */
type Find = (text: string, from: number, end: number) => number | undefined;

/**
 * A search that looks at each character of the text once, whatever repeats itself in the text or in the piece ("Shift-And"). Bit
 * by bit it keeps how many of the characters before are a beginning of the piece.
 */
function createFind(piece: string): Find {
  const words = Math.ceil(piece.length / BITS);
  let masks: ReadonlyMap<number, Int32Array> | undefined;
  const lastBit = 1 << ((piece.length - 1) % BITS);
  return (text, from, end) => {
    masks ??= masksOf(piece, words);
    const ofOthers = masks.get(ANY) as Int32Array;
    const begun = new Int32Array(words);
    for (let at = from; at < end; at += 1) {
      const mask = masks.get(text.charCodeAt(at)) ?? ofOthers;
      let carried = 1;
      for (let word = 0; word < words; word += 1) {
        const bits = begun[word] as number;
        begun[word] = ((bits << 1) | carried) & (mask[word] as number);
        carried = bits >>> (BITS - 1);
      }
      if (((begun[words - 1] as number) & lastBit) !== 0) return at - piece.length + 1;
    }
    return undefined;
  };
}

/** Character → where in the piece it may be. What is none of the piece's characters is only where the piece takes any. */
function masksOf(piece: string, words: number): ReadonlyMap<number, Int32Array> {
  const places = Array.from({ length: piece.length }, (_, index) => piece.charCodeAt(index));
  const masks = new Map([ANY, ...places].map((code) => [code, new Int32Array(words)]));
  for (const [code, mask] of masks) {
    for (const [index, wanted] of places.entries()) {
      if (wanted !== code && wanted !== ANY) continue;
      const word = Math.floor(index / BITS);
      mask[word] = (mask[word] as number) | (1 << (index % BITS));
    }
  }
  return masks;
}
