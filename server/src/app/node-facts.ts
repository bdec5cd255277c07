import { createHash } from 'node:crypto';
import type { Settings } from '../config/config.ts';
import type { NodeFacts } from './node-watch.ts';
import { readVersion } from './server-info.ts';

/** What must be the same on all nodes of a cluster, or their answers contradict each other. */
const SHARED = [
  ...['region', 'accountId', 'maxConnectionsPerPlayer', 'whenPlayerFull', 'playerTokenLifetimeMs'],
  ...['redisPartitions', 'leaseMs', 'leaseMarginMs', 'recoveryMs'],
] as const satisfies (keyof Settings)[];

export function factsOf(settings: Settings): NodeFacts {
  return { version: readVersion(), role: settings.nodeRole, settings: digestOf(settings) };
}

/** Tells nodes whose shared settings differ, without saying what they are. */
function digestOf(settings: Settings): string {
  const shared = SHARED.map((key) => settings[key]);
  return createHash('sha256').update(JSON.stringify(shared)).digest('hex').slice(0, 16);
}
