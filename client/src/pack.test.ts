import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const WORKSPACE = fileURLToPath(new URL('../../../', import.meta.url));

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'respark-pack-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs `npm pack` in a folder of the workspace, for a tarball in `into`. */
async function pack(folder: string, into: string): Promise<Packed> {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', into], { cwd: join(WORKSPACE, folder) });
  // What the scripts of the package print comes before; newer versions of npm answer with an object by name.
  const [packed] = Object.values<Packed>(JSON.parse(stdout.slice(stdout.search(/^[[{]/m))));
  assert.ok(packed !== undefined);
  return packed;
}

/** Installs tarballs in an empty folder, without any registry, and runs a script there. */
async function runBeside(t: TestContext, tarballs: readonly string[], script: string): Promise<string> {
  const cwd = join(temporaryDirectory(t), 'game');
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'package.json'), '{ "private": true }');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', ...tarballs], { cwd });
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd });
  return stdout;
}

const SCRIPT = `
  import { ResparkClient } from '@respark/client';
  const client = new ResparkClient({ url: 'https://play.example', gameKey: 'key', WebSocket: class {
    constructor(url, protocols) { console.log(url, protocols); }
    addEventListener() {}
    close() {}
    terminate() {}
  } });
  client.on('state', () => setImmediate(() => process.exit()));
  client.connect();
`;
const OPENED = "wss://play.example/connect [ 'respark.v1' ]\n";

function assertLean({ files, size }: Packed) {
  const paths = files.map(({ path }) => path);
  assert.deepEqual(
    paths.filter((path) => /\.map$|\.test\.|dist\/src\/test\/|tsbuildinfo|(?<!\.d)\.ts$/.test(path)),
    [],
  );
  for (const needed of ['LICENSE', 'README.md', 'package.json', 'dist/src/index.js', 'dist/src/index.d.ts']) {
    assert.ok(paths.includes(needed), needed);
  }
  assert.ok(size < 100_000, `${size} bytes`);
}

test('the packed SDK is all that an empty folder needs, without tests and source maps', async (t) => {
  const into = temporaryDirectory(t);
  const packed = await pack('client', into);
  assertLean(packed);
  assert.equal(await runBeside(t, [join(into, packed.filename)], SCRIPT), OPENED);
});

test('the packed SDK runs beside the packed protocol too', async (t) => {
  const into = temporaryDirectory(t);
  const [protocol, client] = [await pack('protocol', into), await pack('client', into)];
  assertLean(protocol);
  const tarballs = [join(into, protocol.filename), join(into, client.filename)];
  assert.equal(await runBeside(t, tarballs, SCRIPT), OPENED);
});
