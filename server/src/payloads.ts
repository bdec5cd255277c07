import { MAX_PAYLOAD_DEPTH } from '@respark/protocol';
import {
  type BuiltinName,
  type PayloadShape,
  type Shape,
  type Structure,
  type TypeReference,
  typesIn,
} from './payload-shapes.ts';
import { excerpt, shown } from './text.ts';

/** What is wrong with a payload, and where. */
export class PayloadFault {
  readonly #message: string;
  /** The innermost step first. */
  readonly #path: string[] = [];

  constructor(message: string) {
    this.#message = message;
  }

  /** The fault as the value sees it that has the faulty one as its member. */
  under(step: string): this {
    this.#path.push(step);
    return this;
  }

  /** Such as `payload.Team[3].Name must be a String, got 5`. */
  get text(): string {
    return `payload${[...this.#path].reverse().join('')} ${this.#message}`;
  }
}

/** A payload as its shape has it, and the first few members that no shape has, which are left out: `Structure.member`. */
export interface ReadPayload {
  readonly payload: Readonly<Record<string, unknown>>;
  readonly unknown: readonly string[];
}

/** Reads a payload by the shape of its message. Optional fields that are null count as absent. */
export type PayloadReader = (payload: unknown) => ReadPayload | PayloadFault;

type Read = (value: unknown, unknown: string[], depth: number) => unknown;

/** Makes readers for structures whose shapes are these, by name. Shapes are compiled once, whatever refers to them. */
export function createPayloadReaders(shapes: ReadonlyMap<string, Shape>): (structure: Structure) => PayloadReader {
  const reads = new Map<string, Read>();

  function readOf(type: TypeReference): Read {
    if (type.kind === 'builtin') return BUILTINS[type.name];
    const known = reads.get(type.name);
    if (known !== undefined) return known;
    const shape = shapes.get(type.name);
    if (shape === undefined) throw new Error(`the model has no shape ${shown(type.name)}`);
    // A structure may contain itself, and a model may be a chain of thousands of shapes, so each is compiled only when it
    // is wanted: no payload nests as deeply.
    let compiled: Read | undefined;
    const read: Read = (value, unknown, depth) => {
      compiled ??= compile(shape, readOf);
      return compiled(value, unknown, depth);
    };
    reads.set(type.name, read);
    return read;
  }

  return (structure) => {
    const read = readOf({ kind: 'shape', name: structure.name });
    return (payload) => {
      const unknown: string[] = [];
      const value = read(payload, unknown, 1);
      return value instanceof PayloadFault ? value : { payload: value as ReadPayload['payload'], unknown };
    };
  };
}

/** The shapes that the structures refer to, and the structures themselves, without their descriptions. */
export function shapesUnder(
  structures: readonly Structure[],
  shapes: PayloadShape['shapes'],
): ReadonlyMap<string, Shape> {
  const found = new Map<string, Shape>();
  const reached = structures.map(({ name }) => name);
  // Goes on through what is added meanwhile.
  for (const name of reached) {
    const shape = shapes.get(name);
    if (shape === undefined || found.has(name)) continue;
    found.set(name, withoutDescriptions(shape));
    for (const type of typesIn(shape)) if (type.kind === 'shape') reached.push(type.name);
  }
  return found;
}

function withoutDescriptions(shape: Shape): Shape {
  if (shape.kind !== 'structure') return { ...shape, description: '' };
  return { ...shape, description: '', fields: shape.fields.map((field) => ({ ...field, description: '' })) };
}

/** Finds readers by the names of their payloads' shapes. Each is made when it is asked for the first time. */
export function createReaderOf(
  payloads: ReadonlyMap<string, PayloadShape>,
): (name: string) => PayloadReader | undefined {
  const compilers = new Map<PayloadShape['shapes'], (structure: Structure) => PayloadReader>();
  const readers = new Map<string, PayloadReader>();
  return (name) => {
    const known = readers.get(name);
    const payload = payloads.get(name);
    if (known !== undefined || payload === undefined) return known;
    const compile = compilers.get(payload.shapes) ?? createPayloadReaders(payload.shapes);
    compilers.set(payload.shapes, compile);
    const reader = compile(payload.structure);
    readers.set(name, reader);
    return reader;
  };
}

function compile(shape: Shape, readOf: (type: TypeReference) => Read): Read {
  switch (shape.kind) {
    case 'structure':
      return compileStructure(shape, readOf);
    case 'enum':
      return compileEnum(shape.values);
    case 'list':
      return compileList(readOf(shape.item));
    case 'map':
      return compileMap(readOf(shape.value));
  }
}

/**
 * Looks at the members that a value has, however many fields the shape has: with thousands of fields, a frame
 * full of empty objects would otherwise hold up the server for seconds.
 */
