import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  AccessDeniedException,
  ConflictException,
  DisconnectPlayerCommand,
  InternalServerException,
  ListGamesCommand,
  ResourceNotFoundException,
  ServiceQuotaExceededException,
  ThrottlingException,
  UpdateGameCommand,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import type { Operation } from '../../src/api/operation.ts';
import { WIRE_ERRORS } from '../../src/api/reply.ts';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { alterDatabase, createKey } from './administration.ts';
import { AwsCliError } from './aws-cli.ts';
import type { AwsClient, OperationName } from './aws-clients.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from './server.ts';

type WireError = (typeof WIRE_ERRORS)[keyof typeof WIRE_ERRORS];
type ErrorName = WireError['name'];

const SDK_ERRORS = {
  AccessDeniedException,
  ConflictException,
  InternalServerException,
  ResourceNotFoundException,
  ServiceQuotaExceededException,
  ThrottlingException,
  ValidationException,
} as const satisfies Record<ErrorName, unknown>;

/** A server on which a correct call fails, and what to call it with. */
interface Circumstance {
  readonly server: TestServer;
  readonly credentials?: AccessKeyPair;
  /** Replaces the input in the table, which cannot know what exists only on this server. */
  readonly input?: object;
}

type Open = (t: TestContext) => Promise<Circumstance>;

/** What causes an error: another input, a circumstance, or nothing, with the reason why nothing does. */
type Trigger =
  | { readonly input: object; readonly circumstance?: never }
  | { readonly circumstance: Open; readonly input?: never }
  | { readonly none: string };

/** Operation → a correct input, and what causes each error that the operation models. */
export type ErrorTable = {
  readonly [Name in OperationName]?: {
    readonly input: object;
    readonly errors: { readonly [Name in ErrorName]?: Trigger };
  };
};

/** What any operation may answer, whatever its input. */
export const COMMON_TRIGGERS = {
  AccessDeniedException: { circumstance: withAKeyForNothing },
  ThrottlingException: { circumstance: withASpentRate },
  InternalServerException: { circumstance: withABrokenStore },
} as const satisfies { readonly [Name in ErrorName]?: Trigger };

async function withAKeyForNothing(t: TestContext): Promise<Circumstance> {
  const server = await startTestServer(t);
  const statement = { Effect: 'Allow', Action: 'gamesparks:InvokeBackend', Resource: '*' };
  return { server, credentials: await createKey(server, [statement]) };
}

/** The rates are so low that no further call is allowed within the test. */
async function withASpentRate(t: TestContext): Promise<Circumstance> {
  const perSecond = 0.001;
  const server = await startTestServer(t, {
    settings: {
      ...{ readCallsPerSecond: perSecond, readCallsBurst: 1 },
      ...{ writeCallsPerSecond: perSecond, writeCallsBurst: 1 },
      ...{ disconnectCallsPerSecond: perSecond, disconnectCallsBurst: 1 },
    },
  });
  const client = server.sdk();
  await client.send(new ListGamesCommand({}));
  await client.send(new UpdateGameCommand({ GameName: GAME }));
  await client.send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: 'nobody' }));
  return { server };
}

async function withABrokenStore(t: TestContext): Promise<Circumstance> {
  const server = await startTestServer(t);
  alterDatabase(server, 'ALTER TABLE games RENAME TO games_out_of_reach');
  return { server };
}

/** Fails unless `table` says what causes each error of each operation, or why nothing does. */
export function assertNoErrorIsForgotten(table: ErrorTable, operations: readonly Operation[]): void {
  const modelled = operations.map(({ name, errors }) => [name, errors.map((code) => WIRE_ERRORS[code].name).sort()]);
  const inTable = Object.entries(table).map(([name, { errors }]) => [name, Object.keys(errors).sort()]);
  assert.deepEqual(Object.fromEntries(inTable), Object.fromEntries(modelled));
}

/**
 * Has `client` cause every error of the table that has a trigger, each in a test of its own. A slow client causes each
 * error with one operation only.
 */
export async function causeEveryError(t: TestContext, client: AwsClient, table: ErrorTable): Promise<void> {
  const circumstances = new Map<Open, Promise<Circumstance>>();
  const once = (open: Open) => {
    const opened = circumstances.get(open) ?? open(t);
    circumstances.set(open, opened);
    return opened;
  };
  const cases = casesOf(table);
  const tests = (client.isSlow ? eachErrorOnce(cases) : cases).map(({ operation, error, input, open }) =>
    t.test(`${operation} answers ${error}`, async () => {
      const { server, credentials = ROOT, input: inputThere = input } = await once(open);
      const call = client.open(server, { credentials });
      await assert.rejects(call(operation, inputThere as never), (thrown) => isTheError(thrown, operation, error));
    }),
  );
  await Promise.all(tests);
}

interface Case {
  readonly operation: OperationName;
  readonly error: ErrorName;
  readonly input: object;
  readonly open: Open;
}

function casesOf(table: ErrorTable): Case[] {
  return Object.entries(table).flatMap(([operation, { input, errors }]) =>
    Object.entries(errors).flatMap(([error, trigger]) => {
      if ('none' in trigger) return [];
      const { input: wrong = input, circumstance: open = openOrdinary } = trigger;
      return { operation: operation as OperationName, error: error as ErrorName, input: wrong, open };
    }),
  );
}

/** One case for each error, from operations that are spread over the table. */
function eachErrorOnce(cases: readonly Case[]): Case[] {
  const errors = [...new Set(cases.map(({ error }) => error))];
  return errors.map((wanted, turn) => {
    const possible = cases.filter(({ error }) => error === wanted);
    return possible[Math.floor((turn * possible.length) / errors.length)] as Case;
  });
}

/** The rates have room for the calls of a whole table at once. */
async function openOrdinary(t: TestContext): Promise<Circumstance> {
  return { server: await startTestServer(t, { settings: { readCallsBurst: 1_000, writeCallsBurst: 1_000 } }) };
}

function isTheError(thrown: unknown, operation: string, name: ErrorName): true {
  if (thrown instanceof AwsCliError) {
    assert.equal(thrown.name, name, thrown.stderr);
    assert.match(thrown.message, new RegExp(`^${operation}: \\S.*`));
    return true;
  }
  assert(thrown instanceof SDK_ERRORS[name], `${thrown} must be the SDK's own ${name}`);
  const status = Object.values<WireError>(WIRE_ERRORS).find((error) => error.name === name)?.status;
  assert.equal(thrown.$metadata.httpStatusCode, status);
  assert.equal(thrown.$fault, name === 'InternalServerException' ? 'server' : 'client');
  assert.match(thrown.$metadata.requestId ?? '', /^[0-9a-f-]{36}$/);
  assert.match(thrown.message, /\S/);
  if (name === 'ThrottlingException') assert.match(thrown.$response?.headers['retry-after'] ?? '', /^\d+$/);
  return true;
}
