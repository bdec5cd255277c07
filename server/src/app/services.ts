import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Settings } from '../config/config.ts';
import type { DataDirectory } from '../data-directory/data-directory.ts';
import type { Arns } from '../domain/arn.ts';
import { createConfigurations } from '../domain/configurations.ts';
import { createDeletions } from '../domain/deletions.ts';
import { createDeployments } from '../domain/deployments.ts';
import { createDownloads } from '../domain/downloads.ts';
import type { Examine } from '../domain/examination.ts';
import { createExtensions } from '../domain/extensions.ts';
import { createGames } from '../domain/games.ts';
import { createGeneratedCodeJobs } from '../domain/generated-code-jobs.ts';
import { createPaginate } from '../domain/pagination.ts';
import { createPlayerTokens } from '../domain/players/player-tokens.ts';
import { createPlayers } from '../domain/players/players.ts';
import { createRuntimes } from '../domain/runtime/runtimes.ts';
import { createSnapshots } from '../domain/snapshots.ts';
import { createStages } from '../domain/stages.ts';
import { createResourceTags } from '../domain/tags.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { RandomBytes } from '../random.ts';
import type { Store } from '../store/store.ts';

export function createServices({
  directory,
  store,
  cluster,
  settings,
  log,
  clock,
  random,
  metrics,
  examine,
  arns,
  publicUrl,
}: {
  directory: Pick<DataDirectory, 'keyring'>;
  store: Store;
  cluster: Cluster;
  settings: Settings;
  log: Log;
  clock: Clock;
  random: RandomBytes;
  metrics: Metrics;
  examine: Examine;
  arns: Arns;
  publicUrl: () => string;
}) {
  const { keyring } = directory;
  const deletions = createDeletions({ store, cluster, clock, log, settings });
  const paginate = createPaginate({ sealer: keyring });
  const tokens = createPlayerTokens({
    deriveKey: (purpose) => keyring.deriveKey(purpose),
    clock,
    lifetimeMs: settings.playerTokenLifetimeMs,
  });
  const runtimes = createRuntimes({ tokens, log });
  const downloads = createDownloads({ store, sealer: keyring, clock, publicUrl });
  const parts = { store, deletions, downloads, paginate, examine, runtimes, clock, random, log, settings };
  return {
    deletions,
    downloads,
    runtimes,
    games: createGames(parts),
    stages: createStages(parts),
    configurations: createConfigurations(parts),
    snapshots: createSnapshots(parts),
    deployments: createDeployments(parts),
    generatedCodeJobs: createGeneratedCodeJobs(parts),
    extensions: createExtensions({ paginate }),
    resourceTags: createResourceTags({ store, arns, clock }),
    players: createPlayers({ store, cluster, tokens, clock, random, log, metrics, settings }),
  };
}

export type Services = ReturnType<typeof createServices>;
