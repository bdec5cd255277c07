import { ServiceError } from '../../errors.ts';
import { printable, shown } from '../../text.ts';
import { faultOfValue, isObject, type Json, MAX_DEPTH, memberOf, type Sections } from './document.ts';
import { findJsonFault, type TextPosition } from './json-position.ts';
import { SECTIONS } from './sections.ts';

/** Path in the folder, with `/` between its parts → text. */
export type FolderFiles = ReadonlyMap<string, string>;

/** What a folder's own file says: everything that the other files do not, so that nothing of the document is lost. */
interface Index {
  /** The sections, in their order. */
  readonly Sections: readonly string[];
  /** Section → the names of its entries, in their order, where it is kept in files for each message. */
  readonly Order: Readonly<Record<string, readonly string[]>>;
}

export const INDEX_FILE = 'game.json';
export const MODEL_FILE = 'model.json';

/** The sections whose entries are kept together in one file for each message, and under which key they are there. */
const OF_MESSAGES = {
  Request: SECTIONS.requests,
  RequestHandler: SECTIONS.requestHandlers,
  Event: SECTIONS.events,
  EventHandler: SECTIONS.eventHandlers,
  Notification: SECTIONS.notifications,
} as const;

export type MessageKey = keyof typeof OF_MESSAGES;

type Key = MessageKey;

const KEYS = Object.keys(OF_MESSAGES) as Key[];

/** A handler without its script, as people write it. */
export const HANDLER_FORM = '{"Enabled": true, "Code": {"ScriptLanguage": "Javascript_ES5_1"}}';

/** Under which key the file of a message has its entry of a section. */
export const MESSAGE_KEYS = KEYS.map((key) => ({ key, section: OF_MESSAGES[key] }));

/** What may be the name of a file everywhere: that of a message, or the type of one that every stage answers by itself. */
const NAME = /^(?:GameSparks\.[A-Za-z]{1,36}\.)?[A-Za-z0-9_]{1,64}$/;

/**
 * A configuration as a folder that people and git can read: a file for each message, one for each script, one for the
 * shapes. `fromFolder` makes the same document of it again. Sections that are not as the extensions define them are kept
 * whole. Throws `validation` when two names differ only in case, since some file systems take them for one.
 */
export function toFolder(sections: Sections): FolderFiles {
  const files = new Map<string, string>();
  const order = new Map<string, readonly string[]>();
  const messages = new Map<string, Record<string, Json>>();
  for (const key of KEYS) {
    const section = OF_MESSAGES[key];
    const entries = memberOf(sections, section);
    if (!isObject(entries) || !Object.keys(entries).every((name) => NAME.test(name))) continue;
    order.set(section, Object.keys(entries));
    for (const [name, entry] of Object.entries(entries)) {
      const message = messages.get(name) ?? {};
      messages.set(name, message);
      const script = key.endsWith('Handler') ? memberOf(memberOf(entry, 'Code'), 'Script') : undefined;
      if (typeof script === 'string') files.set(scriptFile(name, key), script);
      message[key] = typeof script === 'string' ? withoutScript(entry) : entry;
    }
  }
  const others = Object.keys(sections).filter((section) => section !== SECTIONS.model && !order.has(section));
  refuseTwins('messages', [...messages.keys()]);
  refuseTwins('sections', others);
  for (const [name, message] of messages) files.set(`messages/${name}.json`, textOf(message));
  const model = memberOf(sections, SECTIONS.model);
  if (model !== undefined) files.set(MODEL_FILE, textOf(model));
  for (const section of others) files.set(`sections/${section}.json`, textOf(memberOf(sections, section) as Json));
  const index: Index = { Sections: Object.keys(sections), Order: Object.fromEntries(order) };
  files.set(INDEX_FILE, textOf(index as unknown as Json));
  return files;
}

/**
 * The sections that the files of a folder are. Messages that the index does not name come last, by name. Throws
 * `validation`, naming the file, for one that is not as it has to be.
 */
export function fromFolder(files: FolderFiles): Sections {
  const index = readIndex(files);
  const parts = new Map<string, Json>();
  for (const section of index.Sections) parts.set(section, {});
  const byKey = new Map<Key, Map<string, Json>>(KEYS.map((key) => [key, new Map()]));
  const scripts = new Set<string>();
  for (const [path, text] of files) {
    const [, kind, name = ''] = /^(messages|sections)\/([^/]+)\.json$/.exec(path) ?? [];
    if (path === MODEL_FILE) parts.set(SECTIONS.model, readJson(path, text));
    else if (kind === 'sections') parts.set(name, readJson(path, text));
    else if (kind === 'messages') readMessage({ path, name, text, files, byKey, scripts });
  }
  for (const path of files.keys()) {
    if (path.startsWith('handlers/') && path.endsWith('.js') && !scripts.has(path)) {
      throw invalid(path, problemOfUnused(path, files, byKey));
    }
  }
  for (const key of KEYS) {
    const found = byKey.get(key) as Map<string, Json>;
    const section = OF_MESSAGES[key];
    const known = index.Order[section];
    if (known === undefined && found.size === 0) continue;
    const names = [...(known ?? []).filter((name) => found.has(name)), ...unknownOf(found, known ?? [])];
    parts.set(section, objectOf(names.map((name) => [name, found.get(name) as Json])));
  }
  return objectOf([...parts]) as Sections;
}

