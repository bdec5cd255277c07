import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  CreateGameCommand,
  DisconnectPlayerCommand,
  type GameSparksClient,
  GameSparksServiceException,
  GetGameCommand,
  GetPlayerConnectionStatusCommand,
} from '@aws-sdk/client-gamesparks';
import { ResparkClient } from '@respark/client';
import { findRecords } from '../../src/store/audit/audit-log.contract.ts';
import type { AuditReader, AuditRecord } from '../../src/store/audit/audit-log.ts';
import { openSqliteAuditBeside } from '../../src/store/audit/sqlite.ts';
import { createWorkplace, type RunningServer } from '../support/process.ts';
import { GAME, STAGE, until } from '../support/server.ts';

const KILLS = 2;
const PLAYERS = 100;
const DISCONNECTED_PLAYERS = 20;
const WRITERS = 4;

/** Only the kill may end the load. */
const UNLIMITED = [
  ...['write-calls', 'disconnect-calls'].flatMap((name) => [
    `--${name}-per-second`,
    '100000',
    `--${name}-burst`,
    '100000',
  ]),
  ...['--max-games', '100000'],
  ...['--handshakes-per-second', '100000', '--handshakes-per-second-per-address', '100000'],
];

/** What the record of an answered call must say. */
interface Acknowledged {
  readonly requestId: string;
  readonly operation: string;
  readonly successes?: readonly string[];
  readonly failures?: readonly string[];
}

/** Connects a player of the SDK, with its defaults except for shorter waits, and waits until it has saved its token. */
async function enter(t: TestContext, server: RunningServer): Promise<ResparkClient> {
  let isSaved = false;
  const client = new ResparkClient({
    url: server.playerUrl,
    gameKey: server.gameKey,
    // By default the pauses between attempts grow to half a minute, longer than `until` waits.
    reconnect: { capMs: 2_000 },
    storage: {
      load: () => undefined,
      save() {
        isSaved = true;
      },
    },
  });
  t.after(() => client.close());
  await client.connect();
  await until(() => isSaved);
  return client;
}

interface Load {
  readonly sdk: GameSparksClient;
  readonly acknowledged: Acknowledged[];
  /** Whether the server has been killed. From then on, its address belongs to the next server. */
  isOver(): boolean;
}

/** Creates games until the kill. */
async function writeOn({ sdk, acknowledged, isOver }: Load, prefix: string, games: string[]): Promise<void> {
  for (let number = 0; !isOver(); number += 1) {
    const GameName = `${prefix}-${number}`;
    const { $metadata } = await sdk.send(new CreateGameCommand({ GameName }));
    games.push(GameName);
    acknowledged.push({ requestId: String($metadata.requestId), operation: 'CreateGame' });
  }
}

/** Disconnects a player again and again, until the kill. The player reconnects each time. */
async function disconnectOn({ sdk, acknowledged, isOver }: Load, client: ResparkClient): Promise<void> {
  while (!isOver()) {
    const { playerId } = await client.connect();
    if (isOver()) return;
    const command = new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: playerId });
    const { $metadata, DisconnectSuccesses = [], DisconnectFailures = [] } = await sdk.send(command);
    const lists = { successes: DisconnectSuccesses, failures: DisconnectFailures };
    acknowledged.push({ requestId: String($metadata.requestId), operation: 'DisconnectPlayer', ...lists });
    await until(() => client.state === 'closed' || isOver());
  }
}

async function auditRecords(auditLog: AuditReader): Promise<Map<string, AuditRecord>> {
  const records = await findRecords(auditLog, { limit: 1_000_000 });
  return new Map(records.map((record) => [record.requestId, record]));
}

test(`${KILLS} times kill -9 under load: what was acknowledged is on record, and the players come back`, async (t) => {
  const place = createWorkplace(t);
  let server = await place.serve(['--demo', ...UNLIMITED]);
  const { port } = new URL(server.url);
  // It stays open until the end: the last connection to close would put the WAL into the file of a server that is dead.
  const auditLog = openSqliteAuditBeside({ directory: server.dataDir });
  t.after(() => auditLog.close());
  const players = await Promise.all(Array.from({ length: PLAYERS }, () => enter(t, server)));
  const ids = players.map(({ playerId }) => playerId);
  const targets = await Promise.all(Array.from({ length: DISCONNECTED_PLAYERS }, () => enter(t, server)));
  const acknowledged: Acknowledged[] = [];
  const games: string[] = [];

  for (let kill = 0; kill < KILLS; kill += 1) {
    let isOver = false;
    const load: Load = { sdk: server.sdk({ maxAttempts: 1 }), acknowledged, isOver: () => isOver };
    const count = acknowledged.length;
    const loops = [
      ...Array.from({ length: WRITERS }, (_, writer) => writeOn(load, `k${kill}-w${writer}`, games)),
      ...targets.map((target) => disconnectOn(load, target)),
    ].map((each) => each.catch((error: Error) => error));
    const since = (operation: string) => acknowledged.slice(count).filter((each) => each.operation === operation);
    await until(() => since('CreateGame').length > 100 && since('DisconnectPlayer').length > 200);
    isOver = true;
    server.child.kill('SIGKILL');
    await server.ended();
    server = await place.serve(['--demo', ...UNLIMITED, '--port', port]);

    for (const ending of await Promise.all(loops)) {
      assert(!(ending instanceof GameSparksServiceException), `refused instead of killed: ${ending}`);
    }
    const records = await auditRecords(auditLog);
    for (const { requestId, operation, successes, failures } of acknowledged) {
      const record = records.get(requestId);
      assert.equal(record?.operation, operation, `the record of ${requestId}`);
      assert.ok(record.outcome);
      assert.equal(record.outcome.error, undefined);
      assert.deepEqual([record.outcome.successes, record.outcome.failures], [successes, failures]);
    }
    await Promise.all(games.slice(-100).map((GameName) => server.sdk().send(new GetGameCommand({ GameName }))));

    await until(
      () => players.every(({ state }) => state === 'connected'),
      () => players.map(({ state }) => state),
    );
    assert.deepEqual(
      players.map(({ playerId }) => playerId),
      ids,
    );
    for (const { playerId, connectionId } of players.slice(0, 10)) {
      const named = { GameName: GAME, StageName: STAGE, PlayerId: String(playerId) };
      const { Connections = [] } = await server.sdk().send(new GetPlayerConnectionStatusCommand(named));
      assert.deepEqual(
        Connections.map(({ Id }) => Id),
        [connectionId],
      );
    }
  }
  t.diagnostic(`${acknowledged.length} acknowledged calls, ${games.length} of them games`);
});
