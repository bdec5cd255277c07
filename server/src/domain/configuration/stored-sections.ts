import { parseJson } from '@respark/protocol';
import { documentSizeOf, parseDocument, type Sections, writeDocument } from './document.ts';
import { type GameModel, readModel } from './model.ts';
import { applyModifications, type Modification } from './modifications.ts';

/** Sections as they are stored: JSON text of an object, section name → attributes, as JSON.stringify writes it. */
export type StoredSections = string;

export const NO_SECTIONS: StoredSections = '{}';

/** A modification whose value is JSON text. */
export type ModificationText = Modification<string>;

/** New sections, and how they are described. */
export interface MadeSections {
  readonly stored: StoredSections;
  readonly described: Uint8Array;
}

/** Everything that is done with whole sections. The time that it takes grows with their length. */
export const sectionJobs = {
  describe: ({ sections, names }: { sections: StoredSections; names?: readonly string[] | undefined }) =>
    describeSections(sections, names),

  /** Reads an exported file. Throws `validation`, as `parseDocument` does. */
  import: (file: Uint8Array): MadeSections => made(parseDocument(file)),

  /** Throws `validation`, as `applyModifications` does. */
  modify: ({
    sections,
    modifications,
  }: {
    sections: StoredSections;
    modifications: readonly ModificationText[];
  }): MadeSections => {
    const parsed = modifications.map(({ value, ...modification }) => ({
      ...modification,
      value: value === undefined ? undefined : (parseJson(value) as Modification['value']),
    }));
    return made(applyModifications(readSections(sections), parsed));
  },

  /** Reads what a runtime needs, from sections that have been deployed. */
  readModel: (sections: StoredSections): GameModel => readModel(readSections(sections)),

  /** Writes the file that an import reads. */
  export: (sections: StoredSections): Uint8Array => writeDocument(readSections(sections)),
} as const;

export type SectionJobs = typeof sectionJobs;

export function readSections(stored: StoredSections): Sections {
  return parseJson(stored) as Sections;
}

/** Bytes of the whole document as compact JSON. */
export function exportedBytesOf(stored: StoredSections): number {
  return FRAME_BYTES + Buffer.byteLength(stored);
}

const FRAME_BYTES = documentSizeOf({}) - NO_SECTIONS.length;

function made(sections: Sections): MadeSections {
  const stored = JSON.stringify(sections);
  return { stored, described: describeSections(stored) };
}

/**
 * JSON in UTF-8 of an object, name → `{"Attributes":…,"Name":…,"Size":…}`, for all sections, or only for those that are
 * named; names without a section are ignored. `Size` is that of the attributes as compact JSON in UTF-8, which is how
 * they are stored: they are copied without being parsed.
 */
function describeSections(stored: StoredSections, names?: readonly string[]): Uint8Array {
  const wanted = names === undefined || names.length === 0 ? undefined : new Set(names);
  const described: string[] = [];
  for (const { name, attributes } of sectionsIn(stored)) {
    if (wanted !== undefined && !wanted.has(name)) continue;
    const size = Buffer.byteLength(attributes);
    described.push(`"${name}":{"Attributes":${attributes},"Name":"${name}","Size":${size}}`);
  }
  return Buffer.from(`{${described.join()}}`);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The sections of stored text, in order. Names of sections never need an escape. */
function* sectionsIn(stored: StoredSections): Generator<{ readonly name: string; readonly attributes: string }> {
  for (let at = 1; stored.charCodeAt(at) === QUOTE; ) {
    const nameEnd = stored.indexOf('"', at + 1);
    const start = nameEnd + 2;
    const end = endOfValue(stored, start);
    yield { name: stored.slice(at + 1, nameEnd), attributes: stored.slice(start, end) };
    at = end + 1;
  }
}

/** The position after the value that begins at `start`, in compact JSON of an object. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth += 1;
        break;
      case 0x2c: // ,
        if (depth === 0) return at;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        if (depth === 0) return at;
        depth -= 1;
    }
  }
  throw new SyntaxError('stored sections must be JSON of an object');
}

/** The position of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}
