import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import type { Outside, Parameters } from '../domain/runtime/outside.ts';
import type { WarnRarely } from '../rare-warnings.ts';
import { shown } from '../text.ts';
import { createAllowList, notAllowed } from './allow-list.ts';
import { type AwsService, boundReply, clientSettings, faultOfAws } from './aws.ts';
import { loadAwsPackage } from './aws-package.ts';
import { nextTurn } from './next-turn.ts';
import { badArgument, isObject, isText, type OptionRow, type OptionRows, readOptions } from './parameters.ts';

const NEEDED = {
  setting: 'RESPARK_DYNAMODB_TABLES',
  packages: '@aws-sdk/client-dynamodb @aws-sdk/lib-dynamodb',
};

export interface DynamoDbSettings {
  readonly region: string;
  readonly dynamodbEndpoint: string | undefined;
  /** Names, perhaps with wildcards. */
  readonly dynamodbTables: readonly string[];
  readonly outsideMaxResponseBytes: number;
}

type Call = (parameters: Parameters, signal: AbortSignal) => Promise<unknown>;

/**
 * The calls of `DynamoDB()`. Items, keys and values are plain JSON, without the wrappers of DynamoDB's own API:
 *
 * - A number comes out as a number, the nearest that JavaScript has if it has more digits.
 * - A set comes out as an array, binary data as text in base64. Scripts cannot write either: an array becomes a list, text
 *   stays text.
 * - null is DynamoDB's NULL. Text may be empty, but not that of a key.
 *
 * Options have the names and the meaning that DynamoDB gives them. An answer has only the members named below, and one of
 * them only if DynamoDB sends it: `Item` is absent when there is no such item.
 */
export interface DynamoDb extends Record<DynamoDbCall, Call> {
  /** `GetItem(table, key, options?)` → `{ Item? }` */
  readonly getItem: Call;
  /** `PutItem(table, item, options?)` → `{ Attributes? }` */
  readonly putItem: Call;
  /** `UpdateItem(table, key, options)` → `{ Attributes? }` */
  readonly updateItem: Call;
  /** `DeleteItem(table, key, options?)` → `{ Attributes? }` */
  readonly deleteItem: Call;
  /** `Query(table, options)` → `{ Items, Count, ScannedCount, LastEvaluatedKey? }` */
  readonly query: Call;
  /** Loads the AWS SDK, if the settings let any table be used. */
  warmUp(): Promise<void>;
  close(): Promise<void>;
}

type DynamoDbCall = Exclude<keyof Outside, 'invokeLambda' | 'fetch'>;

interface Sdk {
  readonly client: DynamoDBDocumentClient;
  readonly commands: typeof import('@aws-sdk/lib-dynamodb');
  readonly close: () => void;
}

const DYNAMO_DB: AwsService = {
  title: 'DynamoDB',
  hasOwnCodes: true,
  plainErrors: new Set([
    ...['ConditionalCheckFailedException', 'ItemCollectionSizeLimitExceededException', 'ResourceNotFoundException'],
    ...['SerializationException', 'TransactionConflictException', 'ValidationException'],
  ]),
};

const TABLE = /^[\w.-]{1,255}$/;

/** As many as DynamoDB allows. */
const MAX_LEVELS = 32;

const TEXT: OptionRow = { rule: 'text', read: (value) => (isText(value) ? value : undefined) };
const FLAG: OptionRow = { rule: 'true or false', read: (value) => (typeof value === 'boolean' ? value : undefined) };
const COUNT: OptionRow = {
  rule: 'a whole number from 1',
  read: (value) => (Number.isSafeInteger(value) && (value as number) > 0 ? value : undefined),
};
const NAMES: OptionRow = {
  rule: 'an object with the name of an attribute for each placeholder, such as {"#name": "name"}',
  read: (value) => (isObject(value) && Object.values(value).every(isText) ? value : undefined),
};
const VALUES: OptionRow = {
  rule: 'an object with a value for each placeholder, such as {":limit": 5}',
  read: (value) => (isObject(value) ? attributesOf(value, 'the values') : undefined),
};
const KEY: OptionRow = {
  rule: 'a LastEvaluatedKey, as another Query has answered it',
  read: (value) => (isObject(value) ? attributesOf(value, 'the key') : undefined),
};

