import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSettings } from '../../src/config/config.ts';
import { buildImage, copyContext, type Image, inImage, parseDockerfile } from '../support/dockerfile.ts';
import { createWorkplace } from '../support/process.ts';

/** Seen from server/dist/test/packaging. */
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const instructions = parseDockerfile(read('Dockerfile'));
const isRoot = process.getuid?.() === 0;

/** Gives the volume to the user that the image names, and lets no other file of the image be written. */
function protect({ root, volume, user }: Image): void {
  const [uid = 0, gid = 0] = user.split(':').map(Number);
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (path === join(root, volume)) {
      if (isRoot) chownSync(path, uid, gid);
    } else if (!entry.isSymbolicLink()) chmodSync(path, statSync(path).mode & 0o555);
  }
}

/** So that the folder can be removed. */
function unprotect(directory: string): void {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true }))
    if (entry.isDirectory()) unprotect(join(directory, entry.name));
}

describe('the Dockerfile', () => {
  it('runs the Node.js of this repository as an ordinary user, with a volume, a port and a health check', () => {
    const textOf = (name: string) => instructions.filter((step) => step.name === name).map(({ text }) => text);
    const bases = textOf('FROM').map((text) => text.split(' ')[0]);
    assert.deepEqual(new Set(bases), new Set([`node:${read('.nvmrc').trim()}-bookworm-slim`]));
    const [volume = ''] = textOf('VOLUME');
    assert.match(textOf('ENV').join(), new RegExp(`RESPARK_DATA_DIR=${volume}( |$)`));
    assert.deepEqual(textOf('EXPOSE'), [String(loadSettings({ env: {}, flags: {} }).port)]);
    assert.match(textOf('USER').at(-1) ?? '', /^[1-9]\d*:[1-9]\d*$/);
    assert.equal(textOf('HEALTHCHECK').length, 1);
  });

  it('builds what serves from a read-only folder, is healthy, and stops when it is told to', {
    skip: process.env.CI !== 'true' && 'installs and builds everything once more, for a minute: CI=true does it',
  }, async (t) => {
    // Its hook is added first, so that it runs before the folder is removed.
    let release = () => {};
    t.after(() => release());
    const place = createWorkplace(t);
    // Others than the owner may enter it too.
    chmodSync(place.directory, 0o755);
    const context = join(place.directory, 'context');
    copyContext(ROOT, context);
    for (const name of ['node_modules', 'server/dist', '.git', 'bench/node_modules'])
      assert(!existsSync(join(context, name)), `${name} is not sent to the builder`);
    const image = await buildImage({ instructions, context, scratch: join(place.directory, 'stages') });
    const files = readdirSync(image.root, { recursive: true }).map(String);
    const left =
      /^respark\/(protocol|client|server)\/.*(\.(test|contract)\.|\.map$)|node_modules\/(typescript|@libsql\/.*-musl)\//;
    assert.deepEqual(
      files.filter((file) => left.test(file)),
      [],
    );
    release = () => unprotect(image.root);
    protect(image);

    // The user of the image may not enter the folder of the Node.js that runs this test.
    const bin = join(place.directory, 'bin');
    mkdirSync(bin);
    copyFileSync(process.execPath, join(bin, 'node'));
    const [uid = '', gid = ''] = image.user.split(':');
    const asUser = isRoot ? ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'] : [];
    const env = {
      ...Object.fromEntries(Object.entries(image.env).map(([name, value]) => [name, inImage(image, value)])),
      PATH: inImage(image, image.env.PATH ?? '').replace('$PATH', `${bin}:${process.env.PATH}`),
      ...{ HOME: '/nowhere', TMPDIR: '/nowhere', RESPARK_PORT: '0' },
    };
    const start = (words: readonly string[]) =>
      place.start(
        words.map((word) => inImage(image, word)).filter((word) => !word.startsWith('--disable') || knowsFlag(word)),
        { cwd: join(image.root, image.workdir), env, wrap: asUser },
      );
    assert.notEqual((await start(['touch', 'probe']).ended()).exitCode, 0, 'the folder is read-only');
    assert.equal((await start(image.health).ended()).exitCode, 1);

    const server = start([...image.entrypoint, ...image.command]);
    await server.printed(/^Respark is serving\.$/m);
    assert.deepEqual(
      { ...(await start(image.health).ended()) },
      { exitCode: 0, signal: null, stdout: 'ok\n', stderr: '' },
    );
    const environment = await start(['respark', 'env']).ended();
    assert.match(environment.stdout, /^export AWS_ACCESS_KEY_ID=/m);
    server.child.kill('SIGTERM');
    const { exitCode, stderr } = await server.ended();
    assert.equal(exitCode, 0, stderr);
    assert.equal((await start(image.health).ended()).exitCode, 1);
    assert(existsSync(join(image.root, image.volume, 'respark.sqlite')));
  });
});

/** The image has a newer Node.js than this process may have. */
function knowsFlag(flag: string): boolean {
  return process.allowedNodeEnvironmentFlags.has(flag);
}
