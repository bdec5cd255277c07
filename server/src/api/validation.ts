import { isDay } from '../calendar.ts';
import type { Json } from '../domain/configuration/document.ts';
import { jsonTextOf } from '../domain/configuration/json-text.ts';
import { ServiceError } from '../errors.ts';
import { excerpt } from '../text.ts';
import type { BlobShape, IntegerShape, Shape, StringShape } from './shape.ts';

/** A request may be wrong in thousands of places. Only this many faults are listed; the rest are counted. */
const MAX_LISTED_FAULTS = 20;

/** Several values in the query for a member that takes one. It is a class, so that no JSON in a body looks like it. */
export class RepeatedValue {
  readonly values: readonly string[];
  constructor(values: readonly string[]) {
    this.values = values;
  }
}

/** Collects the faults of one request, so that the caller sees them all at once. */
class Faults {
  #count = 0;
  readonly #listed: string[] = [];

  add(value: unknown, path: string, constraint: string): void {
    this.#count += 1;
    if (this.#listed.length >= MAX_LISTED_FAULTS) return;
    const shown = value === undefined || value === null ? 'null' : `'${excerptOf(value)}'`;
    this.#listed.push(`Value ${shown} at '${path}' failed to satisfy constraint: ${constraint}`);
  }

  throwIfAny(): void {
    if (this.#count === 0) return;
    const heading = `${this.#count} validation error${this.#count === 1 ? '' : 's'} detected: `;
    const rest = this.#count - this.#listed.length;
    const more = rest === 0 ? '' : `; and ${rest} more`;
    throw new ServiceError('validation', `${heading}${this.#listed.join('; ')}${more}`);
  }
}

/**
 * Returns the value of `raw`, which is parsed JSON, in the form that `shape` describes, without members that the shape
 * does not have. Throws one `validation` ServiceError that names the first twenty faults in the words of AWS services.
 * Takes time linear in the size of `raw`.
 */
export function parse(shape: Shape, raw: unknown): unknown {
  const faults = new Faults();
  const value = visit(shape, raw, '', faults);
  faults.throwIfAny();
  return value;
}

function visit(shape: Shape, raw: unknown, path: string, faults: Faults): unknown {
  if (raw instanceof RepeatedValue) return faults.add(raw.values.join(','), path, 'Member must be given only once');
  switch (shape.type) {
    case 'string':
      if (typeof raw !== 'string') return faults.add(raw, path, 'Member must be a string');
      for (const constraint of stringFaults(shape, raw)) faults.add(raw, path, constraint);
      return raw;
    case 'integer': {
      const number = typeof raw === 'string' && shape.location !== undefined ? integerOfText(raw) : raw;
      if (!Number.isSafeInteger(number)) return faults.add(raw, path, 'Member must be an integer');
      for (const constraint of rangeFaults(shape, number as number)) faults.add(raw, path, constraint);
      return number;
    }
    case 'boolean':
      return typeof raw === 'boolean' ? raw : faults.add(raw, path, 'Member must be true or false');
    case 'timestamp':
      return visitTimestamp(raw, path, faults);
    case 'blob':
      return visitBlob(shape, raw, path, faults);
    case 'document':
      return jsonTextOf(raw as Json);
    case 'list':
      return visitList(shape, raw, path, faults);
    case 'map':
      return visitMap(shape, raw, path, faults);
    case 'structure':
      return visitStructure(shape, raw, path, faults);
  }
}

function visitTimestamp(raw: unknown, path: string, faults: Faults): unknown {
  const isIso8601 =
    typeof raw === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(raw);
  const unixMs = isIso8601 && isDay(raw) ? Date.parse(raw) : Number.NaN;
  return Number.isNaN(unixMs) ? faults.add(raw, path, 'Member must be an ISO 8601 date and time') : unixMs;
}

function visitBlob(shape: BlobShape, raw: unknown, path: string, faults: Faults): unknown {
  if (typeof raw !== 'string') return faults.add(raw, path, 'Member must be base64 text');
  const bytes = Buffer.from(raw, 'base64');
  // Decoding skips whatever is not base64, so the text is compared with the only correct spelling.
  if (bytes.toString('base64') !== raw) return faults.add(raw, path, 'Member must be base64 text');
  for (const constraint of lengthFaults(shape, bytes.length)) faults.add(raw, path, constraint);
  return bytes;
}

function visitList(shape: Shape & { type: 'list' }, raw: unknown, path: string, faults: Faults): unknown {
  if (!Array.isArray(raw)) return faults.add(raw, path, 'Member must be a list');
  for (const constraint of lengthFaults(shape, raw.length)) faults.add(raw, path, constraint);
  // Items beyond the limit are one fault, however many they are, and are not checked: a long body can hold very many.
  const items = raw.slice(0, shape.max);
  return items.map((item, index) => visitPresent(shape.member, item, join(path, `${index + 1}.member`), faults));
}

function visitMap(shape: Shape & { type: 'map' }, raw: unknown, path: string, faults: Faults): unknown {
  if (!isRecord(raw)) return faults.add(raw, path, 'Member must be a map');
  const entries = Object.entries(raw);
  for (const constraint of lengthFaults(shape, entries.length)) faults.add(raw, path, constraint);
  return Object.fromEntries(
    entries.map(([key, value]) => {
      const keyFaults = stringFaults(shape.key, key);
      if (keyFaults.length > 0) faults.add(key, path, `Map keys must satisfy constraint: [${keyFaults.join(', ')}]`);
      return [key, visitPresent(shape.value, value, join(path, `${excerptOf(key)}.member`), faults)];
    }),
  );
}

function visitStructure(shape: Shape & { type: 'structure' }, raw: unknown, path: string, faults: Faults): unknown {
  if (!isRecord(raw)) return faults.add(raw, path, 'Member must be a structure');
  const members: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(shape.members)) {
    const value = Object.hasOwn(raw, name) ? raw[name] : undefined;
    const memberPath = join(path, lowerCamel(name));
    if (isGiven(member, value)) members[name] = visit(member, value, memberPath, faults);
    else if (shape.required.includes(name) || (shape.isExact && isMissing(member, value)))
      faults.add(value, memberPath, NOT_NULL);
  }
  // The unknown members of the input itself do not come this far.
  const unknown = shape.isExact ? Object.keys(raw).filter((name) => !Object.hasOwn(shape.members, name)) : [];
  for (const name of unknown) faults.add(raw[name], join(path, excerptOf(name)), 'Member is not known to this server');
  return members;
}

const NOT_NULL = 'Member must not be null';
const WELL_FORMED = 'Member must be well-formed Unicode without U+0000';

function visitPresent(shape: Shape, raw: unknown, path: string, faults: Faults): unknown {
  return isGiven(shape, raw) ? visit(shape, raw, path, faults) : faults.add(raw, path, NOT_NULL);
}

/** Null means that a member is absent, as in AWS services, except in a document, where null is a value. */
function isGiven(shape: Shape, raw: unknown): boolean {
  return raw !== undefined && (raw !== null || shape.type === 'document');
}

/** Whether something that says what a call does, and to whom, is null, as a program may leave what it has failed to make. */
function isMissing({ isNullable = false }: Shape, raw: unknown): boolean {
  return raw === null && !isNullable;
}

/** Shapes are few and live as long as the program, except in a thread, where a shape lives for one call. */
const patterns = new WeakMap<StringShape, RegExp>();

function compiled(shape: StringShape & { readonly pattern?: string }): RegExp {
  const known = patterns.get(shape);
  if (known !== undefined) return known;
  const pattern = new RegExp(shape.pattern ?? '', 'u');
  patterns.set(shape, pattern);
  return pattern;
}

function stringFaults(shape: StringShape, text: string): string[] {
  // A lone surrogate has no UTF-8 form, and stores end a text at U+0000. Both would be read back as something else.
  const faults = /[\p{Surrogate}\0]/u.test(text) ? [WELL_FORMED] : [];
  if (shape.pattern !== undefined && !compiled(shape).test(text)) {
    faults.push(`Member must satisfy regular expression pattern: ${shape.pattern}`);
  }
  faults.push(...lengthFaults(shape, codePoints(text)));
  if (shape.enum !== undefined && !shape.enum.includes(text)) {
    faults.push(`Member must satisfy enum value set: [${shape.enum.join(', ')}]`);
  }
  return faults;
}

function lengthFaults({ min, max }: { min?: number; max?: number }, length: number): string[] {
  if (max !== undefined && length > max) return [`Member must have length less than or equal to ${max}`];
  if (min !== undefined && length < min) return [`Member must have length greater than or equal to ${min}`];
  return [];
}

function rangeFaults({ min, max }: IntegerShape, number: number): string[] {
  if (max !== undefined && number > max) return [`Member must have value less than or equal to ${max}`];
  if (min !== undefined && number < min) return [`Member must have value greater than or equal to ${min}`];
  return [];
}

function integerOfText(text: string): number {
  return /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function isRecord(raw: unknown): raw is { readonly [name: string]: unknown } {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

const join = (path: string, step: string): string => (path === '' ? step : `${path}.${step}`);

const lowerCamel = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

/** A value in a form fit for a message: short and printable. */
export function excerptOf(value: unknown): string {
  return excerpt(textOf(value));
}

/** Lists and maps are only counted, because writing out a deeply nested one would exhaust the stack. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.length} items]`;
  if (typeof value === 'object' && value !== null) return `{${Object.keys(value).length} items}`;
  return String(value);
}
