import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type FakeReply, refusal, startFakeService } from '../../../test/support/fake-service.ts';
import { tlsFiles } from '../../../test/support/tls-files.ts';
import { createTestWorld, ROOT } from '../../../test/support/world.ts';
import { StartupError, UnmigratedError } from '../../startup-error.ts';

type Main = NonNullable<NonNullable<Parameters<typeof createTestWorld>[0]>['main']>;

function makeDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'respark-doctor-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** A directory for PATH with an `aws` that ends with this exit code. */
function makePath(t: TestContext, exitCode: number, program = 'aws'): string {
  const directory = makeDirectory(t);
  writeFileSync(join(directory, program), `#!/bin/sh\nexit ${exitCode}\n`, { mode: 0o755 });
  return directory;
}

async function serveDate(t: TestContext, skewMs: number): Promise<string> {
  const service = createServer((_, response) => {
    response.writeHead(200, { date: new Date(Date.now() + skewMs).toUTCString() }).end();
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  t.after(() => {
    service.closeAllConnections();
    service.close();
  });
  return `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
}

async function diagnose({
  dataDir = '/nowhere/respark-data',
  env = {},
  url,
  root,
  platform = 'linux',
  openAdministration,
  examineRedis = async () => [],
  examineDatabase = async () => [],
  findDamagedFiles = async () => [],
  missing = [],
}: {
  platform?: NodeJS.Platform;
  dataDir?: string;
  env?: Record<string, string>;
  url?: string;
  root?: typeof ROOT;
  openAdministration?: Main['openAdministration'];
  examineRedis?: Main['examineRedis'];
  examineDatabase?: Main['examineDatabase'];
  findDamagedFiles?: Main['findDamagedFiles'];
  missing?: readonly string[];
}) {
  const local = { ...(root === undefined ? {} : { root }), ...(url === undefined ? {} : { url }) };
  const world = createTestWorld({
    env,
    platform,
    local,
    main: {
      ...(openAdministration === undefined ? {} : { openAdministration }),
      ...{ examineRedis, examineDatabase, findDamagedFiles, findMissingDatabases: async () => missing },
    },
  });
  const exitCode = await world.run('doctor', '--json', '--data-dir', dataDir, '--max-connections', '1000');
  const findings = JSON.parse(world.out()) as { check: string; state: string; detail: string; advice?: string }[];
  return { exitCode, find: (check: string) => findings.find((finding) => finding.check === check) };
}

describe('doctor', () => {
  it('finds nothing that fails before the first start', async () => {
    const { exitCode, find } = await diagnose({});
    assert.equal(exitCode, 0);
    assert.match(find('Node.js')?.detail ?? '', new RegExp(`^${process.versions.node}`));
    assert.match(find('data directory')?.detail ?? '', /does not exist yet/);
    assert.equal(find('server')?.advice, 'respark serve');
    assert.equal(find('AWS CLI')?.detail, 'there is none on the PATH');
  });

  it('fails when other users can access the data directory or a file in it', async (t) => {
    const dataDir = join(makeDirectory(t), 'data');
    mkdirSync(dataDir, { mode: 0o700 });
    assert.equal((await diagnose({ dataDir })).find('data directory')?.state, 'ok');
    writeFileSync(join(dataDir, 'secret-key'), '', { mode: 0o644 });
    const { exitCode, find } = await diagnose({ dataDir });
    assert.equal(exitCode, 1);
    assert.match(find('data directory')?.detail ?? '', /can access secret-key$/);
    chmodSync(join(dataDir, 'secret-key'), 0o600);
    chmodSync(dataDir, 0o755);
    assert.equal((await diagnose({ dataDir })).find('data directory')?.state, 'fail');
  });

  it('fails when the secret key does not decrypt the stored secrets', async () => {
    const openAdministration = async () => {
      throw new StartupError('the secret key is not the one of this data directory');
    };
    const { exitCode, find } = await diagnose({ root: ROOT, openAdministration });
    assert.equal(exitCode, 1);
    assert.equal(find('secret key')?.detail, 'the secret key is not the one of this data directory');
  });

  it('looks at the secret key and the databases also where the settings have the root key, which is in no file then', async (t) => {
    const dataDir = join(makeDirectory(t), 'data');
    mkdirSync(dataDir, { mode: 0o700 });
    writeFileSync(join(dataDir, 'respark.sqlite'), '', { mode: 0o600 });
    const openAdministration = (async () => ({ close: async () => {} })) as unknown as Main['openAdministration'];
    const findDamagedFiles = async () => ['respark.sqlite is damaged'];
    const { exitCode, find } = await diagnose({ dataDir, openAdministration, findDamagedFiles });
    assert.equal(find('secret key')?.detail, 'decrypts the stored secrets');
    assert.deepEqual([exitCode, find('databases')?.detail], [1, 'respark.sqlite is damaged']);
  });

  it('tries the secret key also where the settings bring the root key, which then is in no file', async (t) => {
    const openAdministration = async () => {
      throw new StartupError('the secret key is not the one of this database');
    };
    const dataDir = makeDirectory(t);
    const before = await diagnose({ dataDir, openAdministration });
    assert.deepEqual([before.exitCode, before.find('secret key')?.state], [0, 'ok']);
    writeFileSync(join(dataDir, 'respark.sqlite'), '', { mode: 0o600 });
    assert.equal((await diagnose({ dataDir, openAdministration })).find('secret key')?.state, 'fail');
    const env = {
      RESPARK_DATABASE_URL: 'postgres://respark@db.example/respark',
      RESPARK_SECRET_KEY: Buffer.alloc(32).toString('base64'),
    };
    assert.equal((await diagnose({ env, openAdministration })).find('secret key')?.state, 'fail');
  });

  it('warns of a database that the next start upgrades, and finds nothing wrong with one without tables', async (t) => {
    const dataDir = makeDirectory(t);
    writeFileSync(join(dataDir, 'respark.sqlite'), '', { mode: 0o600 });
    for (const [version, state, detail] of [
      [0, 'ok', 'there is nothing that is encrypted yet'],
      [
        3,
        'warn',
        'not tried: the database has schema version 3, but this program needs 4: start the server once with this version of respark',
      ],
    ] as const) {
      const openAdministration = () => Promise.reject(new UnmigratedError(version, 4));
      const { exitCode, find } = await diagnose({ dataDir, openAdministration });
      assert.equal(exitCode, 0);
      assert.deepEqual(find('secret key'), { check: 'secret key', state, detail });
    }
  });

  it('warns of databases that the next start begins anew beside others', async (t) => {
    const found = await diagnose({ dataDir: makeDirectory(t), missing: ['respark.sqlite'] });
    assert.deepEqual(found.find('databases'), {
      check: 'databases',
      state: 'warn',
      detail: 'missing or empty, so that the next start begins them anew: respark.sqlite',
      advice: 'put them back from where the other files came, unless they were never there',
    });
  });

  it('looks at the Redis server of a cluster, and at none for a single node', async () => {
    const env = {
      RESPARK_REDIS_URL: 'redis://redis.example:6379',
      RESPARK_DATABASE_URL: 'postgres://respark@db.example/respark',
      RESPARK_SECRET_KEY: Buffer.alloc(32).toString('base64'),
      RESPARK_PUBLIC_URL: 'https://respark.example',
    };
    const finding = { state: 'fail', detail: 'it is a replica', advice: 'connect to the primary' } as const;
    const { exitCode, find } = await diagnose({ env, examineRedis: async () => [finding] });
    assert.deepEqual([exitCode, find('Redis')], [1, { check: 'Redis', ...finding }]);
    const away = await diagnose({ env, examineRedis: () => Promise.reject(new Error('connect ECONNREFUSED')) });
    assert.match(away.find('Redis')?.detail ?? '', /does not answer: connect ECONNREFUSED/);
    assert.equal((await diagnose({})).find('Redis'), undefined);
  });

  it('looks at the database, whose faults are not reported as those of the secret key', async () => {
    const env = {
      RESPARK_DATABASE_URL: 'postgres://respark@db.example/respark',
      RESPARK_SECRET_KEY: Buffer.alloc(32).toString('base64'),
    };
    const opened: unknown[] = [];
    const openAdministration = async (options: unknown) => {
      opened.push(options);
      throw new StartupError('the secret key is not the one of this database');
    };
    const finding = { state: 'warn', detail: 'fsync is off', advice: 'set fsync to on' } as const;
    const found = await diagnose({ env, root: ROOT, openAdministration, examineDatabase: async () => [finding] });
    assert.deepEqual(found.find('database'), { check: 'database', ...finding });
    assert.equal(found.find('secret key')?.state, 'fail');
    const away = new StartupError('cannot use the database "respark"');
    const examineDatabase = () => Promise.reject(away);
    const { exitCode, find } = await diagnose({ env, root: ROOT, openAdministration, examineDatabase });
    assert.deepEqual([exitCode, find('database')?.state], [1, 'fail']);
    assert.equal(find('database')?.detail, away.message);
    assert.equal(find('secret key'), undefined);
    assert.equal(opened.length, 1);
    assert.equal((await diagnose({})).find('database'), undefined);
  });

  it('compares the clock with that of the running server', async (t) => {
    for (const [skewMs, state] of [
      [0, 'ok'],
      [-120_000, 'warn'],
      [600_000, 'fail'],
    ] as const) {
      const { find } = await diagnose({ url: await serveDate(t, skewMs) });
      assert.equal(find('server')?.state, 'ok');
      assert.equal(find('clock')?.state, state);
    }
  });

  it('fails when the server that should be running does not answer', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const url = `http://127.0.0.1:${(gone.address() as AddressInfo).port}`;
    gone.close();
    await once(gone, 'close');
    const { exitCode, find } = await diagnose({ url });
    assert.equal(exitCode, 1);
    assert.match(find('server')?.detail ?? '', /does not answer: connection refused/);
  });

  it('says what to do about a certificate that has expired', async (t) => {
    const { certFile, keyFile } = tlsFiles('expired');
    const service = createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }).listen(
      0,
      '127.0.0.1',
    );
    await once(service, 'listening');
    t.after(() => service.close());
    const { find } = await diagnose({ url: `https://127.0.0.1:${(service.address() as AddressInfo).port}` });
    assert.match(find('server')?.detail ?? '', /does not answer: certificate has expired/);
    assert.match(find('server')?.advice ?? '', /^renew the certificate in the file of RESPARK_TLS_CERT_FILE/);
  });

  it('says whether the server accepts the credentials of the shell', async (t) => {
    const replies: Record<string, FakeReply> = {
      AKGOOD: { body: { Games: [] } },
      AKNARROW: refusal('AccessDeniedException', 'not allowed', 403),
      AKWRONG: refusal('InvalidSignatureException', 'check the secret access key', 403),
    };
    const { url } = await startFakeService(t, ({ headers }) => {
      const [, id = ''] = /Credential=(\w+)/.exec(headers.authorization ?? '') ?? [];
      return replies[id] ?? { body: '' };
    });
    const findingFor = async (env: Record<string, string>) => (await diagnose({ url, env })).find('credentials');
    const AWS_SECRET_ACCESS_KEY = 'secret';
    assert.equal(await findingFor({}), undefined);
    for (const AWS_ACCESS_KEY_ID of ['AKGOOD', 'AKNARROW']) {
      assert.equal((await findingFor({ AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }))?.state, 'ok');
    }
    const wrong = await findingFor({ AWS_ACCESS_KEY_ID: 'AKWRONG', AWS_SECRET_ACCESS_KEY });
    assert.equal(wrong?.state, 'warn');
    assert.match(wrong.detail, /^InvalidSignatureException: check the secret access key /);
    assert.equal(wrong.advice, 'eval "$(respark env)"');
    assert.equal((await findingFor({ AWS_ACCESS_KEY_ID: 'AKGOOD' }))?.state, 'warn');
  });

  it('looks beyond an AWS CLI that does not know the service', async (t) => {
    const without = makePath(t, 252);
    const known = makePath(t, 0);
    const base = process.env.PATH ?? '';
    const first = await diagnose({ env: { PATH: `${known}:${base}` } });
    assert.deepEqual(first.find('AWS CLI'), {
      check: 'AWS CLI',
      state: 'ok',
      detail: `${join(known, 'aws')} knows gamesparks`,
    });
    const second = await diagnose({ env: { PATH: `${without}:${known}` } });
    assert.equal(second.find('AWS CLI')?.advice, `call ${join(known, 'aws')}`);
    const none = await diagnose({ env: { PATH: without } });
    assert.deepEqual(none.find('AWS CLI'), {
      check: 'AWS CLI',
      state: 'warn',
      detail: `${join(without, 'aws')}: no support for gamesparks`,
      advice: 'add the service to it: respark aws-model --install',
    });
  });

  it('looks for what there is on Windows', async (t) => {
    const path = makePath(t, 0, 'aws.exe');
    const { find } = await diagnose({ env: { PATH: path }, platform: 'win32' });
    assert.equal(find('AWS CLI')?.detail, `${join(path, 'aws.exe')} knows gamesparks`);
    assert.equal(find('open files')?.state, 'ok');
  });

  it('reports faults of the settings and goes on with the rest', async () => {
    const { exitCode, find } = await diagnose({ env: { RESPARK_PORT: '80a' } });
    assert.equal(exitCode, 1);
    assert.equal(find('settings')?.detail, 'RESPARK_PORT must be 0-65535, got "80a" (from the environment)');
    assert.notEqual(find('AWS CLI'), undefined);
  });

  it('says in words what to do', async () => {
    const world = createTestWorld();
    await world.run('doctor', '--data-dir', '/nowhere/respark-data');
    assert.match(world.out(), /^warn {2}server: none is running on this data directory\n {6}→ respark serve\n/m);
  });

  it('warns of a proxy that takes the calls of AWS clients', async () => {
    const findingFor = async (env: Record<string, string>) => (await diagnose({ env })).find('proxy');
    const found = await findingFor({ http_proxy: 'http://127.0.0.1:9' });
    assert.deepEqual(found, {
      check: 'proxy',
      state: 'warn',
      detail: 'http_proxy is set and NO_PROXY does not exclude 127.0.0.1: AWS clients send their calls to the proxy',
      advice: 'eval "$(respark env)", or set NO_PROXY and no_proxy to 127.0.0.1',
    });
    assert.equal(await findingFor({ http_proxy: 'http://127.0.0.1:9', no_proxy: '127.0.0.1' }), undefined);
    assert.equal(await findingFor({}), undefined);
  });
});
