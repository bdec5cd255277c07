import type { TestContext } from 'node:test';
import { LocalCluster } from '../../src/cluster/local.ts';
import { createDeletions } from '../../src/domain/deletions.ts';
import { createGames } from '../../src/domain/games.ts';
import { createPaginate } from '../../src/domain/pagination.ts';
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

/** Games and stages over a store on disk and the cluster of one node, whose connections `onCloseStage` ends. */
export async function openDomain(
  t: TestContext,
  { store, maxGames = 100, maxStages = 20 }: { store?: Store; maxGames?: number; maxStages?: number } = {},
) {
  const clock = new ManualClock();
  const random = createSystemRandom();
  const { log, lines } = recordedLog();
  const opened = store ?? (await openTestStore(t));
  const cluster = new LocalCluster({ clock, random });
  const closedStages: string[] = [];
  const nodes = { closeStage: async (stageId: string): Promise<void> => void closedStages.push(stageId) };
  cluster.onRequest(async (request) => {
    if (request.kind === 'close_stage') await nodes.closeStage(request.stageId);
    return { closedIds: [] };
  });
  const settings = { maxGames, maxStages, disconnectDeadlineMs: 5_000 };
  const deletions = createDeletions({ store: opened, cluster, clock, log, settings });
  const paginate = createPaginate({ sealer: createKeyring(new Uint8Array(32).fill(7)) });
  const parts = { store: opened, deletions, paginate, clock, random, settings };
  const games = createGames(parts);
  const stages = createStages(parts);
  return { store: opened, clock, random, log, lines, cluster, nodes, closedStages, deletions, paginate, games, stages };
}