const NAMES_AND_VALUES = { ExpressionAttributeNames: NAMES, ExpressionAttributeValues: VALUES };
const READ_OPTIONS = { ConsistentRead: FLAG, ProjectionExpression: TEXT, ExpressionAttributeNames: NAMES };
const WRITE_OPTIONS = { ConditionExpression: TEXT, ReturnValues: TEXT, ...NAMES_AND_VALUES };

/** What each call takes. Everything else that DynamoDB knows is refused, such as what makes it answer with its costs. */
const OPTIONS = {
  GetItem: READ_OPTIONS,
  PutItem: WRITE_OPTIONS,
  UpdateItem: { UpdateExpression: TEXT, ...WRITE_OPTIONS },
  DeleteItem: WRITE_OPTIONS,
  Query: {
    ...{ KeyConditionExpression: TEXT, FilterExpression: TEXT, IndexName: TEXT, Limit: COUNT },
    ...{ ScanIndexForward: FLAG, ExclusiveStartKey: KEY, ...READ_OPTIONS, ...NAMES_AND_VALUES },
  },
} satisfies Readonly<Record<string, OptionRows>>;

const NEEDS_OPTIONS: ReadonlySet<keyof typeof OPTIONS> = new Set(['UpdateItem', 'Query']);

export function createDynamoDb({ settings, warn }: { settings: DynamoDbSettings; warn: WarnRarely }): DynamoDb {
  const isListed = createAllowList(settings.dynamodbTables);
  let sdk: Promise<Sdk> | undefined;

  function loadSdk(): Promise<Sdk> {
    sdk ??= openSdk(settings);
    return sdk;
  }

  function inputOf(call: keyof typeof OPTIONS, table: unknown, options: unknown) {
    if (typeof table !== 'string' || !TABLE.test(table)) {
      throw badArgument(`the name of a table must be letters, digits, "_", "." and "-", got ${shown(table)}`);
    }
    if (!isListed(table)) throw notAllowed(`table ${shown(table)}`, table, 'RESPARK_DYNAMODB_TABLES');
    if (NEEDS_OPTIONS.has(call) && !isObject(options)) {
      throw badArgument(`${call} needs an object of options, with the expressions of DynamoDB, got ${shown(options)}`);
    }
    return { ...readOptions(options, OPTIONS[call], call), TableName: table };
  }

  async function send<Output>(run: (sdk: Sdk) => Promise<Output>): Promise<Output> {
    const loaded = await loadSdk();
    try {
      return await afterTurn(run(loaded));
    } catch (error) {
      throw faultOfAws(error, DYNAMO_DB, warn);
    }
  }

  return {
    async getItem([table, key, options], abortSignal) {
      const input = { ...inputOf('GetItem', table, options), Key: attributesOf(key, 'the key of GetItem') };
      const { Item } = await send(({ client, commands }) =>
        client.send(new commands.GetCommand(input), { abortSignal }),
      );
      return plainOf({ Item });
    },

    async putItem([table, item, options], abortSignal) {
      const input = { ...inputOf('PutItem', table, options), Item: attributesOf(item, 'the item of PutItem') };
      const { Attributes } = await send(({ client, commands }) =>
        client.send(new commands.PutCommand(input), { abortSignal }),
      );
      return plainOf({ Attributes });
    },

    async updateItem([table, key, options], abortSignal) {
      const input = { ...inputOf('UpdateItem', table, options), Key: attributesOf(key, 'the key of UpdateItem') };
      const { Attributes } = await send(({ client, commands }) =>
        client.send(new commands.UpdateCommand(input), { abortSignal }),
      );
      return plainOf({ Attributes });
    },

    async deleteItem([table, key, options], abortSignal) {
      const input = { ...inputOf('DeleteItem', table, options), Key: attributesOf(key, 'the key of DeleteItem') };
      const { Attributes } = await send(({ client, commands }) =>
        client.send(new commands.DeleteCommand(input), { abortSignal }),
      );
      return plainOf({ Attributes });
    },

    async query([table, options], abortSignal) {
      const input = inputOf('Query', table, options);
      const { Items, Count, ScannedCount, LastEvaluatedKey } = await send(({ client, commands }) =>
        client.send(new commands.QueryCommand(input), { abortSignal }),
      );
      return plainOf({ Items, Count, ScannedCount, LastEvaluatedKey });
    },

    async warmUp() {
      if (settings.dynamodbTables.length > 0) await loadSdk();
    },

    async close() {
      (await sdk)?.close();
    },
  };
}

