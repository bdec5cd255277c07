import assert from 'node:assert/strict';
import type { Operation } from '../../src/api/operation.ts';
import type { Shape } from '../../src/api/shape.ts';
import { assertNever } from '../../src/errors.ts';
import { ROLE } from './domain.ts';

/** A valid value for each member that an operation may take, wherever it is. */
const VALID: Record<string, unknown> = {
  GameName: 'Demo',
  StageName: 'Dev',
  PlayerId: 'p1',
  Description: 'words',
  ClientToken: 'c'.repeat(40),
  Role: ROLE,
  Tags: { team: 'a' },
  MaxResults: '10',
  NextToken: 'token',
  Sections: ['GameSparks.Core.Model'],
  Modifications: [{ Section: 'GameSparks.Core.Model', Operation: 'REMOVE', Path: '/Shape' }],
  ImportSource: { File: Buffer.from('{"Document":{"Type":"Game","Sections":{}}}').toString('base64') },
  SnapshotId: 'Snapshot_2026-01-02T03:04:05.000000Z',
  DeploymentId: 'deployment',
  Generator: {},
  JobId: '01234567-89ab-cdef-0123-456789abcdef',
  Namespace: 'GameSparks',
  Name: 'Core',
  ExtensionVersion: '1.0.0',
  ResourceArn: 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo',
  tags: { team: 'a' },
  tagKeys: ['team'],
  Actor: 'root',
  Operation: 'CreateGame',
  Order: 'NEWEST_FIRST',
  Since: '2026-01-02T03:04:05Z',
  Until: '2026-01-02T03:04:06Z',
  AllowGuests: false,
  LifetimeSeconds: 3_600,
  Providers: [
    {
      ...{
        Issuer: 'https://login.example',
        JwksUrl: 'https://login.example/jwks',
        Audiences: ['game'],
        Algorithms: ['RS256'],
      },
      ...{ ClockSkewSeconds: 5, PlayerIdClaim: 'sub', PlayerIdForm: 'PLAIN', PlayerIdPrefix: 'a', Claims: ['role'] },
    },
  ],
  SessionSeconds: 3_600,
  Token: 'token',
  Url: 'https://hooks.example/respark',
  EventTypes: ['connection.closed'],
  Stages: ['Dev'],
  WebhookId: '01939b5e-7a70-7c3a-8a1b-0123456789ab',
  IsEnabled: true,
  RotateSecret: false,
  Types: 'connection.closed',
  Type: 'Custom.Game.Starts',
  DryRun: true,
  Selector: { PlayerIds: ['p1'] },
  End: 'DRAINING',
  WindowSeconds: 30,
  AccessKeyId: 'AKIAEXAMPLE',
  Action: 'gamesparks:GetGame',
  SourceAddress: '192.0.2.7',
};

/** Where a member of the same name is something else, or would make a change that not every key may make. */
const OF_OPERATION: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  CreateAccessKey: { Role: undefined },
};

interface Violation {
  readonly value: unknown;
  readonly at: string;
  readonly constraint: string;
}

/**
 * Breaks each constraint of each member in a call of its own; fails unless the answer is a 400 that names the member.
 */
export async function assertConstraintsAreKept(
  operations: readonly Operation[],
  call: (
    method: string,
    path: string,
    options: { body?: unknown },
  ) => Promise<{ status: number; error: string | undefined; message: string | undefined }>,
): Promise<void> {
  for (const operation of operations) {
    for (const { member, value, at, constraint } of violationsOf(operation)) {
      const what = `${operation.name} ${at}: ${constraint}`;
      const { method, path, body } = requestOf(operation, member, value);
      const { status, error, message = '' } = await call(method, path, { body });
      assert.deepEqual([status, error], [400, 'ValidationException'], what);
      assert.ok(message.includes(`at '${at}' failed to satisfy constraint: `), `${what}: ${message}`);
      assert.ok(message.includes(constraint), `${what}: ${message}`);
    }
  }
}

/** Each way to break one constraint of one member of an operation's input. */
export function* violationsOf({ input }: Operation): Generator<Violation & { member: string }> {
  for (const [member, shape] of Object.entries(input.members)) {
    const at = member.charAt(0).toLowerCase() + member.slice(1);
    if (input.required.includes(member) && shape.location !== 'uri') {
      yield { member, value: undefined, at, constraint: 'Member must not be null' };
      yield { member, value: null, at, constraint: 'Member must not be null' };
    }
    if (shape.location === 'querystring' && shape.type !== 'list') {
      yield { member, value: ['1', '2'], at, constraint: 'Member must be given only once' };
    }
    for (const violation of violationsOfShape(shape, at, VALID[member])) yield { member, ...violation };
  }
}

