import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { CreateGameCommand } from '@aws-sdk/client-gamesparks';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import { createWorkplace, RESPARK } from '../support/process.ts';

/** A user whose files are open to everybody unless a program sees to it. */
const UMASK_0 = ['sh', '-c', 'umask 0; exec "$@"', 'sh'];

/** Of util-linux: runs a command on a terminal of its own. */
const SCRIPT = 'script';
const CTRL_C = '\u0003';

/** Mode by name, the directory itself as "."; of files that are gone again, nothing. */
function modesOf(directory: string): Map<string, string> {
  const modes = new Map<string, string>();
  for (const name of ['.', ...readdirSync(directory)]) {
    const found = statSync(join(directory, name), { throwIfNoEntry: false });
    if (found !== undefined) modes.set(name, (found.mode & 0o777).toString(8));
  }
  return modes;
}

function assertPrivate(directory: string): void {
  for (const [name, mode] of modesOf(directory)) assert.equal(mode, name === '.' ? '700' : '600', name);
}

/** Looks at a directory without a pause until the returned function is called, which tells what was ever open to others. */
function watchModes(directory: string): () => Promise<string[]> {
  const open = new Set<string>();
  let isLooking = true;
  const looking = (async () => {
    while (isLooking) {
      for (const [name, mode] of modesOf(directory)) if (name !== '.' && mode !== '600') open.add(`${name} ${mode}`);
      await setImmediate();
    }
  })();
  return async () => {
    isLooking = false;
    await looking;
    return [...open];
  };
}

function hasScript(): boolean {
  return spawnSync(SCRIPT, ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;
}

describe('the data directory', () => {
  it('keeps a server from being ready that has lost it, until it is back', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve();
    const ready = async () => {
      const response = await fetch(new URL('/readyz', server.url));
      return [response.status, await response.text()];
    };
    assert.deepEqual(await ready(), [200, 'ready\n']);
    renameSync(server.dataDir, `${server.dataDir}-moved`);
    assert.deepEqual(await ready(), [503, 'not ready: data directory\n']);
    renameSync(`${server.dataDir}-moved`, server.dataDir);
    assert.deepEqual(await ready(), [200, 'ready\n']);
  });

  it("is its owner's alone from the creation of every file on, whatever the umask", async (t) => {
    const place = createWorkplace(t);
    const dataDir = join(place.directory, 'respark-data');
    // Here already, as open as a volume can be, so that it can be looked at from before the first file.
    mkdirSync(dataDir);
    const stopWatching = watchModes(dataDir);
    const server = await place.serve(['--demo'], { wrap: UMASK_0 });
    assertPrivate(dataDir);
    assert.equal((await place.respark(['keys', 'rotate-root'], { wrap: UMASK_0 })).exitCode, 0);
    server.child.kill('SIGTERM');
    assert.equal((await server.ended()).exitCode, 0);
    assert.deepEqual(await stopWatching(), []);
    assertPrivate(dataDir);
  });

  it('is made for its owner alone, with what is missing above it', async (t) => {
    const place = createWorkplace(t);
    const { dataDir } = await place.serve(['--data-dir', 'deep/below'], { wrap: UMASK_0 });
    assert.equal(dataDir, join(place.directory, 'deep', 'below'));
    assertPrivate(dataDir);
  });

  it('stays private when a server is killed and started again', async (t) => {
    const place = createWorkplace(t);
    const first = await place.serve(['--demo'], { wrap: UMASK_0 });
    first.child.kill('SIGKILL');
    await first.ended();
    assertPrivate((await place.serve(['--demo'], { wrap: UMASK_0 })).dataDir);
  });
});

describe('a data directory without its audit log', () => {
  it('stays so until a server says it, whatever commands look at it before', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve();
    server.child.kill('SIGTERM');
    await server.ended();
    for (const end of ['', '-wal', '-shm']) rmSync(join(server.dataDir, `audit.sqlite${end}`), { force: true });
    for (const command of [['audit'], ['audit', 'verify', '--offline'], ['keys', 'list'], ['doctor']]) {
      const { exitCode, stdout, stderr } = await place.respark(command);
      assert.equal(exitCode, 1, command.join(' '));
      assert.match(stdout + stderr, /audit\.sqlite is missing in the data directory \S+: put it back from where/);
    }
    assert.ok(!existsSync(join(server.dataDir, 'audit.sqlite')));
    const backup = await place.respark(['backup', join(place.directory, 'without-audit')]);
    assert.equal(backup.exitCode, 0, backup.stderr);
    assert.match(backup.stderr, /^It lacks what the data directory lacks: audit\.sqlite\. If that was there/m);
    const next = await place.serve();
    await next.printed(/"missing":\["audit\.sqlite"\]/);
    assert.equal((await place.respark(['keys', 'list'])).exitCode, 0);
    assert.doesNotMatch((await place.respark(['backup', join(place.directory, 'with-audit')])).stderr, /lacks/);
  });
});

