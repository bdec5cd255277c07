/** Bytes that are UTF-8, or are not, by the number of their group: `6.5` holds the cases 6.5.1, 6.5.2 and so on. */
export interface TextGroup {
  readonly title: string;
  readonly valid?: readonly Uint8Array[];
  /** Where a group has both, these come last. */
  readonly invalid?: readonly Uint8Array[];
}

const hex = (...texts: readonly string[]) => texts.map((text) => Buffer.from(text, 'hex'));
const encode = (...points: readonly number[]) => points.map((point) => Buffer.from(String.fromCodePoint(point)));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
/** The single bytes between two, the second left out, each followed by a space. */
const lonely = (from: number, to: number) => Buffer.from(range(from, to).flatMap((byte) => [byte, 0x20]));

/** A Greek word whose five letters have two bytes, the second one three. */
export const WORD = Buffer.from('\u03ba\u1f79\u03c3\u03bc\u03b5');

/** The word's prefixes that end with a letter. */
const WHOLE_PREFIXES = new Set([2, 5, 7, 9, 11]);
const prefixes = range(1, WORD.length + 1).map((length) => WORD.subarray(0, length));

const TRUNCATED = hex(
  ...['c0', 'e080', 'f08080', 'f8808080', 'fc80808080'],
  ...['df', 'efbf', 'f7bfbf', 'fbbfbfbf', 'fdbfbfbfbf'],
);

/** The last two code points of each of the 17 planes. The first plane's have three bytes. */
const NON_CHARACTERS = range(0, 17).flatMap((plane) => [plane * 0x1_0000 + 0xfffe, plane * 0x1_0000 + 0xffff]);

/** Groups 6.5 to 6.23, of which 6.6 is in `TEXT_PREFIXES`. */
export const TEXT_GROUPS: Readonly<Record<number, TextGroup>> = {
  5: {
    title: 'text with characters of one to four bytes',
    valid: [...['$', '¢', '€', '\u{24b62}'].map((character) => Buffer.from(`hello${character}world`)), WORD],
  },
  7: { title: 'the first character of each length', valid: encode(0, 0x80, 0x800, 0x1_0000) },
  8: { title: 'the first of five and six bytes, which no character has', invalid: hex('f888808080', 'fc8480808080') },
  9: { title: 'the last character of each length', valid: encode(0x7f, 0x7ff, 0xffff, 0x10_ffff) },
  10: {
    title: 'the last of each length that no character has',
    invalid: hex('f7bfbfbf', 'fbbfbfbfbf', 'fdbfbfbfbfbf'),
  },
  11: {
    title: 'characters beside the surrogates and at the end of all',
    valid: encode(0xd7ff, 0xe000, 0xfffd, 0x10_ffff),
    invalid: hex('f4908080'),
  },
  12: {
    title: 'continuation bytes without a start',
    invalid: [
      ...hex('80', 'bf', '80bf', '80bf80', '80bf80bf', '80bf80bf80', '80bf80bf80bf'),
      Buffer.from(range(0x80, 0xbf)),
    ],
  },
  13: {
    title: 'starts without a continuation',
    invalid: [lonely(0xc0, 0xdf), lonely(0xe0, 0xef), lonely(0xf0, 0xf7), lonely(0xf8, 0xfb), lonely(0xfc, 0xfd)],
  },
  14: { title: 'sequences without their last byte', invalid: TRUNCATED },
  15: { title: 'those in a row', invalid: [Buffer.concat(TRUNCATED)] },
  16: { title: 'bytes that never occur', invalid: hex('fe', 'ff', 'fefeffff') },
  17: { title: 'overlong slashes', invalid: hex('c0af', 'e080af', 'f08080af', 'f8808080af', 'fc80808080af') },
  18: {
    title: 'the largest overlong characters',
    invalid: hex('c1bf', 'e09fbf', 'f08fbfbf', 'f887bfbfbf', 'fc83bfbfbfbf'),
  },
  19: { title: 'overlong zeros', invalid: hex('c080', 'e08080', 'f0808080', 'f880808080', 'fc8080808080') },
  20: {
    title: 'single surrogates',
    invalid: hex('eda080', 'edadbf', 'edae80', 'edafbf', 'edb080', 'edbe80', 'edbfbf'),
  },
  21: {
    title: 'pairs of surrogates',
    invalid: ['eda080', 'edadbf', 'edae80', 'edafbf'].flatMap((high) => hex(`${high}edb080`, `${high}edbfbf`)),
  },
  22: { title: 'code points that are for no character', valid: encode(...NON_CHARACTERS) },
  23: { title: 'the specials', valid: encode(...range(0xfff9, 0x1_0000)) },
};

/** Group 6.6: every prefix of a word, and whether it ends with a whole letter. */
export const TEXT_PREFIXES = prefixes.map((bytes) => ({ bytes, isValid: WHOLE_PREFIXES.has(bytes.length) }));
