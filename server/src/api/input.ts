import { parseJson } from '@respark/protocol';
import { Refusal } from './reply.ts';
import type { Shape, StructureShape } from './shape.ts';
import { parseQuery } from './signature/sigv4.ts';
import { parse, RepeatedValue } from './validation.ts';

/** The parts of a request that the members of an operation's input come from. */
export interface InputSources {
  readonly labels: ReadonlyMap<string, string>;
  readonly rawQuery: string;
  readonly body: Uint8Array;
}

type Record = Readonly<{ [name: string]: unknown }>;

/**
 * Returns the validated input of an operation. Unknown query keys and body members are ignored, as in AWS services, and
 * so is the body of an operation that takes none. Throws a `validation` ServiceError that names the faults, or a
 * Refusal when the body is not a JSON object.
 */
export function readInput(shape: StructureShape, { labels, rawQuery, body }: InputSources): Record {
  const queryValues = parseQuery(rawQuery) ?? [];
  const members = Object.entries(shape.members);
  const takesBody = members.some(([, member]) => member.location === undefined);
  const json = takesBody ? parseBody(body) : {};
  const raw = members.map(([name, member]): [string, unknown] => {
    if (member.location === 'uri') return [name, labels.get(name)];
    if (member.location === 'querystring') {
      const values = queryValues.filter(([key]) => key === name).map(([, value]) => value);
      return [name, queryMember(member, values)];
    }
    return [name, Object.hasOwn(json, name) ? json[name] : undefined];
  });
  return parse(shape, Object.fromEntries(raw)) as Record;
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
  throw new Refusal('malformed_body', 'The body must be one JSON object in UTF-8, or empty');
}
