import { type StartCluster, startPeerCluster, startResparkCluster } from './cluster/contestants.ts';
import { createGuard } from './guard.ts';
import type { DialectName } from './load/dialects.ts';
import type { NodeBinary } from './node-binary.ts';
import { startRespark, startResparkBare } from './respark.ts';
import { ownServer, post, type RunningContestant, type StartOptions } from './running-contestant.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

/**
 * What a contestant is to the others: the product, a part of it or the same with fewer threads for scripts; servers that
 * others would take instead, and those with what an operator must add before anyone may call them; the least that the job
 * can cost; or a server of scripts that starts an engine for each message.
 */
export type Kind = 'respark' | 'part' | 'fewer-threads' | 'peer' | 'guarded' | 'floor' | 'fresh';

export interface Contestant {
  readonly title: string;
  readonly kind: Kind;
  /** The oldest Node.js that it runs on, where that is not ours. */
  readonly minNodeMajor?: number;
  start(node: NodeBinary, options?: StartOptions): Promise<RunningContestant>;
  /** Several of its servers over a Redis, for those who run on more than one. */
  readonly startCluster?: StartCluster;
}

export const CONTESTANTS = {
  respark: { title: 'Respark', kind: 'respark', start: startRespark, startCluster: startResparkCluster },
  'respark-bare': { title: 'Respark’s gateway, bare HTTP', kind: 'part', start: startResparkBare },
  'respark-one-thread': {
    title: 'Respark, one script thread',
    kind: 'fewer-threads',
    start: (node, options) => startRespark(node, { ...options, scriptThreads: 1 }),
  },
  'socket.io': {
    title: 'Socket.IO 4.8',
    kind: 'peer',
    start: (node, options) => startBare(node, 'peers/socket-io', 'socket.io', options),
    startCluster: startPeerCluster('peers/socket-io-redis', 'socket.io'),
  },
  'socket.io-guarded': {
    title: 'socket.io guarded',
    kind: 'guarded',
    start: (node) => startGuarded(node, 'peers/socket-io', 'socket.io'),
    startCluster: startPeerCluster('peers/socket-io-redis', 'socket.io', { isGuarded: true }),
  },
  colyseus: {
    title: 'Colyseus 0.16',
    kind: 'peer',
    start: (node, options) => startBare(node, 'peers/colyseus', 'colyseus', options),
    startCluster: startPeerCluster('peers/colyseus-redis', 'colyseus'),
  },
  'colyseus-guarded': {
    title: 'colyseus guarded',
    kind: 'guarded',
    start: (node) => startGuarded(node, 'peers/colyseus', 'colyseus'),
    startCluster: startPeerCluster('peers/colyseus-redis', 'colyseus', { isGuarded: true }),
  },
  'colyseus-018': {
    title: 'Colyseus 0.18',
    kind: 'peer',
    minNodeMajor: 22,
    start: (node, options) => startBare(node, '../../colyseus-018/dist/server', 'colyseus', options),
  },
  floor: { title: 'the floor', kind: 'floor', start: (node) => startBare(node, 'servers/floor', 'floor') },
  'floor-own-codec': {
    title: 'floor, own codec',
    kind: 'floor',
    start: (node) => startBare(node, 'servers/floor-own-codec', 'floor'),
  },
  'fresh-engine': {
    title: 'QuickJS made for each message',
    kind: 'fresh',
    start: (node, options) => startBare(node, 'servers/fresh-engine', 'handlers', options),
  },
} as const satisfies Record<string, Contestant>;

export type ContestantName = keyof typeof CONTESTANTS;
export const CONTESTANT_NAMES = Object.keys(CONTESTANTS) as ContestantName[];

/** A server that closes the sockets of whomever anybody names. */
async function startBare(
  node: NodeBinary,
  name: string,
  dialect: DialectName,
  options?: StartOptions,
): Promise<RunningContestant> {
  return asPeer(await startServerProcess(ownServer(node, name, options)), dialect);
}

/** The same server with the route's guard, and a caller with a token for the next hour. */
async function startGuarded(node: NodeBinary, name: string, dialect: DialectName): Promise<RunningContestant> {
  const guard = await createGuard();
  return asPeer(await startServerProcess({ ...ownServer(node, name), ...guard.newServer() }), dialect, guard.headers);
}

function asPeer(
  server: ServerProcess,
  dialect: DialectName,
  headers: Readonly<Record<string, string>> = {},
): RunningContestant {
  return {
    ...server,
    dialect,
    seeds: async (playerIds) => playerIds.map((playerId) => ({ playerId, hello: '' })),
    disconnectRequest: (playerId) => post({ path: `/player/${playerId}`, port: server.port, headers }),
  };
}
