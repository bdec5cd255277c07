import type { Operation } from './operation.ts';
import { WIRE_ERRORS } from './reply.ts';
import type { Shape } from './shape.ts';
import { SERVICE } from './signature/sigv4.ts';

interface Reference {
  readonly shape: string;
}

type Definition = { readonly type: string; readonly [fact: string]: unknown };

/** A service in the form that botocore, and so the AWS CLI, reads. The bytes of every call follow from it. */
interface ServiceModel {
  readonly version: '2.0';
  readonly metadata: Readonly<Record<string, string>>;
  readonly operations: Readonly<Record<string, object>>;
  readonly shapes: Readonly<Record<string, Definition>>;
}

export function createServiceModel(operations: readonly Operation[]): ServiceModel {
  const shapes = createShapeTable();
  const errors = Object.values(WIRE_ERRORS).map(({ name, status }): [string, Definition] => [
    name,
    {
      type: 'structure',
      members: { Message: shapes.refer({ type: 'string' }, { name: 'Message', owner: '' }) },
      error: { httpStatusCode: status, ...(status < 500 && { senderFault: true }) },
      exception: true,
      ...(status >= 500 && { fault: true }),
    },
  ]);
  const rows = operations.map((row): [string, object] => [
    row.name,
    {
      name: row.name,
      http: { method: row.http.method, requestUri: row.http.path, responseCode: 200 },
      input: shapes.refer(row.input, { name: `${row.name}Request`, owner: '' }),
      output: shapes.refer(row.output, { name: `${row.name}Response`, owner: '' }),
      errors: row.errors.map((code) => ({ shape: WIRE_ERRORS[code].name })),
      ...(row.isIdempotent && { idempotent: true }),
      ...(row.decisions && { documentation: documentationOf(row.decisions) }),
    },
  ]);
  return {
    version: '2.0',
    metadata: {
      apiVersion: API_VERSION,
      endpointPrefix: SERVICE,
      jsonVersion: '1.1',
      protocol: 'rest-json',
      serviceFullName: 'GameSparks',
      serviceId: 'GameSparks',
      signatureVersion: 'v4',
      signingName: SERVICE,
      uid: `${SERVICE}-${API_VERSION}`,
    },
    operations: sorted(rows),
    shapes: sorted([...errors, ...shapes.entries()]),
  };
}

export const API_VERSION = '2021-08-17';

/**
 * Gives every shape a name, which the model needs and the table of operations lacks. The name is that of the member,
 * after the name of its owner where a different shape already has the name. Shapes that are equal become one.
 */
function createShapeTable() {
  const texts = new Map<string, string>();

  function refer(shape: Shape, { name, owner }: { name: string; owner: string }): Reference {
    const text = JSON.stringify(definitionOf(shape, capitalized(name)));
    for (const candidate of namesOf(capitalized(name), owner)) {
      const known = texts.get(candidate);
      if (known === undefined) texts.set(candidate, text);
      if (known === undefined || known === text) return { shape: candidate };
    }
    throw new Error(`no name is left for a shape called ${name}`);
  }

  function definitionOf(shape: Shape, owner: string): Definition {
    const inner = (part: Shape, name: string) => refer(part, { name, owner });
    switch (shape.type) {
      case 'structure': {
        const members = Object.entries(shape.members).map(([name, member]) => {
          const place = member.location && { location: member.location, locationName: name };
          return [name, { ...inner(member, name), ...place }];
        });
        const required = shape.required.length === 0 ? {} : { required: shape.required };
        return { type: 'structure', ...required, members: Object.fromEntries(members) };
      }
      case 'list':
        return { ...limitsOf(shape), type: 'list', member: inner(shape.member, `${owner}Member`) };
      case 'map': {
        const key = inner(shape.key, `${owner}Key`);
        return { ...limitsOf(shape), type: 'map', key, value: inner(shape.value, `${owner}Value`) };
      }
      case 'document':
        return { type: 'structure', members: {}, document: true };
      case 'timestamp':
        return { type: 'timestamp', timestampFormat: 'iso8601' };
      default: {
        const { location: _, ...facts } = shape;
        return facts;
      }
    }
  }

  return {
    refer,
    entries: () => [...texts].map(([name, text]): [string, Definition] => [name, JSON.parse(text)]),
  };
}

/** HTML, as in botocore's models. Text between backticks becomes code. */
function documentationOf(decisions: readonly string[]): string {
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const html = (text: string) => escaped(text).replace(/`([^`]*)`/g, '<code>$1</code>');
  return decisions.map((decision) => `<p>${html(decision)}</p>`).join('');
}

function* namesOf(name: string, owner: string): Generator<string> {
  yield name;
  yield `${owner}${name}`;
  for (let number = 2; number < 100; number += 1) yield `${owner}${name}${number}`;
}

function limitsOf({ min, max }: { min?: number; max?: number }): object {
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function sorted<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
}
