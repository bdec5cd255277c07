import type { TestContext } from 'node:test';
import { ACTIONS, EVERY_OPERATION } from '../../src/api/every-operation.ts';
import type { Operation, Services } from '../../src/api/operation.ts';
import { createPipeline } from '../../src/api/pipeline.ts';
import { createRenewal, createSignatureAuthentication } from '../../src/api/signature/authenticate.ts';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { DirectoryEntry } from '../../src/cluster/cluster.ts';
import type { Credential } from '../../src/domain/access/access.ts';
import { ALLOW_ALL, parsePolicy } from '../../src/domain/access/policy.ts';
import { createRefusals } from '../../src/domain/access/refusals.ts';
import { createArns } from '../../src/domain/arn.ts';
import { createAudit } from '../../src/domain/audit/audit.ts';
import { createAuditChains } from '../../src/domain/audit/chains.ts';
import { BodyError, collectHeaders } from '../../src/http/exchange.ts';
import type { Metrics } from '../../src/metrics.ts';
import { openSqliteAuditLog } from '../../src/store/audit/sqlite.ts';
import { temporaryDirectory } from '../../src/store/test-store.ts';
import { openDomain, recordedLog } from './domain.ts';
import { ManualClock } from './manual-clock.ts';
import { NO_METRICS } from './metrics.ts';

export const ADDRESS = '192.0.2.7';
const HOST = 'localhost:8080';

const SETTINGS = {
  maxBodyBytes: 65_536,
  longBodyBytesPerSecondPerAddress: 1_000_000_000,
  longBodyBytesBurstPerAddress: 1_000_000_000,
  maxClockSkewMs: 300_000,
  authFailuresPerMinutePerAddress: 60,
  publicUrl: undefined as string | undefined,
  region: 'us-east-1',
  signedHosts: [] as string[],
  signedRegions: [] as string[],
  readCallsPerSecond: 100,
  readCallsBurst: 10_000,
  writeCallsPerSecond: 20,
  writeCallsBurst: 10_000,
  disconnectCallsPerSecond: 500,
  disconnectCallsBurst: 10_000,
  replyBytesPerSecond: 1_000_000,
  replyBytesBurst: 100_000_000,
};

const INFO = {
  ...{ version: '0.1.0', apiVersion: '2021-08-17', node: 'the-node', features: ['audit-records'] },
  playerUrl: undefined,
};

export interface CallOptions {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** Sent as it is when it is text or bytes, otherwise as JSON. */
  readonly body?: unknown;
  /** The body that arrives, when it is not the one that was signed. */
  readonly sentBody?: string;
  /** Called while the body is read. */
  readonly whileRead?: () => void;
  /** The error with which reading the body fails. */
  readonly bodyFailure?: Error;
  readonly address?: string | undefined;
  readonly isSecure?: boolean;
  readonly signedAtMs?: number;
  /** The path that arrives, when a proxy has changed the one that was signed. */
  readonly sentPath?: string;
  /** Added after signing; undefined removes a header. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The name of an error, as a client reads it. */
  readonly error: string | undefined;
  readonly message: string | undefined;
  readonly json: { readonly [member: string]: unknown };
  readonly isBodyRead: boolean;
}

/** Services that a test must bring itself if it calls them. */
const UNAVAILABLE = {
  configurations: unavailable(),
  snapshots: unavailable(),
  deployments: unavailable(),
  generatedCodeJobs: unavailable(),
  extensions: unavailable(),
} as const satisfies Partial<Services>;

function unavailable(): never {
  const get = (_: object, name: string | symbol) => () => {
    throw new Error(`nothing here has ${String(name)}`);
  };
  return new Proxy({}, { get }) as never;
}

