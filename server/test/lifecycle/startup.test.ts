import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GameSparksClient, ListGamesCommand } from '@aws-sdk/client-gamesparks';
import Libsql from 'libsql';
import { createWorkplace, type Ended } from '../support/process.ts';
import { serveHere } from '../support/serve-here.ts';
import { temporaryDirectory, until } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

/** One line that says why, nothing else, and the exit code that scripts go by: 1 = could not, 2 = asked in a wrong way. */
function assertRefused({ exitCode, signal, stdout, stderr }: Ended, expected: { exitCode: 1 | 2; says: RegExp }): void {
  assert.deepEqual({ exitCode, signal, stdout }, { exitCode: expected.exitCode, signal: null, stdout: '' }, stderr);
  assert.match(stderr, expected.says);
  assert.match(stderr, /^[^\n]+\n$/);
  assert.doesNotMatch(stderr, /^\s+at |Error:/m);
}

async function takePort(t: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('a server that cannot start says why in one line', () => {
  it('when its port is taken', async (t) => {
    const port = await takePort(t);
    assertRefused(await createWorkplace(t).respark(['serve', '--port', String(port)]), {
      exitCode: 1,
      says: new RegExp(`^port ${port} of 127\\.0\\.0\\.1 is taken: stop what listens there, or set RESPARK_PORT$`, 'm'),
    });
  });

  it('when the port of the players is taken', async (t) => {
    const taken = await takePort(t);
    const env = { RESPARK_PORT: '0', RESPARK_PLAYER_PORT: String(taken) };
    assertRefused(await serveHere(temporaryDirectory(t), [], env), {
      exitCode: 1,
      says: new RegExp(`^port ${taken} of 127\\.0\\.0\\.1 is taken: .*set RESPARK_PLAYER_PORT$`, 'm'),
    });
  });

  it('when the address is not one of this machine', async (t) => {
    assertRefused(await serveHere(temporaryDirectory(t), ['--port', '0', '--host', '192.0.2.1']), {
      exitCode: 1,
      says: /^192\.0\.2\.1 is not an address of this machine: set RESPARK_HOST$/m,
    });
  });

  it('when another server has the data directory, and that one serves on', async (t) => {
    const place = createWorkplace(t);
    const first = await place.serve(['--demo']);
    assertRefused(await serveHere(place.directory, ['--port', '0']), {
      exitCode: 1,
      says: /^a server is using the data directory \S+: stop it \(http:\S+\), or set RESPARK_DATA_DIR$/m,
    });
    assert.equal((await first.sdk().send(new ListGamesCommand({}))).Games?.length, 1);
    assert((await place.respark(['env'])).stdout.includes(first.url), 'its running.json is still there');
  });

  it('not when the server before it was killed', async (t) => {
    const place = createWorkplace(t);
    const first = await place.serve();
    first.child.kill('SIGKILL');
    await first.ended();
    await place.serve();
  });

  it('when the data directory is a file, or below one', async (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, 'file'), 'mine');
    assertRefused(await serveHere(directory, ['--data-dir', 'file']), {
      exitCode: 1,
      says: /^the data directory \S+\/file is not a directory: set RESPARK_DATA_DIR$/m,
    });
    assertRefused(await serveHere(directory, ['--data-dir', 'file/below']), {
      exitCode: 1,
      says: /^cannot use the data directory \S+\/file\/below: a part of its path is not a directory \(ENOTDIR\): .*RESPARK_DATA_DIR/m,
    });
  });

  const isRoot = process.getuid?.() === 0;
  it('when the data directory may not be entered (skipped for root, who may)', { skip: isRoot }, async (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, 'closed'), { mode: 0o000 });
    assertRefused(await serveHere(directory, ['--port', '0', '--data-dir', 'closed/inside']), {
      exitCode: 1,
      says: /^cannot use the data directory \S+\/closed\/inside: the user that runs this has no permission \(EACCES\): .*RESPARK_DATA_DIR/m,
    });
  });

  it('when others keep files in the data directory, and it leaves them as they are', async (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, 'home'), { mode: 0o755 });
    writeFileSync(join(directory, 'home', 'letter'), 'mine');
    assertRefused(await serveHere(directory, ['--data-dir', 'home']), {
      exitCode: 1,
      says: /^the data directory \S+\/home contains files that are not Respark's.*chmod 700/m,
    });
    assert.deepEqual(readdirSync(join(directory, 'home')), ['letter']);
  });

  it('when the database is no database', async (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, 'respark-data'), { mode: 0o700 });
    writeFileSync(join(directory, 'respark-data', 'respark.sqlite'), 'This is a letter.'.repeat(100));
    const env = { RESPARK_SECRET_KEY: randomBytes(32).toString('base64') };
    assertRefused(await serveHere(directory, ['--port', '0'], env), {
      exitCode: 1,
      says: /^cannot use the database \S+\/respark\.sqlite: .*not a database/m,
    });
  });

  it('when a newer program made the database', async (t) => {
    const directory = temporaryDirectory(t);
    assert.equal((await serveHere(directory, ['--port', '0'])).exitCode, 0);
    const database = new Libsql(join(directory, 'respark-data', 'respark.sqlite'));
    database.exec('INSERT INTO schema_version VALUES (99)');
    database.close();
    assertRefused(await serveHere(directory, ['--port', '0']), {
      exitCode: 1,
      says: /^the database has schema version 99, but this program only knows versions up to \d+: start a newer respark/m,
    });
  });

  it('when the secret key is not the one of the database, without telling either', async (t) => {
    const directory = temporaryDirectory(t);
    assert.equal((await serveHere(directory, ['--port', '0'])).exitCode, 0);
    const RESPARK_SECRET_KEY = randomBytes(32).toString('base64');
    const refused = await serveHere(directory, ['--port', '0'], { RESPARK_SECRET_KEY });
    assertRefused(refused, {
      exitCode: 1,
      says: /^the secret key is not the one that this database is sealed with: set RESPARK_SECRET_KEY to that one/m,
    });
    assert(!refused.stderr.includes(RESPARK_SECRET_KEY));
    // It was right before, and is again.
    assert.equal((await serveHere(directory, ['--port', '0'])).exitCode, 0);
  });

  const [first, second] = [tlsFiles('first'), tlsFiles('second')];
  const nowhere = '/nowhere/at-all.pem';
  for (const [fault, certFile, keyFile, says] of [
    ['is missing', nowhere, nowhere, /ENOENT/],
    ['is empty', first.certFile, '/dev/null', /\/dev\/null is empty/],
    ['is no PEM', first.certFile, fileURLToPath(import.meta.url), /no start line|unsupported/],
    ['is not that of the certificate', first.certFile, second.keyFile, /key values mismatch/],
  ] as const) {
    it(`when the TLS key ${fault}`, async (t) => {
      const env = { RESPARK_PORT: '0', RESPARK_TLS_CERT_FILE: certFile, RESPARK_TLS_KEY_FILE: keyFile };
      const refused = await serveHere(temporaryDirectory(t), [], env);
      assertRefused(refused, { exitCode: 1, says });
      assert(refused.stderr.startsWith(`cannot use the TLS files ${certFile} and ${keyFile}: `));
      assert.match(refused.stderr, /: set RESPARK_TLS_CERT_FILE and RESPARK_TLS_KEY_FILE/);
    });
  }

  it('when the clock is before 1970', async (t) => {
    const place = createWorkplace(t);
    const clock = 'Date.now = () => -1;';
    const env = { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(clock)}` };
    assertRefused(await place.respark(['serve'], { env }), {
      exitCode: 1,
      says: /^the clock of this machine says 1969-12-31T23:59:59\.999Z, which is before 1970: set it, and keep it in time$/m,
    });
    assert.deepEqual(readdirSync(place.directory), [], 'nothing was made');
  });

  it('when a setting is bad', async (t) => {
    const place = createWorkplace(t);
    assertRefused(await place.respark(['serve'], { env: { RESPARK_PORT: '80a' } }), {
      exitCode: 2,
      says: /^RESPARK_PORT must be 0-65535, got "80a" \(from the environment\)$/m,
    });
    assert.deepEqual(readdirSync(place.directory), [], 'nothing was made');
  });

  for (const [title, args, env, says] of [
    ['a setting is unknown', [], { RESPARK_PROT: '8081' }, /^RESPARK_PROT is not a setting .*; use RESPARK_PORT$/m],
    ['a flag is bad', ['--max-games', '-1'], {}, /^--max-games must be 1-100000, got "-1" \(from the command line\)$/m],
    ['a flag is unknown', ['--prot', '1'], {}, /unknown option '--prot'.*--port.*--help/],
    ['an argument is too many', ['now'], {}, /too many arguments.*--help/],
    [
      'Kubernetes has set the port for a Service of that name',
      [],
      { RESPARK_PORT: 'tcp://10.0.0.1:8080', RESPARK_SERVICE_HOST: '10.0.0.1', RESPARK_PORT_8080_TCP_ADDR: '10.0.0.1' },
      /^RESPARK_PORT .*: Kubernetes sets it for a Service named "respark"; rename the Service, .* or give --port$/m,
    ],
    [
      'one of the root pair is alone',
      [],
      { RESPARK_ROOT_ACCESS_KEY_ID: 'AKIAROOT' },
      /^RESPARK_ROOT_ACCESS_KEY_ID is set without RESPARK_ROOT_SECRET_ACCESS_KEY; set both or neither$/m,
    ],
    [
      'the other one is alone',
      [],
      { RESPARK_ROOT_SECRET_ACCESS_KEY: 'not-to-be-shown-in-any-message-at-all' },
      /^RESPARK_ROOT_SECRET_ACCESS_KEY is set without RESPARK_ROOT_ACCESS_KEY_ID; set both or neither$/m,
    ],
    [
      'a TLS key has no certificate',
      [],
      { RESPARK_TLS_KEY_FILE: 'key.pem' },
      /^RESPARK_TLS_KEY_FILE is set without RESPARK_TLS_CERT_FILE; set both or neither$/m,
    ],
    [
      'the secret key is short',
      [],
      { RESPARK_SECRET_KEY: 'not-to-be-shown-in-any-message-at-all' },
      /^RESPARK_SECRET_KEY must be 32 random bytes in base64, .* got something else \(not shown\)/m,
    ],
    [
      'a secret is there twice',
      [],
      { RESPARK_SECRET_KEY: Buffer.alloc(32).toString('base64'), RESPARK_SECRET_KEY_FILE: 'key' },
      /^RESPARK_SECRET_KEY and RESPARK_SECRET_KEY_FILE are both set; set only one of them$/m,
    ],
    [
      'the file of a secret is not there',
      [],
      { RESPARK_SECRET_KEY_FILE: 'nowhere' },
      /^RESPARK_SECRET_KEY_FILE must name a file that can be read, got "nowhere" \(ENOENT\)$/m,
    ],
  ] as const) {
    it(`when ${title}`, async (t) => {
      const directory = temporaryDirectory(t);
      const refused = await serveHere(directory, args, env);
      assertRefused(refused, { exitCode: 2, says });
      assert.doesNotMatch(refused.stderr, /not-to-be-shown|AAAA/);
      assert.deepEqual(readdirSync(directory), [], 'nothing was made');
    });
  }
});

describe('a server starts', () => {
  it('in a pod, whatever Kubernetes says about a Service named respark, when its port is a flag', async (t) => {
    const env = {
      RESPARK_SERVICE_HOST: '10.0.0.1',
      RESPARK_SERVICE_PORT: '8080',
      RESPARK_SERVICE_PORT_HTTP: '8080',
      RESPARK_PORT: 'tcp://10.0.0.1:8080',
      RESPARK_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
      RESPARK_PORT_8080_TCP_PROTO: 'tcp',
      RESPARK_PORT_8080_TCP_PORT: '8080',
      RESPARK_PORT_8080_TCP_ADDR: '10.0.0.1',
    };
    await createWorkplace(t).serve([], { env });
  });

  it('with its secrets from files, and leaves no copy of them in the data directory', async (t) => {
    const place = createWorkplace(t);
    const secretAccessKey = randomBytes(20).toString('hex');
    const secretKey = randomBytes(32).toString('base64');
    writeFileSync(join(place.directory, 'root'), `${secretAccessKey}\n`);
    writeFileSync(join(place.directory, 'key'), `${secretKey}\n`);
    const env = {
      RESPARK_ROOT_ACCESS_KEY_ID: 'AKIAROOT',
      RESPARK_ROOT_SECRET_ACCESS_KEY_FILE: 'root',
      RESPARK_SECRET_KEY_FILE: 'key',
    };
    const server = await place.serve([], { env });
    await server.sdk({ credentials: { accessKeyId: 'AKIAROOT', secretAccessKey } }).send(new ListGamesCommand({}));
    assert(!readdirSync(server.dataDir).some((file) => ['secret.key', 'root-credentials'].includes(file)));
    for (const file of readdirSync(server.dataDir)) {
      const content = readFileSync(join(server.dataDir, file), 'latin1');
      assert(!content.includes(secretAccessKey) && !content.includes(secretKey), file);
    }
  });

  it('with a root key from the settings, which wins over the stored one while it is there', async (t) => {
    const place = createWorkplace(t);
    const stored = await place.serve();
    stored.child.kill('SIGTERM');
    await stored.ended();
    const credentials = { accessKeyId: 'AKIAROOT', secretAccessKey: 'of-the-settings-and-long-enough-for-them' };
    const env = {
      RESPARK_ROOT_ACCESS_KEY_ID: credentials.accessKeyId,
      RESPARK_ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    };
    const server = await place.serve([], { env });
    await server.sdk({ credentials }).send(new ListGamesCommand({}));
    await assert.rejects(server.sdk({ credentials: stored.credentials }).send(new ListGamesCommand({})), {
      name: 'UnrecognizedClientException',
    });
    server.child.kill('SIGTERM');
    await server.ended();
    await (await place.serve()).sdk().send(new ListGamesCommand({}));
  });
});

describe('a server that nobody listens to', () => {
  for (const broken of [['stdout'], ['stderr'], ['stdout', 'stderr']] as const) {
    it(`serves on when its ${broken.join(' and ')} cannot be written, and drains with 0`, async (t) => {
      const place = createWorkplace(t);
      const running = place.startRespark(['serve', '--port', '0', '--log-level', 'debug']);
      for (const name of broken) running.child[name].destroy();
      const read = (name: string) => JSON.parse(readFileSync(join(place.directory, 'respark-data', name), 'utf8'));
      await until(() => existsSync(join(place.directory, 'respark-data', 'running.json')));
      const credentials = read('root-credentials');
      const sdk = new GameSparksClient({ endpoint: read('running.json').url, region: 'eu-west-9', credentials });
      for (let call = 0; call < 5; call += 1) await sdk.send(new ListGamesCommand({}));
      running.child.kill('SIGTERM');
      assert.equal((await running.ended()).exitCode, 0);
    });
  }
});
