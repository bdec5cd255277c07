/** How much of a value is shown: a SHA-256, an ARN and every name fit. */
const MAX_VALUE_CHARACTERS = 128;

/** How much is shown of a sentence, such as a parser's message, or of a path. */
export const MAX_SENTENCE_CHARACTERS = 256;

/**
 * Makes text from outside safe to show: it stays on one line and has nothing that a terminal or a log reader would act
 * on. Controls, separators, halves of surrogate pairs, and the format characters that hide or reorder text are spelled
 * out.
 */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/gu,
    (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  );
}

/**
 * Makes text from outside fit for a message: printable and within the limit, which includes what is spelled out and the
 * ellipsis of a text that was cut. A longer text costs no more.
 */
export function excerpt(text: string, maxCharacters = MAX_VALUE_CHARACTERS): string {
  // A character has one or two UTF-16 units, so this start either is the whole text or has too many characters.
  const start = text.slice(0, 2 * maxCharacters + 1);
  const characters = [...printable(start)];
  if (characters.length <= maxCharacters) return characters.join('');
  return `${characters.slice(0, maxCharacters - 1).join('')}…`;
}

/**
 * Shows a value from outside in a message. Text becomes an excerpt, in quotes that it cannot end. Arrays and objects
 * are only named as such, since what they hold may be long, deeply nested or secret.
 */
export function shown(value: unknown, maxCharacters = MAX_VALUE_CHARACTERS): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') {
    // An excerpt looks at no more than this.
    const start = value.slice(0, 2 * maxCharacters + 1);
    return `"${excerpt(start.replace(/["\\]/g, '\\$&'), maxCharacters)}"`;
  }
  if (Array.isArray(value)) return value.length === 0 ? '[]' : 'an array';
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0 ? '{}' : 'an object';
  return String(value);
}

/** The text with `…` for the user name and the password in a URL, which may be somebody's secrets; any other as it is. */
export function withoutCredentials(text: string): string {
  // One slash, or a backslash, is enough for what reads URLs; in a whole URL there may be none.
  let begin = text.search(/:[/\\]|\/\//);
  if (URL.canParse(text)) {
    const { protocol, host, username, password } = new URL(text);
    if (username === '' && password === '' && (host !== '' || protocol === 'mailto:')) return text;
    if (host !== '') begin = text.indexOf(':');
  }
  // A text that is no URL, because of a slash in the password, or one of several, is hidden up to its last `@`.
  const end = text.lastIndexOf('@');
  // A user and a password without a scheme.
  if (begin === -1 && /^[^:@]*:/.test(text.slice(0, Math.max(end, 0)))) return `…${text.slice(end)}`;
  if (begin === -1 || end < begin) return text;
  return `${text.slice(0, begin)}${text[begin] === ':' ? '://' : '//'}…${text.slice(end)}`;
}

/**
 * The text of a file that was made somewhere else, without the byte order mark that some programs put before UTF-8.
 * Throws an `EncodingError` for anything but UTF-8.
 */
export function decodeText(bytes: Uint8Array): string {
  if (isUtf16(bytes)) {
    throw new EncodingError('it is not UTF-8 but UTF-16, as Windows PowerShell writes by itself: save it as UTF-8');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new EncodingError('it is not UTF-8: save it in that encoding', { cause });
  }
}

/** Whether there is a mark of UTF-16, or every second byte at the beginning is 0, as in UTF-16 without its mark. */
function isUtf16([first, second]: Uint8Array): boolean {
  if (first === undefined || second === undefined) return false;
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return isMarked || (first === 0) !== (second === 0);
}

/** The message goes on where a sentence has named the file. */
export class EncodingError extends Error {
  override readonly name = 'EncodingError';
}

/** A whole number as English writes it: `1,500,000`. To ask the runtime for it costs every start a tenth of its time. */
export function grouped(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',');
}
