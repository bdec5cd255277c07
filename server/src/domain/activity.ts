import type { ActivityStep } from '../activity.ts';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Log } from '../log.ts';
import { createListShare } from './list-turns.ts';
import { orUnavailable } from './or-unavailable.ts';

export interface NodeActivity {
  readonly node: string;
  /** Undefined while the node does not answer, or is of a version that remembers nothing. */
  readonly steps: readonly ActivityStep[] | undefined;
}

export interface Activity {
  /**
   * What each node remembers of the last hour, only of what ended later than `after`. Throws an `internal` that may be
   * tried again when the directory is away, and `throttled` when too many calls wait. Callers take turns.
   */
  list(after: number, caller: string): Promise<readonly NodeActivity[]>;
}

/** A node that is held up must not hold up the others. */
const ANSWER_MS = 2_000;

export function createActivity({
  cluster,
  clock,
  log,
  settings,
}: {
  cluster: Pick<Cluster, 'joinedNodes' | 'request'>;
  clock: Clock;
  log: Pick<Log, 'debug'>;
  settings: { readonly disconnectDeadlineMs: number };
}): Activity {
  const timeoutMs = Math.min(ANSWER_MS, settings.disconnectDeadlineMs);
  const share = createListShare(clock);

  async function ask(node: string, after: number): Promise<NodeActivity> {
    try {
      return { node, steps: (await cluster.request(node, 'report_activity', { after }, timeoutMs)).steps };
    } catch (error) {
      log.debug({ err: error, node }, 'a node did not say what has happened on it');
      return { node, steps: undefined };
    }
  }

  return {
    async list(after, caller) {
      const look = () => cluster.joinedNodes();
      const records = await orUnavailable('directory of nodes', look, settings.disconnectDeadlineMs, clock);
      const ids = records.map(({ node }) => node).sort();
      // Callers take turns, because each node answers with hundreds of steps.
      return await share(caller, () => Promise.all(ids.map((node) => ask(node, after))));
    },
  };
}
