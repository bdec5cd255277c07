import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { BUILTIN_NAMES, isBuiltin } from '../../payload-shapes.ts';
import { grouped, shown } from '../../text.ts';
import { faultOfValue, isObject, type Json, MAX_DEPTH, memberOf, type Sections } from './document.ts';
import type { ConfigurationFault } from './fault.ts';
import { keysOf, pointerOf } from './pointer.ts';
import { CORE_SCHEMA } from './schemas.ts';
import { findScriptFault } from './scripts.ts';
import { SECTIONS } from './sections.ts';
import { SYSTEM_REQUESTS } from './system-requests.ts';

const MAX_LISTED_FAULTS = 100;
const MAX_KEY_CHARACTERS = 64;
/** Each of them is an object in the memory of every node that runs the game, made in the turn in which it is deployed. */
const MAX_PARTS = 5_000;

const MODEL = SECTIONS.model;

const SHAPE_KINDS = ['Structure', 'Enum', 'List', 'Map'] as const;

const MESSAGES = [
  { kind: 'request', section: SECTIONS.requests, shapes: ['RequestShape', 'ResponseShape'] },
  { kind: 'event', section: SECTIONS.events, shapes: ['EventShape'] },
  { kind: 'notification', section: SECTIONS.notifications, shapes: ['NotificationShape'] },
] as const;

const HANDLERS = [
  { section: SECTIONS.requestHandlers, messages: SECTIONS.requests, others: SYSTEM_REQUESTS },
  { section: SECTIONS.eventHandlers, messages: SECTIONS.events, others: [] },
] as const;

/**
 * Why the known sections cannot be deployed: the first 100 faults, those of form before others, and then one more that
 * counts the rest. When there is no fault, `readModel` can read the sections. Unknown sections are ignored. Takes time
 * linear in the size of the sections.
 */
export function findFaults(sections: Sections): readonly ConfigurationFault[] {
  const unreadable = unreadableFaults(sections);
  const listed: ConfigurationFault[] = [];
  let count = 0;
  for (const fault of unreadable.length > 0 ? unreadable : readableFaults(sections)) {
    count += 1;
    if (count <= MAX_LISTED_FAULTS) listed.push(fault);
  }
  const more = { section: '', pointer: '', message: `and ${count - MAX_LISTED_FAULTS} more` };
  return count > MAX_LISTED_FAULTS ? [...listed, more] : listed;
}

type Faults = Iterable<ConfigurationFault>;

/**
 * Faults that would make all else slow: attributes that nest deeply, long keys, which every fault beneath repeats, and too
 * many of everything.
 */
function unreadableFaults(sections: Sections): ConfigurationFault[] {
  const unreadable = Object.values(SECTIONS).flatMap((section) => {
    const attributes = memberOf(sections, section) ?? null;
    const message = faultOfValue(attributes, MAX_DEPTH) ?? faultOfKeys(attributes);
    return message === undefined ? [] : [faultAt(section, [], message)];
  });
  return unreadable.length > 0 ? unreadable : faultsOfSize(sections);
}

function faultsOfSize(sections: Sections): ConfigurationFault[] {
  let parts = MESSAGES.reduce((sum, { section }) => sum + entriesOf(sections, section).length, 0);
  for (const [, entry] of entriesOf(sections, MODEL)) {
    const fields = memberOf(memberOf(entry, 'Structure'), 'Fields');
    const values = memberOf(memberOf(entry, 'Enum'), 'Values');
    parts += 1 + (isObject(fields) ? Object.keys(fields).length : 0) + (Array.isArray(values) ? values.length : 0);
  }
  if (parts <= MAX_PARTS) return [];
  const message =
    `has, with the messages of the game, ${grouped(parts)} shapes, fields, values of enums and messages: ` +
    `a game has at most ${grouped(MAX_PARTS)} of them, so remove some`;
  return [faultAt(MODEL, [], message)];
}

