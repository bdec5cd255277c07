import type { TestContext } from 'node:test';
import { LocalCluster } from '../../src/cluster/local.ts';
import { createConfigurations } from '../../src/domain/configurations.ts';
import { createDeletions } from '../../src/domain/deletions.ts';
import { createDeployments } from '../../src/domain/deployments.ts';
import { createDownloads } from '../../src/domain/downloads.ts';
import { type Examine, examineHere } from '../../src/domain/examination.ts';
import { createGames } from '../../src/domain/games.ts';
import { createGeneratedCodeJobs } from '../../src/domain/generated-code-jobs.ts';
import { createPaginate } from '../../src/domain/pagination.ts';
import { createRuntimes } from '../../src/domain/runtime/runtimes.ts';
import { createSnapshots } from '../../src/domain/snapshots.ts';
import { createStages } from '../../src/domain/stages.ts';
import { createKeyring } from '../../src/keyring.ts';
import { createLog } from '../../src/log.ts';
import { createSystemRandom } from '../../src/random.ts';
import type { Store } from '../../src/store/store.ts';
import { openTestStore } from '../../src/store/test-store.ts';
import { ManualClock } from './manual-clock.ts';

export const ROLE = 'arn:aws:iam::123456789012:role/Example';

/** The lines that were logged, and the log that keeps them. */
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
};

export interface DomainOptions extends Partial<typeof SETTINGS> {
  readonly store?: Store;
  readonly clock?: ManualClock;
  readonly examine?: Examine;
}

/** The rules over a store on disk and the cluster of one node, whose connections `onCloseStage` ends. */
export async function openDomain(t: TestContext, options: DomainOptions = {}) {
  const {
    store = await openTestStore(t),
    clock = new ManualClock(),
    examine = async (asked) => examineHere(asked),
    ...changed
  } = options;
  const random = createSystemRandom();
  const { log, lines } = recordedLog();
  const cluster = new LocalCluster({ clock, random });
  const closedStages: string[] = [];
  const nodes = { closeStage: async (stageId: string): Promise<void> => void closedStages.push(stageId) };
  cluster.answer('close_stage', async ({ stageId }) => {
    await nodes.closeStage(stageId);
    return {};
  });
  const settings = { ...SETTINGS, ...changed };
  const deletions = createDeletions({ store, cluster, clock, log, settings });
  const sealer = createKeyring(new Uint8Array(32).fill(7));
  const paginate = createPaginate({ sealer });
  const runtimes = createRuntimes({ tokens: { issue: async () => 'token' }, log });
  const downloads = createDownloads({ store, sealer, clock, publicUrl: () => 'https://respark.example' });
  const parts = { store, deletions, downloads, runtimes, paginate, examine, clock, random, log, settings };
  return {
    ...{ store, clock, random, log, lines, cluster, nodes, closedStages, deletions, downloads, runtimes, paginate },
    games: createGames(parts),
    stages: createStages(parts),
    configurations: createConfigurations(parts),
    snapshots: createSnapshots(parts),
    deployments: createDeployments(parts),
    generatedCodeJobs: createGeneratedCodeJobs(parts),
  };
}
