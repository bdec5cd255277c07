import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import {
  CreateGameCommand,
  DeleteStageCommand,
  DisconnectPlayerCommand,
  GetGameCommand,
  GetPlayerConnectionStatusCommand,
  GetStageCommand,
  ListGamesCommand,
  UpdateGameCommand,
} from '@aws-sdk/client-gamesparks';
import { usePostgres, whyNoPostgres } from '../support/postgres.ts';
import { createWorkplace, type RunningServer } from '../support/process.ts';
import { findRedisFault, RedisServer } from '../support/redis-server.ts';
import { temporaryDirectory, until } from '../support/server.ts';

const skip = whyNoPostgres;
const server = usePostgres();
const secretKey = randomBytes(32).toString('base64');
const ROOT = { accessKeyId: 'ROOTKEY', secretAccessKey: 'a-root-secret-that-every-node-of-the-test-has' };

const environment = (url: string) => ({
  RESPARK_DATABASE_URL: url,
  RESPARK_DATABASE_STATEMENT_TIMEOUT_MS: '2000',
  RESPARK_DATABASE_CONNECT_TIMEOUT_MS: '1000',
  RESPARK_SECRET_KEY: secretKey,
  RESPARK_ROOT_ACCESS_KEY_ID: ROOT.accessKeyId,
  RESPARK_ROOT_SECRET_ACCESS_KEY: ROOT.secretAccessKey,
});

/** A node of its own data directory on the database. */
function serve(t: TestContext, url: string, args: readonly string[] = ['--demo'], env = {}): Promise<RunningServer> {
  const place = createWorkplace(t);
  return place.serve(args, { env: { ...environment(url), ...env } });
}

const sdkOf = (node: RunningServer, maxAttempts = 1) => node.sdk({ credentials: ROOT, maxAttempts });

const demo = { GameName: 'Demo', StageName: 'Dev' };