/** What is wrong with a script that no handler has, and what to do. */
function problemOfUnused(path: string, files: FolderFiles, byKey: ReadonlyMap<Key, ReadonlyMap<string, Json>>): string {
  const ofEvent = path.endsWith('.event.js');
  const message = path.slice('handlers/'.length, ofEvent ? -'.event.js'.length : -'.js'.length);
  const file = `messages/${message}.json`;
  const has = (key: Key) => byKey.get(key)?.has(message) === true;
  const [own, other] = ofEvent ? (['Event', 'Request'] as const) : (['Request', 'Event'] as const);
  const otherScript = scriptFile(message, `${other}Handler`);
  const isOther = !has(own) && (has(other) || has(`${other}Handler`)) && !files.has(otherScript);
  const kind = isOther ? other : own;
  const handler = `"${kind}Handler": ${HANDLER_FORM}`;
  if (isOther) {
    const renamed = `${ofEvent ? "a request's" : "an event's"} script is ${otherScript}: rename it`;
    return has(`${kind}Handler`) ? renamed : `${renamed}, and give ${file} this: ${handler}`;
  }
  // The requests that every stage answers by itself, whose names have dots, are not declared.
  const missing = has(kind) || message.includes('.') ? 'this' : `"${kind}", with its shapes, and this`;
  return `no handler uses it: ${files.has(file) ? `give ${file}` : `write ${file} with`} ${missing}: ${handler}`;
}

function readMessage({
  path,
  name,
  text,
  files,
  byKey,
  scripts,
}: {
  path: string;
  name: string;
  text: string;
  files: FolderFiles;
  byKey: ReadonlyMap<Key, Map<string, Json>>;
  scripts: Set<string>;
}): void {
  const message = readJson(path, text);
  if (!isObject(message)) throw invalid(path, 'it must be an object');
  for (const [key, entry] of Object.entries(message)) {
    const ofKey = byKey.get(key as Key);
    if (ofKey === undefined) throw invalid(path, `it has ${shown(key)}: a message has ${KEYS.join(', ')}`);
    const script = key.endsWith('Handler') ? files.get(scriptFile(name, key as Key)) : undefined;
    if (script !== undefined) scripts.add(scriptFile(name, key as Key));
    ofKey.set(name, script === undefined ? entry : withScript(path, entry, script));
  }
}

function unknownOf(found: ReadonlyMap<string, Json>, known: readonly string[]): string[] {
  return [...found.keys()].filter((name) => !known.includes(name)).sort();
}

/** Where the script of a handler is; almost no message has handlers of both kinds. */
export function scriptFile(message: string, key: Key): string {
  return key === 'EventHandler' ? `handlers/${message}.event.js` : `handlers/${message}.js`;
}

/** A handler without its script, whose place is kept, so that the order of its members is. */
function withoutScript(entry: Json): Json {
  return mapMembers(entry, 'Code', (code) => mapMembers(code, 'Script', () => null));
}

function withScript(path: string, entry: Json, script: string): Json {
  const code = memberOf(entry, 'Code') ?? {};
  if (!isObject(entry) || !isObject(code)) throw invalid(path, 'a handler and its Code must be objects');
  const withCode = memberOf(entry, 'Code') === undefined ? { ...entry, Code: {} } : entry;
  return mapMembers(withCode, 'Code', (given) =>
    memberOf(given, 'Script') === undefined
      ? objectOf([...Object.entries(given as object), ['Script', script]])
      : mapMembers(given, 'Script', () => script),
  );
}

function mapMembers(value: Json, key: string, change: (member: Json) => Json): Json {
  if (!isObject(value)) return value;
  return objectOf(Object.entries(value).map(([name, member]) => [name, name === key ? change(member) : member]));
}

function objectOf(entries: readonly (readonly [string, Json])[]): { readonly [key: string]: Json } {
  return Object.fromEntries(entries);
}

function readIndex(files: FolderFiles): Index {
  const text = files.get(INDEX_FILE);
  if (text === undefined) return { Sections: [], Order: {} };
  const index = readJson(INDEX_FILE, text);
  const sections = memberOf(index, 'Sections') ?? [];
  const order = memberOf(index, 'Order') ?? {};
  const isNames = (value: Json): value is readonly string[] =>
    Array.isArray(value) && value.every((name) => typeof name === 'string');
  if (!isNames(sections) || !isObject(order) || !Object.values(order).every(isNames)) {
    throw invalid(INDEX_FILE, 'it must have "Sections", a list of names, and "Order", lists of names by section');
  }
  return { Sections: sections, Order: order as Index['Order'] };
}

function readJson(path: string, text: string): Json {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw invalid(path, `it is not JSON: ${(error as Error).message}`, findJsonFault(text));
  }
  // A document that is imported may not have it either, and what comes after this walks through all levels.
  const fault = faultOfValue(value, MAX_DEPTH);
  if (fault !== undefined) throw invalid(path, `it ${fault}`);
  return value;
}

function textOf(value: Json): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function refuseTwins(what: string, names: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      throw new ServiceError(
        'validation',
        `the ${what} ${shown(other)} and ${shown(name)} differ only in case, and would be one file on some systems: rename one of them`,
      );
    }
    seen.set(name.toLowerCase(), name);
  }
}

/** A file of a folder that cannot be used at all. */
export class FolderFault extends ServiceError {
  readonly path: string;
  readonly problem: string;
  readonly position: TextPosition | undefined;

  constructor(path: string, problem: string, position?: TextPosition) {
    const place = position === undefined ? path : `${path}:${position.line}:${position.column}`;
    super('validation', printable(`the folder's file ${place} cannot be used: ${problem}`));
    this.path = path;
    this.problem = problem;
    this.position = position;
  }
}

function invalid(path: string, problem: string, position?: TextPosition): FolderFault {
  return new FolderFault(path, problem, position);
}