function compileStructure({ name: structure, fields }: Structure, readOf: (type: TypeReference) => Read): Read {
  const compiled = new Map(
    fields.map(({ name, type, isRequired }) => [name, { isRequired, read: readOf(type) }] as const),
  );
  const required = fields.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  return (value, unknown, depth) => {
    if (!isObject(value)) return expected('an object', value);
    if (depth > MAX_PAYLOAD_DEPTH) return tooDeep();
    const found: Record<string, unknown> = {};
    let missing = required.length;
    const strange: string[] = [];
    for (const name of Object.keys(value)) {
      const field = compiled.get(name);
      const member = value[name];
      if (field === undefined) {
        if (strange.length < MAX_UNKNOWN) strange.push(name);
      } else if (member !== undefined && member !== null) {
        const result = field.read(member, unknown, depth + 1);
        if (result instanceof PayloadFault) return result.under(`.${name}`);
        define(found, name, result);
        if (field.isRequired) missing -= 1;
      }
    }
    for (const name of strange) if (unknown.length < MAX_UNKNOWN) unknown.push(`${structure}.${excerpt(name)}`);
    if (missing === 0) return found;
    return new PayloadFault('is required').under(`.${required.find((name) => !Object.hasOwn(found, name))}`);
  };
}

/** More members than this that a shape does not have are not worth telling. */
const MAX_UNKNOWN = 10;

const MAX_LISTED = 10;

function compileEnum(values: readonly string[]): Read {
  const known = new Set<unknown>(values);
  const listed = values.slice(0, MAX_LISTED).map((value) => shown(value));
  const all =
    values.length > MAX_LISTED ? `${listed.join(', ')} or ${values.length - MAX_LISTED} more` : listed.join(', ');
  return (value) => (known.has(value) ? value : expected(`one of ${all}`, value));
}

function compileList(readItem: Read): Read {
  return (value, unknown, depth) => {
    if (!Array.isArray(value)) return expected('a list', value);
    if (depth > MAX_PAYLOAD_DEPTH) return tooDeep();
    const found: unknown[] = [];
    for (const [index, item] of value.entries()) {
      const result = readItem(item, unknown, depth + 1);
      if (result instanceof PayloadFault) return result.under(`[${index}]`);
      found.push(result);
    }
    return found;
  };
}

function compileMap(readValue: Read): Read {
  return (value, unknown, depth) => {
    if (!isObject(value)) return expected('a map', value);
    if (depth > MAX_PAYLOAD_DEPTH) return tooDeep();
    const found: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(value)) {
      const result = readValue(member, unknown, depth + 1);
      if (result instanceof PayloadFault) return result.under(`[${shown(key)}]`);
      define(found, key, result);
    }
    return found;
  };
}

/** RFC 3339, which is the part of ISO 8601 that everybody reads alike. */
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

const MIN_INTEGER = -(2 ** 31);
const MAX_INTEGER = 2 ** 31 - 1;

const BUILTINS: Readonly<Record<BuiltinName, Read>> = {
  String: (value) => (typeof value === 'string' ? value : expected('a String', value)),
  Integer: (value) =>
    Number.isInteger(value) && (value as number) >= MIN_INTEGER && (value as number) <= MAX_INTEGER
      ? value
      : expected('an Integer of 32 bits', value),
  // What is beyond cannot be told from its neighbours once it has been read as JSON.
  Long: (value) => (Number.isSafeInteger(value) ? value : expected('an integer between -2^53 and 2^53', value)),
  Decimal: (value) => (Number.isFinite(value) ? value : expected('a number', value)),
  Boolean: (value) => (typeof value === 'boolean' ? value : expected('true or false', value)),
  Timestamp: (value) =>
    typeof value === 'string' && TIMESTAMP.test(value) && !Number.isNaN(Date.parse(value))
      ? value
      : expected('a Timestamp such as "2026-01-31T12:00:00Z"', value),
  Document: (value, _unknown, depth) => (nestsWithin(value, depth) ? value : tooDeep()),
};

/**
 * Whether a value that is at this depth nests no deeper than it may. Never looks further than that. A response may have
 * a hundred thousand values, and lists that are made for them would take most of the time.
 */
function nestsWithin(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth > MAX_PAYLOAD_DEPTH) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) if (!nestsWithin(value[index], depth + 1)) return false;
    return true;
  }
  const members = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(members)) if (!nestsWithin(members[key], depth + 1)) return false;
  return true;
}

function tooDeep(): PayloadFault {
  return new PayloadFault(`nests more than ${MAX_PAYLOAD_DEPTH} levels deep`);
}

function expected(what: string, value: unknown): PayloadFault {
  return new PayloadFault(`must be ${what}, got ${shown(value)}`);
}

/** Sets a member whatever its name: an assignment to `__proto__` would do something else. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== '__proto__') target[name] = value;
  else Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