describe('[postgres] nodes on one database', { skip }, () => {
  test('that start at once on an empty one all serve, and know of each other’s changes within a second', {
    skip: findRedisFault() ?? false,
  }, async (t) => {
    const url = await server.emptyDatabase(t);
    const redis = await RedisServer.start(t);
    const cluster = { RESPARK_REDIS_URL: redis.url, RESPARK_PUBLIC_URL: 'http://respark.example' };
    const start = () => serve(t, url, ['--demo'], cluster);
    const nodes = await Promise.all([start(), start(), start()]);
    assert.equal(new Set(nodes.map(({ gameKey }) => gameKey)).size, 1);
    const [a, b, c] = nodes.map((node) => sdkOf(node)) as [ReturnType<typeof sdkOf>, ...ReturnType<typeof sdkOf>[]];
    await a.send(new CreateGameCommand({ GameName: 'Zoo' }));
    for (const node of [b, c])
      assert.equal((await node?.send(new GetGameCommand({ GameName: 'Zoo' })))?.Game?.Name, 'Zoo');
    await a.send(new UpdateGameCommand({ GameName: 'Zoo', Description: 'changed' }));
    const found = await b?.send(new GetGameCommand({ GameName: 'Zoo' }));
    assert.equal(found?.Game?.Description, 'changed');
  });

  test('that are two say so when they meet in one Redis', { skip: findRedisFault() ?? false }, async (t) => {
    const redis = await RedisServer.start(t);
    const cluster = { RESPARK_REDIS_URL: redis.url, RESPARK_PUBLIC_URL: 'http://respark.example' };
    const urls = await Promise.all([server.emptyDatabase(t), server.emptyDatabase(t)]);
    const nodes = await Promise.all(urls.map((url) => serve(t, url, [], cluster)));
    const says = /"level":50.*another node has another database: each has players that the other does not know/;
    await Promise.all(nodes.map((node) => node.printed(says)));
  });

  test('that start on an older copy of it let in whom the copy does, whatever their Redis has heard since', {
    skip: findRedisFault() ?? false,
  }, async (t) => {
    const redis = await RedisServer.start(t);
    const times = {
      RESPARK_LEASE_MS: '2000',
      RESPARK_LEASE_MARGIN_MS: '300',
      RESPARK_RENEW_MS: '200',
      RESPARK_REDIS_TIMEOUT_MS: '600',
    };
    const cluster = {
      ...{ RESPARK_REDIS_URL: redis.url, RESPARK_PUBLIC_URL: 'http://respark.example' },
      ...{ ...times, RESPARK_RECOVERY_MS: '2000' },
    };
    const [url, copy] = await Promise.all([server.emptyDatabase(t), server.emptyDatabase(t)]);
    const stop = async (node: RunningServer) => {
      node.child.kill('SIGTERM');
      await node.ended();
    };
    await stop(await serve(t, url, ['--demo'], cluster));
    const [name, template] = [copy, url].map((each) => new URL(each).pathname.slice(1));
    await server.execute(new URL('/postgres', url).href, `drop database "${name}"`);
    await server.execute(new URL('/postgres', url).href, `create database "${name}" template "${template}"`);

    const node = await serve(t, url, ['--demo'], cluster);
    const { gameKey } = node;
    await sdkOf(node).send(new DeleteStageCommand(demo));
    await stop(node);
    const next = await serve(t, copy, [], cluster);
    await next.printed(/this is another database than before/);
    const isReady = async () => (await fetch(new URL('/readyz', next.url))).status === 200;
    while (!(await isReady())) await new Promise((resolve) => setTimeout(resolve, 50));
    const player = await next.connect({ gameKey });
    const { Connections } = await sdkOf(next).send(
      new GetPlayerConnectionStatusCommand({ ...demo, PlayerId: player.playerId }),
    );
    assert.deepEqual(
      Connections?.map(({ Id }) => Id),
      [player.connectionId],
    );
  });

  test('that would not find each other’s players in Redis do not run together', {
    skip: findRedisFault() ?? false,
  }, async (t) => {
    const url = await server.emptyDatabase(t);
    const redis = await RedisServer.start(t);
    const cluster = { RESPARK_REDIS_URL: redis.url, RESPARK_PUBLIC_URL: 'http://respark.example' };
    const first = await serve(t, url, [], cluster);
    const others = [
      { RESPARK_REDIS_PREFIX: 'other' },
      { RESPARK_REDIS_PARTITIONS: '4' },
      { RESPARK_LEASE_MS: '20000' },
    ];
    const env = { ...environment(url), ...cluster };
    const refused = others.map((other) =>
      createWorkplace(t).startRespark(['serve', '--port', '0'], { env: { ...env, ...other } }),
    );
    const says =
      /same RESPARK_REDIS_PREFIX, RESPARK_REDIS_PARTITIONS and RESPARK_LEASE_MS.*waiting for the end of another/;
    await Promise.all(refused.map((next) => next.printed(says)));
    for (const next of refused) assert.doesNotMatch(next.out(), /Respark is serving/);
    assert.doesNotMatch(first.out(), /"level":50/);
  });

  test('with a copy of the data directory of one that runs waits for its end', {
    skip: findRedisFault() ?? false,
  }, async (t) => {
    const url = await server.emptyDatabase(t);
    const redis = await RedisServer.start(t);
    const cluster = { RESPARK_REDIS_URL: redis.url, RESPARK_PUBLIC_URL: 'http://respark.example' };
    const first = await serve(t, url, [], cluster);
    const copy = join(temporaryDirectory(t), 'copy');
    cpSync(first.dataDir, copy, { recursive: true });
    const env = { ...environment(url), ...cluster, RESPARK_DATA_DIR: copy };
    const next = createWorkplace(t).startRespark(['serve', '--port', '0'], { env });
    await next.printed(/one is a copy of the other.*waiting for the end of another server/);
    assert.doesNotMatch(next.out(), /Respark is serving/);
    first.child.kill('SIGTERM');
    await first.ended();
    await next.printed(/Respark is serving/);
  });

  test('that are no cluster run one after the other: the next one waits for the end of the first', async (t) => {
    const url = await server.emptyDatabase(t);
    const first = await serve(t, url);
    const next = createWorkplace(t).startRespark(['serve', '--port', '0'], { env: environment(url) });
    await next.printed(/waiting for the end of another server that uses the database/);
    assert.doesNotMatch(next.out(), /Respark is serving/);
    first.child.kill('SIGTERM');
    await first.ended();
    await next.printed(/Respark is serving/);
  });

  test('that starts removes what kills have left of small files in its data directory', async (t) => {
    const url = await server.emptyDatabase(t);
    const dataDir = join(temporaryDirectory(t), 'data');
    mkdirSync(dataDir, { mode: 0o700 });
    const left = join(dataDir, 'root-credentials.0f8fad5b-d9cb-469f-a165-70867728950e');
    writeFileSync(left, '', { mode: 0o600 });
    const anHourAgo = Date.now() / 1000 - 3_600;
    utimesSync(left, anHourAgo, anHourAgo);
    await serve(t, url, ['--data-dir', dataDir]);
    assert.equal(existsSync(left), false);
  });

  test('with another secret key is refused, and so is a database of a newer program', async (t) => {
    const url = await server.emptyDatabase(t);
    const first = await serve(t, url);
    first.child.kill('SIGTERM');
    await first.ended();
    const place = createWorkplace(t);
    const other = { ...environment(url), RESPARK_SECRET_KEY: randomBytes(32).toString('base64') };
    const refused = await place.respark(['serve', '--port', '0'], { env: other });
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.stderr,
      /the secret key is not the one that this database is sealed with: set RESPARK_SECRET_KEY/,
    );
    await server.execute(url, 'insert into schema_version values (99)');
    const newer = await place.respark(['serve', '--port', '0'], { env: environment(url) });
    assert.match(newer.stderr, /schema version 99, but this program only knows versions up to/);
  });

  test('an operator’s commands use the database, from any machine', async (t) => {
    const url = await server.emptyDatabase(t);
    const node = await serve(t, url);
    const player = await node.connect();
    await sdkOf(node).send(new DisconnectPlayerCommand({ ...demo, PlayerId: player.playerId }));
    await player.closed;
    const place = createWorkplace(t);
    const env = environment(url);
    const keys = await place.respark(['keys', 'list'], { env });
    assert.equal(keys.exitCode, 0, keys.stderr);
    // The node moves its journal within a second.
    let audit = '';
    await until(async () => {
      audit = (await place.respark(['audit', '--operation', 'DisconnectPlayer'], { env })).stdout;
      return audit.includes('DisconnectPlayer');
    });
    assert.match(audit, /DisconnectPlayer +ROOTKEY .* done, 1 closed, 0 not proven closed/);
    const backup = await place.respark(['backup', 'all.tar.gz'], { env });
    assert.equal(backup.exitCode, 1);
    assert.match(backup.stderr, /pg_dump/);
  });
});