describe('the secret of the root key', () => {
  const skip = hasScript() ? false : `there is no ${SCRIPT} of util-linux to make the terminal`;
  it('is printed to a terminal when it is new, and only then', { skip }, async (t) => {
    const place = createWorkplace(t);
    const onTerminal = [SCRIPT, '-qefc', ['exec', ...RESPARK, 'serve', '--port', '0'].join(' '), '/dev/null'];
    const first = place.start(onTerminal);
    const [, secret = '', file] = await first.printed(/Its secret +(\w{40}) \(also in (\S+)\)/);
    assert.equal(file, join(place.directory, 'respark-data', 'root-credentials'));
    first.child.stdin.write(CTRL_C);
    assert.equal((await first.ended()).exitCode, 0);

    const second = place.start(onTerminal);
    await second.printed(/Its secret +in /);
    second.child.stdin.write(CTRL_C);
    assert.equal((await second.ended()).exitCode, 0);
    const third = await place.serve();
    assert.equal(third.credentials.secretAccessKey, secret);
    assert(!`${second.out()}${third.out()}${third.err()}`.includes(secret));
  });

  it('is not printed to a pipe, which names the file instead', async (t) => {
    const server = await createWorkplace(t).serve();
    assert.match(server.out(), /Its secret +in \S+\/root-credentials\n/);
    assert(!`${server.out()}${server.err()}`.includes(server.credentials.secretAccessKey));
  });
});

describe('the log', () => {
  it('has no secret, token, signature or body in it, not even at "debug"', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo', '--log-level', 'debug']);
    const body = JSON.stringify({ GameName: 'Other', Description: 'words-of-a-body' });
    const call = { method: 'POST', url: new URL('/game', server.url), body: Buffer.from(body), region: 'us-east-1' };
    const headers = signRequest({ ...call, ...server.credentials, nowMs: Date.now() });
    const [, signature = ''] = /Signature=(\w{64})/.exec(String(headers.authorization)) ?? [];
    assert.notEqual(signature, '');
    const replies = await Promise.all([
      fetch(call.url, { method: 'POST', headers, body }),
      fetch(call.url, { method: 'POST', headers, body: `${body} ` }),
    ]);
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 403]);
    await assert.rejects(server.sdk().send(new CreateGameCommand({ GameName: 'Other' })), {
      name: 'ConflictException',
    });

    const player = await server.connect();
    const token = await player.token();
    const again = await server.connect({ token });
    again.request('1', 'words-of-a-type');
    await again.next((frame) => frame.kind === 'error');
    const refused = 'a.token.made-up';
    await assert.rejects(server.connect({ token: refused }), /closed with 4503/);
    const key = JSON.parse(
      (await place.respark(['keys', 'create', '--json', '--policy', '-'], { stdin: POLICY })).stdout,
    );
    const moderator = server.sdk({ credentials: key });
    await assert.rejects(moderator.send(new CreateGameCommand({ GameName: 'Third' })), {
      name: 'AccessDeniedException',
    });
    server.child.kill('SIGTERM');
    const { stderr, exitCode } = await server.ended();
    assert.equal(exitCode, 0);

    assert.match(stderr, /"player connected"/);
    assert.match(stderr, new RegExp(`"connectionId":"${again.connectionId}"`));
    const secrets = { secret: server.credentials.secretAccessKey, newSecret: key.secretAccessKey, signature, token };
    const words = { refused, body: 'words-of-a-body' };
    for (const [name, text] of Object.entries({ ...secrets, ...words })) assert(!stderr.includes(text), name);
    for (const part of token.split('.')) assert(!stderr.includes(part), 'no part of a token either');
  });
});

const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'gamesparks:ListGames', Resource: '*' }],
});
