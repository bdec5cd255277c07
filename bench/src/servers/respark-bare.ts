// Respark's gateway behind a bare HTTP route: its sockets, directory, player rules, store and metrics, without the
// pipeline of the management API (no signature, no policy, no throttling) and without the audit log. No setting of the
// product can do this; it exists to show what these parts cost.
import { createServer } from 'node:http';
import { fromServer, RESPARK_KEYS, RESPARK_SETTINGS } from '../respark-build.ts';
import { reportReady } from './ready.ts';

const { createClientAddress } =
  await fromServer<typeof import('../../../server/src/http/client-address.ts')>('http/client-address');
const { createHeadReader } =
  await fromServer<typeof import('../../../server/src/http/request-head.ts')>('http/request-head');
const { createServices } = await fromServer<typeof import('../../../server/src/app/services.ts')>('app/services');
const { systemClock: clock } = await fromServer<typeof import('../../../server/src/clock.ts')>('clock');
const { LocalCluster } = await fromServer<typeof import('../../../server/src/cluster/local.ts')>('cluster/local');
const { loadSettings } = await fromServer<typeof import('../../../server/src/config/config.ts')>('config/config');
const { createArns } = await fromServer<typeof import('../../../server/src/domain/arn.ts')>('domain/arn');
const { Gateway } = await fromServer<typeof import('../../../server/src/gateway/gateway.ts')>('gateway/gateway');
const { Limits } = await fromServer<typeof import('../../../server/src/gateway/limits.ts')>('gateway/limits');
const { createUpgradeHandler } =
  await fromServer<typeof import('../../../server/src/gateway/upgrade.ts')>('gateway/upgrade');
const { createKeyring } = await fromServer<typeof import('../../../server/src/keyring.ts')>('keyring');
const { createLog } = await fromServer<typeof import('../../../server/src/log.ts')>('log');
const { createMetrics } = await fromServer<typeof import('../../../server/src/metrics.ts')>('metrics');
const { createSystemRandom, uuidV7 } = await fromServer<typeof import('../../../server/src/random.ts')>('random');
const { createTurns } = await fromServer<typeof import('../../../server/src/turns.ts')>('turns');
const { createStore } = await fromServer<typeof import('../../../server/src/store/sql-store.ts')>('store/sql-store');
const { openSqlite } = await fromServer<typeof import('../../../server/src/store/sqlite.ts')>('store/sqlite');

const [databaseFile = ''] = process.argv.slice(2);
const random = createSystemRandom();
const GAME = 'Demo';
const STAGE = 'Dev';
const gameKey = 'bench-game-key';

const settings = loadSettings({ env: {}, flags: RESPARK_SETTINGS });
const log = createLog({ level: settings.logLevel });
const database = openSqlite({ file: databaseFile });
await database.migrate();
const store = createStore(database);
const now = clock.now();
const [gameId, stageId] = [uuidV7(random, now), uuidV7(random, now)];
const record = { description: '', state: 'ACTIVE', tags: {}, createdAt: now, updatedAt: now } as const;
await store.games.insert({ ...record, id: gameId, name: GAME, isTerminationProtected: false });
await store.stages.insert({
  ...record,
  id: stageId,
  gameId,
  name: STAGE,
  role: '',
  gameKey,
  logGroup: '',
});

const refuse = () => Promise.reject(new Error('this server runs no scripts'));

const cluster = new LocalCluster({ clock, random });
const limits = new Limits({ settings, clock });
const metrics = createMetrics();
const { players, runtimes } = createServices({
  ...{ store, cluster, clock, random, log, metrics, settings },
  keyring: createKeyring(Buffer.from(RESPARK_KEYS.secretKey, 'base64')),
  audit: { around: (_, rule) => rule() },
  access: {
    ...{ createKey: refuse, revokeKey: refuse },
    ...{ findCredential: async () => undefined, findKey: async () => undefined, listPageOfKeys: async () => [] },
  },
  actions: [],
  auditLog: { find: async () => ({ records: [], next: undefined }) },
  examine: () => Promise.reject(new Error('nothing is deployed here')),
  longWork: { run: () => Promise.reject(new Error('nothing is configured here')) },
  cloudCode: {
    sandbox: { prepare: refuse, invoke: refuse, dropped() {}, close: refuse },
    playerData: {
      ...{ get: refuse, page: refuse, set: refuse, remove: refuse, close: refuse },
      removeStage: async () => {},
    },
    stageLogs: { append: refuse, read: refuse, remove: async () => {}, close: refuse },
    outside: {
      ...{ invokeLambda: refuse, getItem: refuse, putItem: refuse, updateItem: refuse },
      ...{ deleteItem: refuse, query: refuse, fetch: refuse },
    },
  },
  providerTokens: { verify: refuse },
  eventLog: {
    ...{ append: () => false, read: refuse, ends: refuse, positionBefore: refuse, onMoved: () => () => {} },
    ...{
      removeBefore: refuse,
      games: refuse,
      removeGame: refuse,
      claim: refuse,
      save: refuse,
      release: refuse,
      rewind: refuse,
    },
    ...{ removeCursor: refuse, cursors: refuse, watch: refuse, watched: refuse, owners: refuse },
    ...{ endConnections: refuse, waiting: 0, close: refuse },
  },
  webhookPost: { post: refuse, faultOf: () => undefined },
  arns: createArns(settings),
});
const gateway = new Gateway({ players, runtimes, cluster, limits, clock, random, log, metrics, settings });
const readHead = createHeadReader({ clientAddress: createClientAddress({ ...settings, warn: () => {} }) });

const server = createServer(async (request, response) => {
  const [, , playerId = ''] = (request.url ?? '').split('/');
  const requestId = uuidV7(random, clock.now());
  const origin = { cause: 'operator', actor: '', sourceAddress: '' } as const;
  const change = { requestId, ...origin, operation: 'DisconnectPlayer', resource: '' };
  const named = { gameName: GAME, stageName: STAGE, playerId };
  const { successes, failures } = await players.disconnect(named, change);
  const body = JSON.stringify({ DisconnectSuccesses: successes, DisconnectFailures: failures });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});
server.on(
  'upgrade',
  createUpgradeHandler({ gateway, limits, readHead, turns: createTurns({ clock }), warn: () => {}, metrics, settings }),
);
server.listen({ port: 0, host: settings.host, backlog: 4096 }, () => reportReady(server, { gameKey, stageId }));
