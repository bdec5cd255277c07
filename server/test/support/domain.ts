import type { TestContext } from 'node:test';
import { ACTIONS } from '../../src/api/every-operation.ts';
import { createServices } from '../../src/app/services.ts';
import { LocalCluster } from '../../src/cluster/local.ts';
import { type Access, createAccess } from '../../src/domain/access/access.ts';
import { createArns } from '../../src/domain/arn.ts';
import type { Audit, Change } from '../../src/domain/audit/audit.ts';
import type { BackgroundWork } from '../../src/domain/background.ts';
import type { Json, Sections } from '../../src/domain/configuration/document.ts';
import type { DeletionsParts } from '../../src/domain/deletions.ts';
import type { Examine } from '../../src/domain/examination.ts';
import type { RecordLocally } from '../../src/domain/local-changes.ts';
import type { Elsewhere, LongWork } from '../../src/domain/long-work.ts';
import type { ProviderTokens } from '../../src/domain/players/provider-tokens.ts';
import { createKeyring } from '../../src/keyring.ts';
import { createLog } from '../../src/log.ts';
import { createSystemRandom } from '../../src/random.ts';
import type { AuditReader } from '../../src/store/audit/audit-log.ts';
import type { Store } from '../../src/store/store.ts';
import { openTestStore } from '../../src/store/test-store.ts';
import { JOBS } from '../../src/threads/jobs.ts';
import { NO_CLOUD_CODE, NO_PROVIDERS } from './cloud-code.ts';
import { NO_EVENT_LOG, NO_WEBHOOK_POST } from './events.ts';
import { ManualClock } from './manual-clock.ts';
import { NO_METRICS } from './metrics.ts';

type Jobs = typeof JOBS;

/** A change as an operator's call makes it. */
export const CHANGE: Change = {
  requestId: 'a-request',
  cause: 'operator',
  actor: 'AKIDEXAMPLE',
  sourceAddress: '192.0.2.7',
  operation: 'OfTheTest',
  resource: 'arn:of:the:test',
};

export const ROLE = 'arn:aws:iam::123456789012:role/Example';

/** A log, and the lines that were logged. */
export function recordedLog() {
  const lines: { level: number; msg: string; [field: string]: unknown }[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line: string) => lines.push(JSON.parse(line)) } });
  return { log, lines };
}

const SETTINGS = {
  maxGames: 100,
  maxStages: 20,
  maxSnapshots: 1_000,
  maxBlocksPerGame: 1_000,
  maxGameBytes: 1_073_741_824,
  maxStoredBytes: 1_073_741_824,
  maxDeployments: 1_000,
  maxConfigurationBytes: 1_024_000,
  maxGeneratedCodeJobs: 20,
  allowedRoles: [] as readonly string[],
  jobConfirmAbove: 1_000,
  disconnectDeadlineMs: 5_000,
  maxFrameBytes: 16_384,
  authTimeoutMs: 5_000,
  playerTokenLifetimeMs: 60_000,
  scriptDisconnectsPerSecond: 20,
  scriptNotificationBytesPerSecond: 33_554_432,
  eventsMaxWatchers: 10,
  eventRetentionDays: 7,
  webhookMaxParallel: 4,
  webhookMaxPostsPerSecond: 1_000,
  webhookDisableAfterHours: 72,
  nodeRole: 'both',
  leaseMs: 15_000,
  heartbeatMs: 20_000,
  redisUrl: undefined,
  region: 'us-east-1',
  accountId: '123456789012',
};

/** Makes changes without a record. */
export const UNRECORDED: Audit = { around: (_, rule) => rule() };

/** The examination's schemas and parsers take as long to load as all the rest, and most tests examine nothing. */
const examineWhenAsked: Examine = async (asked) => {
  const { examineInThisThread } = await import('../../src/domain/examination.ts');
  return examineInThisThread(asked);
};

/** The attributes in sections that are described for clients. */
export function attributesIn(described: Uint8Array): Sections {
  const details: { [name: string]: { Attributes: Json } } = JSON.parse(new TextDecoder().decode(described));
  return Object.fromEntries(Object.entries(details).map(([name, { Attributes }]) => [name, Attributes]));
}

/** The jobs, run where they are called. */
export const JOBS_HERE = Object.fromEntries(
  Object.entries(JOBS).map(([name, job]) => [name, async (argument: never) => job(argument)]),
) as unknown as Elsewhere<Jobs>;

const WORK_IN_THIS_THREAD: LongWork<Jobs> = { run: (_, work) => work(JOBS_HERE) };

export interface DomainOptions extends Partial<typeof SETTINGS> {
  readonly store?: Store;
  readonly playerData?: DeletionsParts['playerData'];
  readonly stageLogs?: DeletionsParts['stageLogs'];
  readonly clock?: ManualClock;
  readonly examine?: Examine;
  readonly longWork?: LongWork<Jobs>;
  /** A log of the test's own. */
  readonly recorded?: ReturnType<typeof recordedLog>;
  readonly audit?: Audit;
  /** By default no stage has an identity provider. */
  readonly providerTokens?: ProviderTokens;
  readonly auditLog?: Pick<AuditReader, 'find'>;
  /** By default every access key may sign. */
  readonly findCredential?: Access['findCredential'];
  readonly databaseTime?: () => Promise<number>;
}

/** The rules over a store on disk and the cluster of one node, whose connections `nodes.closeStage` ends. */
export async function openDomain(t: TestContext, options: DomainOptions = {}) {
  const {
    store = await openTestStore(t),
    playerData = { removeStage: async () => {} },
    stageLogs = { remove: async () => {} },
    clock = new ManualClock(),
    examine = examineWhenAsked,
    longWork = WORK_IN_THIS_THREAD,
    recorded: { log, lines } = recordedLog(),
    audit = UNRECORDED,
    auditLog = { find: async () => ({ records: [], next: undefined }) },
    findCredential = async (accessKeyId) => ({ accessKeyId, secretAccessKey: 'secret', policies: [] }),
    providerTokens = NO_PROVIDERS,
    databaseTime,
    ...changed
  } = options;
  const random = createSystemRandom();
  const cluster = new LocalCluster({ clock, random });
  const closedStages: string[] = [];
  const nodes = { closeStage: async (stageId: string): Promise<void> => void closedStages.push(stageId) };
  cluster.answer('close_stage', async ({ stageId }) => {
    await nodes.closeStage(stageId);
    return {};
  });
  const keyring = createKeyring(new Uint8Array(32).fill(7));
  const arns = createArns(SETTINGS);
  const record: RecordLocally = (_, rule) => rule();
  const access = createAccess({ store, keyring, clock, random, actions: ACTIONS, record, arns });
  const services = createServices({
    ...{ store, audit, auditLog, cluster, clock, random, log, examine, longWork, keyring, arns, databaseTime },
    ...{ access: { ...access, findCredential }, actions: ACTIONS },
    providerTokens,
    cloudCode: {
      ...NO_CLOUD_CODE,
      playerData: { ...NO_CLOUD_CODE.playerData, ...playerData },
      stageLogs: { ...NO_CLOUD_CODE.stageLogs, ...stageLogs },
    },
    eventLog: NO_EVENT_LOG,
    webhookPost: NO_WEBHOOK_POST,
    settings: { ...SETTINGS, ...changed },
    metrics: NO_METRICS,
  });
  const [deletions] = services.background as [BackgroundWork];
  return { ...{ store, clock, random, log, lines, longWork, cluster, nodes, closedStages, deletions }, ...services };
}