function faultOfKeys(value: Json): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const long = isObject(value) ? Object.keys(value).find((key) => key.length > MAX_KEY_CHARACTERS) : undefined;
  if (long !== undefined)
    return `has the key ${shown(long)} of ${long.length} characters: names have at most ${MAX_KEY_CHARACTERS}`;
  for (const member of Object.values(value)) {
    const fault = faultOfKeys(member);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function* readableFaults(sections: Sections): Faults {
  yield* formFaults(sections);
  yield* shapeFaults(sections);
  yield* messageFaults(sections);
  yield* handlerFaults(sections);
}

function* formFaults(sections: Sections): Faults {
  // The validator is compiled anew each time: deployments are rare, and a kept one would need an owner.
  const ajv = new Ajv2020({ allErrors: true, verbose: true, strictTypes: false, validateSchema: false, meta: false });
  const isValid = ajv.compile(JSON.parse(CORE_SCHEMA));
  isValid(sections);
  for (const error of isValid.errors ?? []) {
    // This error repeats what the error of the name itself says.
    if (error.keyword === 'propertyNames') continue;
    const [section = '', ...keys] = keysOf(error.instancePath) ?? [];
    yield faultAt(section, error.propertyName === undefined ? keys : [...keys, error.propertyName], wordsOf(error));
  }
}

function wordsOf({ keyword, params, message, data }: ErrorObject): string {
  switch (keyword) {
    case 'type':
      return `must be ${TYPES[params.type as string]}, is ${shown(data)}`;
    case 'required':
      return `lacks "${params.missingProperty}"`;
    case 'pattern':
      return `${shown(data)} is not a name: use at most 64 letters, digits and underscores, and no digit first`;
    case 'enum':
      return `must be ${listOf(params.allowedValues)}, is ${shown(data)}`;
    case 'additionalProperties':
      return `has ${shown(params.additionalProperty)}: a shape has one of ${SHAPE_KINDS.join(', ')}`;
    case 'minProperties':
    case 'maxProperties':
      return `must have exactly one of ${SHAPE_KINDS.join(', ')}`;
    case 'minItems':
      return 'is empty: an enum has at least one value';
    default:
      return message ?? keyword;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'an array',
  string: 'a string',
  boolean: 'true or false',
};

function* shapeFaults(sections: Sections): Faults {
  const shapes = shapesOf(sections);
  for (const [name, entry] of entriesOf(sections, MODEL)) {
    if (isBuiltin(name)) yield faultAt(MODEL, [name], 'has the name of a built-in shape: rename it');
    const fields = memberOf(memberOf(entry, 'Structure'), 'Fields');
    for (const [field, value] of isObject(fields) ? Object.entries(fields) : []) {
      const fault = faultOfReference(memberOf(value, 'Shape'), shapes);
      if (fault !== undefined) yield faultAt(MODEL, [name, 'Structure', 'Fields', field, 'Shape'], fault);
    }
    for (const kind of ['List', 'Map']) {
      const fault = faultOfReference(memberOf(memberOf(entry, kind), 'Shape'), shapes);
      if (fault !== undefined) yield faultAt(MODEL, [name, kind, 'Shape'], fault);
    }
    yield* repeatedValues(name, memberOf(memberOf(entry, 'Enum'), 'Values'));
  }
  yield* endlessCollections(shapes);
}

function* repeatedValues(name: string, values: Json | undefined): Faults {
  const seen = new Set<Json>();
  for (const [index, value] of Array.isArray(values) ? values.entries() : []) {
    if (typeof value === 'string' && seen.has(value)) {
      yield faultAt(MODEL, [name, 'Enum', 'Values', `${index}`], `repeats ${shown(value)}: remove it`);
    }
    seen.add(value);
  }
}

/** Lists and maps that lead back to themselves without a structure in between: no code could declare such a type. */
function* endlessCollections(shapes: Shapes): Faults {
  const visited = new Set<string>();
  for (const start of shapes.keys()) {
    const path = new Set<string>();
    let name: string | undefined = start;
    while (name !== undefined && !visited.has(name)) {
      visited.add(name);
      path.add(name);
      name = shapes.get(name)?.item;
    }
    if (name === undefined || !path.has(name)) continue;
    yield faultAt(MODEL, [name], 'contains itself with only lists and maps in between: put a Structure between them');
  }
}

function* messageFaults(sections: Sections): Faults {
  const shapes = shapesOf(sections);
  // Messages of all kinds share one set of names, because the type on the wire does not tell the kind.
  const kinds = new Map<string, string>();
  for (const { kind, section, shapes: members } of MESSAGES) {
    for (const [name, entry] of entriesOf(sections, section)) {
      const other = kinds.get(name);
      if (other === undefined) kinds.set(name, kind);
      else yield faultAt(section, [name], `has the name of the ${other} ${shown(name)}: rename one of them`);
      for (const member of members) {
        const fault = faultOfReference(memberOf(entry, member), shapes, { isOfMessage: true });
        if (fault !== undefined) yield faultAt(section, [name, member], fault);
      }
    }
  }
}

function* handlerFaults(sections: Sections): Faults {
  for (const { section, messages, others } of HANDLERS) {
    const known = new Set([...entriesOf(sections, messages).map(([name]) => name), ...others.map(({ name }) => name)]);
    for (const [name, entry] of entriesOf(sections, section)) {
      if (!known.has(name)) {
        yield faultAt(section, [name], `handles nothing: add ${shown(name)} to ${messages}, or remove the handler`);
      }
      const script = memberOf(memberOf(entry, 'Code'), 'Script');
      const fault = typeof script === 'string' ? findScriptFault(script) : undefined;
      if (fault === undefined) continue;
      const { line, column, message } = fault;
      yield faultAt(section, [name, 'Code', 'Script'], `does not parse, line ${line}, column ${column}: ${message}`);
    }
  }
}

/** The kind of each shape in the Model, if it is well-formed, and the shape of a list's or map's items. */
type Shapes = ReadonlyMap<string, { readonly kind: string | undefined; readonly item: string | undefined }>;

function shapesOf(sections: Sections): Shapes {
  return new Map(
    entriesOf(sections, MODEL).map(([name, entry]) => {
      const kind = SHAPE_KINDS.find((kind) => memberOf(entry, kind) !== undefined);
      const item = kind === 'List' || kind === 'Map' ? memberOf(memberOf(entry, kind), 'Shape') : undefined;
      return [name, { kind, item: typeof item === 'string' ? item : undefined }];
    }),
  );
}

function faultOfReference(
  reference: Json | undefined,
  shapes: Shapes,
  { isOfMessage = false } = {},
): string | undefined {
  // The schema has reported this fault already.
  if (typeof reference !== 'string') return undefined;
  const kind = isBuiltin(reference) ? 'built-in shape' : shapes.get(reference)?.kind;
  if (kind === undefined && !shapes.has(reference)) {
    return `there is no shape ${shown(reference)}: add it to ${MODEL}, or use ${listOf(BUILTIN_NAMES)}`;
  }
  return isOfMessage && kind !== undefined && kind !== 'Structure'
    ? `must be a Structure, and ${shown(reference)} is ${withArticle(kind)}`
    : undefined;
}

/** The entries of a section; none when it is absent or not an object, which is a fault of form. */
function entriesOf(sections: Sections, section: string): [string, Json][] {
  const attributes = memberOf(sections, section);
  return isObject(attributes) ? Object.entries(attributes) : [];
}

function faultAt(section: string, keys: readonly string[], message: string): ConfigurationFault {
  return { section, pointer: pointerOf(keys), message };
}

function withArticle(noun: string): string {
  return `${noun.startsWith('E') ? 'an' : 'a'} ${noun}`;
}

function listOf(words: readonly string[]): string {
  const quoted = words.map((word) => `"${word}"`);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
