import type { TestContext } from 'node:test';
import { createServices } from '../../src/app/services.ts';
import { LocalCluster } from '../../src/cluster/local.ts';
import type { Access } from '../../src/domain/access/access.ts';
import { createArns } from '../../src/domain/arn.ts';
import type { Audit, Change } from '../../src/domain/audit.ts';
import type { BackgroundWork } from '../../src/domain/background.ts';
import type { Examine } from '../../src/domain/examination.ts';
import { createKeyring } from '../../src/keyring.ts';
import { createLog } from '../../src/log.ts';
import { createSystemRandom } from '../../src/random.ts';
import type { AuditReader } from '../../src/store/audit/audit-log.ts';
import type { Store } from '../../src/store/store.ts';
import { openTestStore } from '../../src/store/test-store.ts';
import { ManualClock } from './manual-clock.ts';
import { NO_METRICS } from './metrics.ts';

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
  maxDeployments: 1_000,
  maxConfigurationBytes: 1_024_000,
  maxGeneratedCodeJobs: 20,
  allowedRoles: [] as readonly string[],
  disconnectDeadlineMs: 5_000,
  authTimeoutMs: 5_000,
  playerTokenLifetimeMs: 60_000,
};

/** Makes changes without a record. */
export const UNRECORDED: Audit = { around: (_, rule) => rule() };

/** The examination's schemas and parsers take as long to load as all the rest, and most tests examine nothing. */
const examineWhenAsked: Examine = async (asked) => {
  const { examineInThisThread } = await import('../../src/domain/examination.ts');
  return examineInThisThread(asked);
};

export interface DomainOptions extends Partial<typeof SETTINGS> {
  readonly store?: Store;
  readonly clock?: ManualClock;
  readonly examine?: Examine;
  /** A log of the test's own. */
  readonly recorded?: ReturnType<typeof recordedLog>;
  readonly audit?: Audit;
  readonly auditLog?: Pick<AuditReader, 'find'>;
  /** By default every access key may sign. */
  readonly findCredential?: Access['findCredential'];
}

/** The rules over a store on disk and the cluster of one node, whose connections `nodes.closeStage` ends. */
export async function openDomain(t: TestContext, options: DomainOptions = {}) {
  const {
    store = await openTestStore(t),
    clock = new ManualClock(),
    examine = examineWhenAsked,
    recorded: { log, lines } = recordedLog(),
    audit = UNRECORDED,
    auditLog = { find: async () => ({ records: [], next: undefined }) },
    findCredential = async (accessKeyId) => ({ accessKeyId, secretAccessKey: 'secret', policies: [] }),
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
  const services = createServices({
    ...{ store, audit, auditLog, findCredential, cluster, clock, random, log, examine },
    keyring: createKeyring(new Uint8Array(32).fill(7)),
    settings: { ...SETTINGS, ...changed },
    metrics: NO_METRICS,
    arns: createArns({ region: 'us-east-1', accountId: '123456789012' }),
    publicUrl: () => 'https://respark.example',
  });
  const [deletions] = services.background as [BackgroundWork];
  return { ...{ store, clock, random, log, lines, cluster, nodes, closedStages, deletions }, ...services };
}