/** The pipeline over a real store, without sockets. The key `root` may do everything; `secret` is every key's secret. */
export async function openApi(
  t: TestContext,
  {
    settings = {},
    operations = EVERY_OPERATION,
    services = {},
    metrics = NO_METRICS,
  }: {
    settings?: Partial<typeof SETTINGS>;
    operations?: readonly Operation[];
    services?: Partial<Services>;
    metrics?: Metrics;
  } = {},
) {
  const clock = new ManualClock();
  const recorded = recordedLog();
  const { log } = recorded;
  const auditLog = openSqliteAuditLog({ directory: temporaryDirectory(t), clock, log });
  t.after(() => auditLog.close());
  const audit = createAudit({ auditLog, clock, log, metrics, settings: { auditRetentionDays: 90 } });
  const refusals = createRefusals({ audit, clock, log });
  const domain = await openDomain(t, { maxGames: 5, maxStages: 3, audit, auditLog, clock, recorded });
  const credentials = new Map<string, Credential>();
  const addKey = (accessKeyId: string, policy?: object) =>
    credentials.set(accessKeyId, {
      accessKeyId,
      secretAccessKey: 'secret',
      policies: [policy === undefined ? ALLOW_ALL : parsePolicy(JSON.stringify(policy), ACTIONS)],
    });
  addKey('root');

  const connected: DirectoryEntry[] = [];
  const players: Services['players'] = {
    createToken: () => Promise.reject(new Error('no test asks for tokens')),
    async connections({ gameName, stageName }) {
      await domain.stages.get(gameName, stageName);
      return connected;
    },
    disconnect: ({ gameName, stageName, playerId }, change) =>
      audit.around(
        { ...change, playerId },
        async () => {
          await domain.stages.get(gameName, stageName);
          return { successes: connected.splice(0).map(({ connectionId }) => connectionId), failures: [] };
        },
        (result) => result,
      ),
  };

  const arns = createArns({ region: 'us-east-1', accountId: '123456789012' });
  const { games, stages, stageIdentities, online, keptData, blocks, disconnectJobs, stageAccess } = domain;
  const { notifications, rehearsals, eventRecords, webhooks } = domain;
  const { accessKeys, resourceTags, auditRecords, stageLogLines, clusterActivity, clusterNodes } = domain;

  const pipeline = createPipeline({
    operations,
    services: {
      ...UNAVAILABLE,
      accessKeys,
      games,
      stages,
      stageIdentities,
      players,
      online,
      keptData,
      blocks,
      disconnectJobs,
      stageAccess,
      notifications,
      rehearsals,
      resourceTags,
      auditRecords,
      auditChains: createAuditChains({ reader: auditLog.chain, clock }),
      receipts: unavailable(),
      stageLogLines,
      clusterActivity,
      clusterNodes,
      eventRecords,
      webhooks,
      serverInfo: () => INFO,
      ...services,
    },
    authenticate: createSignatureAuthentication({
      findCredential: async (accessKeyId) => credentials.get(accessKeyId),
      ...{ arns, clock, metrics, refusals, settings: { ...SETTINGS, ...settings } },
    }),
    renew: createRenewal({ findCredential: (accessKeyId) => credentials.get(accessKeyId) }),
    isDraining: () => false,
    urlFor: ({ host, isSecure }, relative) => `${isSecure ? 'https' : 'http'}://${host}${relative}`,
    refusals,
    arns,
    longWork: domain.longWork,
    metrics,
    clock: domain.clock,
    random: domain.random,
    log,
    settings: { ...SETTINGS, ...settings },
  });

  async function call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const body = bytesOf(options.body);
    const { sentPath = path } = options;
    const url = new URL(`http://${HOST}${path}`);
    const { accessKeyId = 'root', secretAccessKey = 'secret', signedAtMs = domain.clock.now() } = options;
    const signature = signRequest({
      ...{ method, url, body, accessKeyId, secretAccessKey, region: 'eu-central-1', nowMs: signedAtMs },
    });
    const headers = Object.entries({ host: HOST, ...signature, ...options.headers }).filter(
      (header): header is [string, string] => header[1] !== undefined,
    );
    let isBodyRead = false;
    const reply = await pipeline({
      method,
      rawPath: sentPath.split('?')[0] ?? '',
      rawQuery: sentPath.split('?')[1] ?? '',
      headers: collectHeaders(headers.flat()),
      remoteAddress: 'address' in options ? options.address : ADDRESS,
      peerAddress: options.address ?? ADDRESS,
      isSecure: options.isSecure ?? false,
      mayBeProxied: false,
      callerIsKnown() {},
      isForwarded: false,
      async readBody(maxBytes, onPart) {
        isBodyRead = true;
        options.whileRead?.();
        if (options.bodyFailure !== undefined) throw options.bodyFailure;
        const sent = options.sentBody === undefined ? body : Buffer.from(options.sentBody);
        if (sent.length > maxBytes) throw new BodyError('too_large', `at most ${maxBytes} bytes`);
        if (sent.length > 0) onPart?.(sent);
        return sent;
      },
    });
    const json = JSON.parse(String(reply.body));
    const error = reply.headers['x-amzn-errortype'];
    return { status: reply.status, headers: reply.headers, error, message: json.Message, json, isBodyRead };
  }

  return { ...domain, pipeline, auditLog, audit, call, addKey, credentials, connected };
}

function bytesOf(body: unknown): Uint8Array {
  if (body === undefined) return new Uint8Array();
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}