async function openSdk({
  region,
  dynamodbEndpoint,
  outsideMaxResponseBytes: maxBytes,
}: DynamoDbSettings): Promise<Sdk> {
  const { DynamoDBClient } = await loadAwsPackage(() => import('@aws-sdk/client-dynamodb'), NEEDED);
  const commands = await loadAwsPackage(() => import('@aws-sdk/lib-dynamodb'), NEEDED);
  const plainClient = new DynamoDBClient(clientSettings({ endpoint: dynamodbEndpoint, region }));
  plainClient.middlewareStack.add((next) => async (args) => boundReply(await next(args), maxBytes, DYNAMO_DB.title), {
    name: 'boundReply',
    step: 'deserialize',
    priority: 'low',
  });
  // To read an answer with thousands of attributes takes ten milliseconds, and so does to make plain values of it.
  plainClient.middlewareStack.addRelativeTo(afterReading, {
    name: 'afterReading',
    relation: 'after',
    toMiddleware: 'DocumentUnmarshall',
  });
  const client = commands.DynamoDBDocumentClient.from(plainClient, {
    // The numbers of scripts are JavaScript's: none of them loses anything here that it had.
    marshallOptions: { allowImpreciseNumbers: true },
    unmarshallOptions: { wrapNumbers: Number },
  });
  return { client, commands, close: () => plainClient.destroy() };
}

function afterReading<Request, Reply>(
  next: (request: Request) => Promise<Reply>,
): (request: Request) => Promise<Reply> {
  return async (request) => await afterTurn(next(request));
}

async function afterTurn<T>(work: Promise<T>): Promise<T> {
  const result = await work;
  await nextTurn();
  return result;
}

function attributesOf(value: unknown, what: string): Record<string, unknown> {
  if (!isObject(value)) throw badArgument(`${what} must be an object, got ${shown(value)}`);
  return Object.fromEntries(entriesOf(value, what, MAX_LEVELS));
}

/**
 * What stands for a value on its way to the SDK: a map for an object, because the SDK tells objects by the name of their
 * `constructor`, which may be a member that the script has set.
 */
function marshalled(value: unknown, what: string, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) throw badArgument(`${what} must not nest deeper than the ${MAX_LEVELS} levels of DynamoDB`);
  if (Array.isArray(value)) return value.map((item) => marshalled(item, what, levels - 1));
  return new Map(entriesOf(value, what, levels));
}

function entriesOf(value: object, what: string, levels: number): [name: string, value: unknown][] {
  return Object.entries(value).map(([name, inner]) => {
    // The SDK would lose it.
    if (name === '__proto__') throw badArgument(`${what} must not have an attribute "__proto__"`);
    return [name, marshalled(inner, what, levels - 1)];
  });
}

/** What comes out of the SDK, as JSON has it, without the members that are not there. Changes what has come out. */
function plainOf(output: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const there = Object.entries(output).filter(([, value]) => value !== undefined);
  return Object.fromEntries(there.map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Set) return [...value].map(plain);
  const members = value as Record<string, unknown>;
  for (const name of Object.keys(members)) {
    const inner = members[name];
    // Most are plain already. To make another object of thousands of members takes milliseconds.
    if (typeof inner === 'object' && inner !== null) members[name] = plain(inner);
  }
  return value;
}
