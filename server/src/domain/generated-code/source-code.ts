export type Lines = readonly string[];

export function indent(lines: Lines, width: number): string[] {
  return lines.map((line) => (line === '' ? '' : ' '.repeat(width) + line));
}

/** The parts that are not empty, one after the other with an empty line in between. */
export function paragraphs(parts: readonly Lines[]): string[] {
  return parts.filter((part) => part.length > 0).flatMap((part, place) => (place === 0 ? part : ['', ...part]));
}

/** The text of a file. */
export function fileText(lines: Lines): string {
  return `${lines.join('\n')}\n`;
}

// These end a line in one of the languages, and so would end a comment of one line.
const LINE_END = /\r\n|[\n\v\f\r\u0085\u2028\u2029]/;
// Characters that no text file can hold, and those that make code look like other code.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Bidi_Control}]/gu;

/** The printable lines of a description, for a comment; no lines when the description says nothing. */
export function descriptionLines(description: string): string[] {
  const lines = description.split(LINE_END).map((line) => line.replace(UNPRINTABLE, ' ').trimEnd());
  return lines.every((line) => line === '') ? [] : lines;
}

/** A string literal in ASCII, which is the same in C#, JavaScript and JSON. */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * An identifier for each name, no two the same: the name itself or, when that is not an identifier or is reserved, the
 * name with underscores in front and in place of other characters.
 */
export function identifiers(
  names: readonly string[],
  isReserved: (identifier: string) => boolean,
): ReadonlyMap<string, string> {
  const isKept = (name: string) => IDENTIFIER.test(name) && !isReserved(name);
  const taken = new Set(names.filter(isKept));
  const identifierOf = (name: string) => {
    if (isKept(name)) return name;
    let identifier = `_${name.replace(/[^A-Za-z0-9_]/g, '_')}`;
    while (taken.has(identifier) || isReserved(identifier)) identifier = `_${identifier}`;
    taken.add(identifier);
    return identifier;
  };
  return new Map(names.map((name) => [name, identifierOf(name)]));
}
