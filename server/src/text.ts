/** So much of a value is shown: a SHA-256, an ARN and every name fit. */
const MAX_VALUE_CHARACTERS = 128;

/** So much is shown of a sentence, such as a parser's message, or of a path. */
export const MAX_SENTENCE_CHARACTERS = 256;

/**
 * Text that others wrote, on one line and with nothing that a terminal or a log reader would act on: controls, separators,
 * halves of surrogate pairs, and the format characters that hide or reorder what is shown are spelled out.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu,
    (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  );
}

/**
 * Text that others wrote, for a message: printable and within the limit, which counts what is spelled out and the ellipsis
 * of a text that was cut. Costs no more for a longer text.
 */
export function excerpt(text: string, maxCharacters = MAX_VALUE_CHARACTERS): string {
  // A character has one or two UTF-16 units, so this start is the whole text or has too many characters.
  const start = text.slice(0, 2 * maxCharacters + 1);
  const characters = [...printable(start)];
  if (characters.length <= maxCharacters) return characters.join('');
  return `${characters.slice(0, maxCharacters - 1).join('')}…`;
}

/**
 * A value that others wrote, for a message: an excerpt of a text, in quotes that it cannot end, and of an array or object
 * only that it is one, since what it holds may be long, nested deeply or secret.
 */
export function shown(value: unknown, maxCharacters = MAX_VALUE_CHARACTERS): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return `"${excerpt(value.replace(/["\\]/g, '\\$&'), maxCharacters)}"`;
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'an array';
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0 ? '{}' : 'an object';
  return String(value);
}