describe('[postgres] a node whose database', { skip }, () => {
  test('is killed and comes back answers retryable errors meanwhile, loses nothing that it acknowledged, and goes on', async (t) => {
    const url = await server.emptyDatabase(t);
    const node = await serve(t, url);
    const sdk = sdkOf(node);
    const made: string[] = [];
    const errors = new Set<string>();
    let isOver = false;
    const writing = (async () => {
      for (let number = 0; !isOver; number += 1) {
        const GameName = `game-${number}`;
        await sdk.send(new CreateGameCommand({ GameName })).then(
          () => made.push(GameName),
          (error: Error & { $metadata: { httpStatusCode?: number } }) =>
            errors.add(`${error.name} ${error.$metadata.httpStatusCode}`),
        );
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
    })();
    await until(() => made.length >= 5);
    await server.kill();
    assert.equal((await fetch(`${node.url}/readyz`)).status, 503);
    assert.match(await (await fetch(`${node.url}/readyz`)).text(), /store/);
    assert.equal((await fetch(`${node.url}/healthz`)).status, 200);
    await until(() => errors.size > 0);
    await server.restart();
    const before = made.length;
    await until(() => made.length >= before + 5);
    isOver = true;
    await writing;
    assert.deepEqual([...errors], ['InternalServerException 500']);
    assert.equal((await fetch(`${node.url}/readyz`)).status, 200);
    const { Games = [] } = await sdk.send(new ListGamesCommand({ MaxResults: 100 }));
    const names = new Set(Games.map(({ Name }) => Name));
    assert.deepEqual(
      made.filter((name) => !names.has(name)),
      [],
    );
  });

  test('is paused answers errors in time, and players stay connected', async (t) => {
    const node = await serve(t, await server.emptyDatabase(t));
    const player = await node.connect();
    const sdk = sdkOf(node);
    server.pause();
    try {
      const startedAt = performance.now();
      // What is remembered may be answered for a second, a change never is.
      await assert.rejects(sdk.send(new CreateGameCommand({ GameName: 'Paused' })), {
        name: 'InternalServerException',
      });
      await assert.rejects(sdk.send(new GetStageCommand(demo)), { name: 'InternalServerException' });
      assert.ok(performance.now() - startedAt < 12_000);
      assert.equal((await fetch(`${node.url}/readyz`)).status, 503);
      player.request('1', 'GameSparks.Identity.GetPlayerToken');
      await player.next((frame) => frame.kind === 'response');
    } finally {
      server.resume();
    }
    let name: string | undefined;
    await until(async () => {
      name = await sdk.send(new GetStageCommand(demo)).then(
        ({ Stage }) => Stage?.Name,
        () => undefined,
      );
      return name !== undefined;
    });
    assert.equal(name, 'Dev');
    await sdk.send(new CreateGameCommand({ GameName: 'After' }));
  });

  test('takes no writes stays ready for a fail-over of seconds, and then says so until it takes some', async (t) => {
    const url = await server.emptyDatabase(t);
    const node = await serve(t, url);
    const ready = async () => {
      const reply = await fetch(`${node.url}/readyz`);
      return `${reply.status} ${await reply.text()}`;
    };
    const takeWrites = async (isOn: boolean) => {
      const all = new URL('/postgres', url).href;
      await server.execute(all, `alter system set default_transaction_read_only = ${isOn ? 'off' : 'on'}`);
      await server.execute(all, 'select pg_reload_conf()');
    };
    t.after(() => takeWrites(true));
    await takeWrites(false);
    const changedAt = performance.now();
    await until(() =>
      sdkOf(node)
        .send(new CreateGameCommand({ GameName: 'Refused' }))
        .then(
          () => false,
          ({ name }: Error) => name === 'InternalServerException',
        ),
    );
    assert.equal(await ready(), '200 ready\n');
    let said = '';
    await until(async () => {
      said = await ready();
      return said.startsWith('503');
    });
    assert.equal(said, '503 not ready: store takes no writes\n');
    assert.ok(performance.now() - changedAt > 9_000);
    await takeWrites(true);
    await until(async () => (await ready()) === '200 ready\n');
    await sdkOf(node).send(new CreateGameCommand({ GameName: 'Made' }));
  });
});
