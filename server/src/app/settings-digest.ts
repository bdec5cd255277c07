import { createHash } from 'node:crypto';
import type { Settings } from '../config/config.ts';

/** What must be the same on all nodes of a cluster, or their answers contradict each other. */
const SHARED = [
  ...['region', 'accountId', 'maxConnectionsPerPlayer', 'whenPlayerFull', 'playerTokenLifetimeMs'],
  ...['redisPartitions', 'leaseMs', 'leaseMarginMs', 'recoveryMs'],
] as const satisfies (keyof Settings)[];

/** Tells nodes whose shared settings differ, without saying what they are. */
export function digestOf(settings: Settings): string {
  const shared = SHARED.map((key) => settings[key]);
  return createHash('sha256').update(JSON.stringify(shared)).digest('hex').slice(0, 16);
}
