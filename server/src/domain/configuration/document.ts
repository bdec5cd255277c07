import { parseJson } from '@respark/protocol';
import { ServiceError } from '../../errors.ts';
import { decodeText, EncodingError, excerpt, MAX_SENTENCE_CHARACTERS, shown } from '../../text.ts';

/** Attributes of one section: any JSON. Keys such as `__proto__` are data: copy by entries, never by assignment. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Section name → attributes. */
export type Sections = { readonly [name: string]: Json };

/** How deep the attributes of a section may nest, counting themselves, so that every later walk may use the stack. */
export const MAX_DEPTH = 64;

/** The limit of the API's model: a larger file cannot be imported. */
const MAX_FILE_BYTES = 1_024_000;

const SECTION_NAME = /^[a-zA-Z0-9.]{1,36}$/;

const MAX_LISTED_FAULTS = 20;

const FORM = '{"Document":{"Type":"Game","Sections":{…}}}';

/**
 * Reads the sections of an exported file. When an object has a key twice the last one counts, as everywhere in
 * JavaScript; numbers are doubles; a byte order mark is skipped. Throws `validation`, naming the faults.
 */
export function parseDocument(file: Uint8Array): Sections {
  const document = memberOf(readJson(file), 'Document');
  const sections = memberOf(document, 'Sections');
  if (memberOf(document, 'Type') !== 'Game' || !isObject(sections)) {
    throw invalid([
      `it does not have the form ${FORM}: import a file that ExportSnapshot has made, or one of that form`,
    ]);
  }
  const faults = Object.entries(sections).flatMap(([name, attributes]) => {
    const fault = faultOfSection(name, attributes);
    return fault === undefined ? [] : [`section ${shown(name)} ${fault}`];
  });
  if (faults.length > 0) throw invalid(faults);
  return sections;
}

/** The file that `parseDocument` reads: indented for people, unless that would make it too large to be imported. */
export function writeDocument(sections: Sections): Uint8Array {
  const document = { Document: { Type: 'Game', Sections: sections } };
  const readable = Buffer.from(`${JSON.stringify(document, undefined, 2)}\n`);
  return readable.length <= MAX_FILE_BYTES ? readable : Buffer.from(JSON.stringify(document));
}

/** The `Size` of a section: bytes of its attributes as compact JSON. */
export function sizeOf(attributes: Json): number {
  return Buffer.byteLength(JSON.stringify(attributes));
}

/** Bytes of the whole document as compact JSON. */
export function documentSizeOf(sections: Sections): number {
  return sizeOf({ Document: { Type: 'Game', Sections: sections } });
}

/** Why a value may not stand where `depth` more levels of nesting are allowed; undefined when it may. */
export function faultOfValue(value: Json, depth: number): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'holds a number beyond ±1.8e308: make it a string';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth === 0) return `nests deeper than ${MAX_DEPTH} levels: flatten it`;
  for (const member of Object.values(value)) {
    const fault = faultOfValue(member, depth - 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The own member of an object; undefined for anything else. */
export function memberOf(value: Json | undefined, key: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

/** Clients differ in whether they encode a file by themselves, so that it is easily encoded twice. */
function isBase64OfObject(text: string): boolean {
  return /^[\w+/=\s-]+$/.test(text) && /^\ufeff?\s*\{/.test(Buffer.from(text.slice(0, 64), 'base64').toString());
}

function readJson(file: Uint8Array): Json {
  let text: string;
  try {
    text = decodeText(file);
  } catch (error) {
    if (error instanceof EncodingError) throw invalid([error.message], { cause: error });
    throw error;
  }
  try {
    return parseJson(text) as Json;
  } catch (error) {
    const message = excerpt((error as SyntaxError).message, MAX_SENTENCE_CHARACTERS);
    const hint = isBase64OfObject(text) ? '; it seems to be in base64 once too often' : '';
    throw invalid([`it is not JSON: ${message}${hint}`], { cause: error });
  }
}

function faultOfSection(name: string, attributes: Json): string | undefined {
  if (!SECTION_NAME.test(name)) return 'has a name that is not 1 to 36 letters, digits and dots: rename it';
  if (!isObject(attributes)) return 'is not an object: make it an object of attributes';
  return faultOfValue(attributes, MAX_DEPTH);
}

function invalid(faults: readonly string[], options: { cause?: unknown } = {}): ServiceError {
  const listed = faults.slice(0, MAX_LISTED_FAULTS).join('; ');
  const more = faults.length > MAX_LISTED_FAULTS ? `; and ${faults.length - MAX_LISTED_FAULTS} more` : '';
  return new ServiceError('validation', `the file cannot be imported: ${listed}${more}`, options);
}