/** Each violation breaks one thing in `valid`, a value that breaks nothing. */
function* violationsOfShape(shape: Shape, at: string, valid: unknown): Generator<Violation> {
  const inBody = shape.location === undefined;
  switch (shape.type) {
    case 'document':
      return;
    case 'blob':
      yield { value: 5, at, constraint: 'Member must be base64 text' };
      yield { value: `${valid}=`, at, constraint: 'Member must be base64 text' };
      for (const [value, constraint] of wrongLengths(shape, (length) => Buffer.alloc(length).toString('base64'))) {
        yield { value, at, constraint };
      }
      return;
    case 'list': {
      // In the query a single value is a list of one.
      if (inBody) yield { value: {}, at, constraint: 'Member must be a list' };
      const [item] = valid as readonly unknown[];
      for (const [value, constraint] of wrongLengths(shape, (length) => Array.from({ length }, () => item))) {
        if (inBody || value.length > 0) yield { value, at, constraint };
      }
      for (const inner of violationsOfShape(shape.member, `${at}.1.member`, item)) {
        if (inBody || typeof inner.value === 'string') yield { ...inner, value: [inner.value] };
      }
      if (inBody) yield { value: [null], at: `${at}.1.member`, constraint: 'Member must not be null' };
      return;
    }
    case 'structure':
      yield { value: [], at, constraint: 'Member must be a structure' };
      yield* violationsOfStructure(shape, at, valid as object);
      return;
    case 'string':
      if (inBody) yield { value: 5, at, constraint: 'Member must be a string' };
      for (const [value, constraint] of wrongTexts(shape)) yield { value, at, constraint };
      return;
    case 'timestamp':
      for (const value of ['yesterday', '2026-01-31', '2026-13-01T00:00:00Z', '1769860800']) {
        yield { value, at, constraint: 'Member must be an ISO 8601 date and time' };
      }
      return;
    case 'boolean':
      for (const value of ['true', 1]) yield { value, at, constraint: 'Member must be true or false' };
      return;
    case 'integer':
      yield { value: 'many', at, constraint: 'Member must be an integer' };
      if (shape.max !== undefined) {
        yield { value: shape.max + 1, at, constraint: `value less than or equal to ${shape.max}` };
      }
      yield { value: (shape.min ?? 0) - 1, at, constraint: `value greater than or equal to ${shape.min}` };
      return;
    case 'map': {
      yield { value: [], at, constraint: 'Member must be a map' };
      const tooMany = Object.fromEntries(
        Array.from({ length: (shape.max ?? 0) + 1 }, (_, index) => [`k${index}`, 'v']),
      );
      yield { value: tooMany, at, constraint: `length less than or equal to ${shape.max}` };
      yield { value: {}, at, constraint: `length greater than or equal to ${shape.min}` };
      for (const [key, constraint] of wrongTexts(shape.key)) yield { value: { [key]: 'v' }, at, constraint };
      for (const { value, constraint } of violationsOfShape(shape.value, at, 'v')) {
        yield { value: { key: value }, at: `${at}.key.member`, constraint };
      }
      yield { value: { key: null }, at: `${at}.key.member`, constraint: 'Member must not be null' };
      return;
    }
    default:
      assertNever(shape);
  }
}

function* violationsOfStructure(
  { members, required }: Shape & { type: 'structure' },
  at: string,
  valid: object,
): Generator<Violation> {
  for (const [name, member] of Object.entries(members)) {
    const memberAt = `${at}.${name.charAt(0).toLowerCase()}${name.slice(1)}`;
    const validMember = Object.entries(valid).find(([key]) => key === name)?.[1];
    for (const inner of violationsOfShape(member, memberAt, validMember)) {
      yield { ...inner, value: { ...valid, [name]: inner.value } };
    }
    if (required.includes(name)) {
      yield { value: { ...valid, [name]: null }, at: memberAt, constraint: 'Member must not be null' };
    }
  }
}

function* wrongLengths<T>(
  { min = 0, max }: { min?: number; max?: number },
  ofLength: (length: number) => T,
): Generator<[T, string]> {
  if (max !== undefined) yield [ofLength(max + 1), `length less than or equal to ${max}`];
  if (min > 0) yield [ofLength(min - 1), `length greater than or equal to ${min}`];
}

function* wrongTexts({ min = 0, max, pattern, enum: values }: Shape & { type: 'string' }): Generator<[string, string]> {
  if (max !== undefined) yield ['a'.repeat(max + 1), `length less than or equal to ${max}`];
  if (min > 0) yield ['a'.repeat(min - 1), `length greater than or equal to ${min}`];
  if (values !== undefined) yield ['UNKNOWN', 'Member must satisfy enum value set'];
  yield ['a\0b', 'Member must be well-formed Unicode without U+0000'];
  if (pattern === undefined) return;
  const filler = 'a'.repeat(Math.max(0, min - 2));
  for (const wrong of [`${filler}a\u0001`, `${filler} a `, `aws:${filler}`, `${filler}💥💥`, `a\n${filler}b`]) {
    if (!new RegExp(pattern, 'u').test(wrong)) {
      yield [wrong, `Member must satisfy regular expression pattern: ${pattern}`];
    }
  }
}

/** A correct request, except for one member if it is named. */
export function requestOf({ name: operation, http, input }: Operation, wrongMember?: string, wrongValue?: unknown) {
  const valid = { ...VALID, ...OF_OPERATION[operation] };
  const given = (name: string) => (name === wrongMember ? wrongValue : valid[name]);
  const path = http.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(given(name))));
  const query: string[] = [];
  const body: Record<string, unknown> = {};
  for (const [name, { location }] of Object.entries(input.members)) {
    const value = given(name);
    if (location === 'querystring') {
      // For an absent value the key is left out.
      for (const item of [value ?? []].flat()) query.push(`${name}=${encodeURIComponent(String(item))}`);
    }
    if (location === undefined) body[name] = value;
  }
  const suffix = query.length > 0 ? `?${query.join('&')}` : '';
  return { method: http.method, path: `${path}${suffix}`, body: Object.keys(body).length > 0 ? body : undefined };
}
