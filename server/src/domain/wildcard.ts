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
  const least = [first, last, ...others].reduce((sum, { length }) => sum + length, 0);
  return (text) => {
    const end = text.length - last.length;
    if (text.length < least || !isAt(first, text, 0) || !isAt(last, text, end)) return false;
    let at = first.length;
    for (const piece of others) {
      // The first place is as good as any: it leaves most of the text to the others.
      const found = find(piece, text, at, end);
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

/**
 * Finds the first place of a piece in a part of a text. The search looks at each character of the text once, whatever repeats
 * itself in the text or in the piece ("Shift-And"). Bit by bit it keeps how many of the characters before are a beginning of
 * the piece.
 */
function find(piece: string, text: string, from: number, end: number): number | undefined {
  const words = Math.ceil(piece.length / BITS);
  const { masks, rows } = masksOf(piece, words);
  const lastBit = 1 << ((piece.length - 1) % BITS);
  const begun = new Int32Array(words);
  for (let at = from; at < end; at += 1) {
    const row = rows.get(text.charCodeAt(at)) ?? ROW_OF_OTHERS;
    let carried = 1;
    for (let word = 0; word < words; word += 1) {
      const bits = begun[word] as number;
      begun[word] = ((bits << 1) | carried) & (masks[row + word] as number);
      carried = bits >>> (BITS - 1);
    }
    if (((begun[words - 1] as number) & lastBit) !== 0) return at - piece.length + 1;
  }
  return undefined;
}

/** Where in the masks the row of the characters is that a piece does not name. */
const ROW_OF_OTHERS = 0;

/**
 * For each character of a piece, where in the piece it may be. What is none of them is only where the piece takes any. They are
 * made for each search, in less time than that takes: those of a policy whose patterns have thousands of characters would take
 * more than a megabyte, for each of a thousand access keys.
 */
function masksOf(piece: string, words: number) {
  const rows = new Map<number, number>();
  for (let index = 0; index < piece.length; index += 1) {
    const code = piece.charCodeAt(index);
    if (code !== ANY && !rows.has(code)) rows.set(code, (rows.size + 1) * words);
  }
  const masks = new Int32Array((rows.size + 1) * words);
  const set = (row: number, index: number) => {
    const place = row + Math.floor(index / BITS);
    masks[place] = (masks[place] as number) | (1 << (index % BITS));
  };
  for (let index = 0; index < piece.length; index += 1) set(rows.get(piece.charCodeAt(index)) ?? ROW_OF_OTHERS, index);
  for (const row of rows.values()) {
    for (let word = 0; word < words; word += 1)
      masks[row + word] = (masks[row + word] as number) | (masks[word] as number);
  }
  return { masks, rows };
}
