import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../clock.ts';
import type { Settings } from '../config/config.ts';
import type { NodeFacts } from './node-watch.ts';
import { readVersion } from './server-info.ts';

/** What must be the same on all nodes of a cluster, or their answers contradict each other. */
const SHARED = [
  ...['region', 'accountId', 'maxConnectionsPerPlayer', 'whenPlayerFull', 'playerTokenLifetimeMs'],
  ...['redisPartitions', 'leaseMs', 'leaseMarginMs', 'recoveryMs'],
] as const satisfies (keyof Settings)[];

/** What this node says of itself when it joins a cluster. */
export function factsOf(settings: Settings, clock: Pick<Clock, 'now'>, database: string | undefined): NodeFacts {
  const [version, { nodeRole: role }] = [readVersion(), settings];
  return {
    ...{ version, role, machine: hostname(), startedAt: clock.now(), settings: digestOf(settings) },
    ...(database === undefined ? {} : { database }),
  };
}

/** Tells nodes whose shared settings differ, without saying what they are. */
function digestOf(settings: Settings): string {
  const shared = SHARED.map((key) => settings[key]);
  return createHash('sha256').update(JSON.stringify(shared)).digest('hex').slice(0, 16);
}
