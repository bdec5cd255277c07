import { parseJson } from '@respark/protocol';
import { LONG, type LongWork } from '../domain/long-work.ts';
import { ServiceError } from '../errors.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import { Refusal } from './reply.ts';
import type { Shape, StructureShape } from './shape.ts';
import { parseQuery } from './signature/sigv4.ts';
import { excerptOf, parse, RepeatedValue } from './validation.ts';

/** A body may have thousands of members that the operation does not know. */
const MAX_SHOWN = 20;

/** The parts of a request that the members of an operation's input come from. */
export interface InputSources {
  readonly labels: ReadonlyMap<string, string>;
  readonly rawQuery: string;
  readonly body: Uint8Array;
}

type Record = Readonly<{ [name: string]: unknown }>;

/** A shape is data, and so are the parts of a request: both can be copied to a thread. */
export const inputJobs = {
  /** Undefined instead of a Refusal, which is nothing that a thread could throw. */
  readInput({ shape, sources }: { shape: StructureShape; sources: InputSources }): Record | undefined {
    try {
      return readInput(shape, sources);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  },
} as const;

export type InputJobs = typeof inputJobs;

/** Reads an input as `readInput` does, and in a thread when its body is long; each caller has one body read at a time. */
export function readLongInput(
  longWork: LongWork<InputJobs>,
  caller: string,
  shape: StructureShape,
  sources: InputSources,
): MaybePromise<Record> {
  const length = readsBody(shape) ? sources.body.length : 0;
  if (length <= LONG) return readInput(shape, sources);
  const reading = longWork.run({ owner: `caller ${caller}`, length }, (jobs) => jobs.readInput({ shape, sources }));
  return reading.then((input) => input ?? malformedBody());
}

/**
 * Returns the validated input of an operation. Unknown query keys are ignored, as in AWS services, and so is the body of an
 * operation that takes none, and an unknown member of a body, unless its shape is exact. Throws a `validation` ServiceError
 * that names the faults, or a Refusal when the body is not a JSON object.
 */
export function readInput(shape: StructureShape, { labels, rawQuery, body }: InputSources): Record {
  const queryValues = parseQuery(rawQuery) ?? [];
  const json = readsBody(shape) ? parseBody(body) : {};
  const raw: { [name: string]: unknown } = {};
  for (const [name, member] of Object.entries(shape.members)) {
    if (member.location === 'uri') raw[name] = labels.get(name);
    else if (member.location === 'querystring') {
      const values = queryValues.filter(([key]) => key === name).map(([, value]) => value);
      raw[name] = queryMember(member, values);
    } else raw[name] = Object.hasOwn(json, name) ? json[name] : undefined;
  }
  const input = parse(shape, raw) as Record;
  const unknown = shape.isExact ? Object.keys(json).filter((name) => !Object.hasOwn(shape.members, name)) : [];
  if (unknown.length > 0) {
    const shown = unknown.slice(0, MAX_SHOWN).map((name) => `'${excerptOf(name)}'`);
    const rest = unknown.length - shown.length;
    const more = rest === 0 ? '' : ` and ${rest} more`;
    throw new ServiceError(
      'validation',
      `The body has members that this server does not know: ${shown.join(', ')}${more}`,
    );
  }
  return input;
}

function queryMember(shape: Shape, values: readonly string[]): unknown {
  if (values.length === 0) return undefined;
  if (shape.type === 'list') return values;
  return values.length === 1 ? values[0] : new RepeatedValue(values);
}

function parseBody(body: Uint8Array): Record {
  if (body.length === 0) return {};
  let json: unknown;
  try {
    json = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    json = undefined; // The parser's own message quotes the body.
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record;
  return malformedBody();
}

function malformedBody(): never {
  throw new Refusal('malformed_body', 'The body must be one JSON object in UTF-8, or empty');
}

/** Also one that takes no member of it, where none may be ignored: a caller who sends `DryRun` wants nothing to be done. */
function readsBody(shape: StructureShape): boolean {
  return shape.isExact || Object.values(shape.members).some(({ location }) => location === undefined);
}
