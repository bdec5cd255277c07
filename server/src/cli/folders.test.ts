import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileOf } from '../../test/support/game-document.ts';
import { scriptedGame } from '../../test/support/scripted-game.ts';
import { createTestWorld } from '../../test/support/world.ts';
import { temporaryDirectory } from '../store/test-store.ts';
import { stampOfFolder, writeProjectFile } from './folders.ts';

const SECRET = 'what is nobody else’s business';
const GREETS = 'return GameSparks().Messaging().Response({});';

/** A configuration's folder, the document that it was made of, and what a link in it may lead to. */
async function openFolder(t: TestContext) {
  const directory = temporaryDirectory(t);
  const [document, folder, victim, victims] = ['game.json', 'game', 'victim', 'victims'].map((name) =>
    join(directory, name),
  ) as [string, string, string, string];
  writeFileSync(document, fileOf(scriptedGame({ requests: { Greet: { script: GREETS } } })));
  writeFileSync(victim, SECRET);
  const run = async (...args: string[]) => {
    const world = createTestWorld();
    return { exitCode: await world.run(...args), out: world.out(), err: world.err() };
  };
  assert.equal((await run('unpack', document, folder)).exitCode, 0);
  /** Puts a link in the place of a file of the folder. */
  const link = (file: string, target = victim) => {
    rmSync(join(folder, file), { recursive: true, force: true });
    symlinkSync(target, join(folder, file));
    return join(folder, file);
  };
  return { document, folder, victim, victims, run, link };
}

function refusalOf(path: string): string {
  return `cannot use "${path}": it is a symbolic link, which may lead out of the folder: remove it, or put a file or folder of its own in its place\n`;
}

for (const file of ['handlers/Greet.js', 'handlers/Fish.js', 'messages/Greet.json', 'model.json', 'game.json']) {
  test(`pack reads nothing through a link in the folder: ${file}`, async (t) => {
    const { folder, run, link } = await openFolder(t);
    const path = link(file);
    assert.deepEqual(await run('pack', folder), { exitCode: 1, out: '', err: refusalOf(path) });
  });

  test(`unpack --force writes and removes nothing when this is a link: ${file}`, async (t) => {
    const { document, folder, victim, run, link } = await openFolder(t);
    const path = link(file);
    const kept = join(folder, 'messages/Old.json');
    writeFileSync(kept, '{}');
    const refused = { exitCode: 1, out: '', err: refusalOf(path) };
    assert.deepEqual(await run('unpack', document, folder, '--force'), refused);
    assert.deepEqual(await run('unpack', document, folder), refused);
    assert.equal(readFileSync(victim, 'utf8'), SECRET);
    assert.ok(existsSync(kept));
  });
}

for (const [what, make] of [
  ['a directory', (path: string) => mkdirSync(path)],
  ['a pipe, a socket or a device', (path: string) => execFileSync('mkfifo', [path])],
] as const) {
  test(`pack refuses ${what} in the place of a file`, { skip: process.platform === 'win32' }, async (t) => {
    const { folder, run } = await openFolder(t);
    const path = join(folder, 'handlers/Greet.js');
    rmSync(path);
    make(path);
    const err = `cannot read "${path}": it is ${what}: put a file in its place\n`;
    assert.deepEqual(await run('pack', folder), { exitCode: 1, out: '', err });
  });
}

for (const part of ['messages', 'handlers', 'sections']) {
  test(`pack and unpack --force leave alone what the folder's ${part} lead to`, async (t) => {
    const { document, folder, victims, run, link } = await openFolder(t);
    mkdirSync(victims);
    for (const name of ['precious.json', 'precious.js']) writeFileSync(join(victims, name), '{}');
    const refused = { exitCode: 1, out: '', err: refusalOf(link(part, victims)) };
    assert.deepEqual(await run('pack', folder), refused);
    assert.deepEqual(await run('unpack', document, folder, '--force'), refused);
    assert.deepEqual(readdirSync(victims).sort(), ['precious.js', 'precious.json']);
  });
}

test('a link in the place of the project file is refused, whether it leads somewhere or not', async (t) => {
  const { document, folder, victim, victims, run, link } = await openFolder(t);
  for (const target of [victim, victims]) {
    const path = link('jsconfig.json', target);
    await assert.rejects(writeProjectFile(folder), { name: 'CommandError', message: refusalOf(path).trimEnd() });
    assert.equal((await run('unpack', document, folder, '--force')).err, refusalOf(path));
  }
  assert.equal(readFileSync(victim, 'utf8'), SECRET);
  assert.equal(existsSync(victims), false);
});

test('a folder that is itself a link is used, and links in it that no command uses are left alone', async (t) => {
  const { document, folder, victim, victims, run } = await openFolder(t);
  renameSync(folder, victims);
  symlinkSync(victims, folder);
  symlinkSync(victim, join(folder, 'README.md'));
  symlinkSync(victim, join(folder, 'handlers/notes.txt'));
  writeFileSync(join(folder, 'messages/Old.json'), '{}');
  const unpacked = await run('unpack', document, folder, '--force');
  assert.equal(unpacked.exitCode, 0, unpacked.err);
  assert.equal(existsSync(join(victims, 'messages/Old.json')), false);
  const { out, err } = await run('pack', folder);
  assert.deepEqual(JSON.parse(out), JSON.parse(readFileSync(document, 'utf8')), err);
  assert.equal(readFileSync(victim, 'utf8'), SECRET);
});

test('unpack --force replaces a file with another name, which keeps its content', async (t) => {
  const { document, folder, victim, run } = await openFolder(t);
  const script = join(folder, 'handlers/Greet.js');
  rmSync(script);
  linkSync(victim, script);
  assert.equal((await run('unpack', document, folder, '--force')).exitCode, 0);
  assert.equal(readFileSync(script, 'utf8'), GREETS);
  assert.equal(readFileSync(victim, 'utf8'), SECRET);
});

test('the stamp of a folder tells of a link, and never of what it leads to', async (t) => {
  const { folder, victims, link } = await openFolder(t);
  mkdirSync(victims);
  const before = await stampOfFolder(folder);
  const path = link('messages', victims);
  const stamp = await stampOfFolder(folder);
  assert.notEqual(stamp, before);
  assert.equal(`${stamp}\n`, refusalOf(path));
  writeFileSync(join(victims, 'precious.json'), '{}');
  assert.equal(await stampOfFolder(folder), stamp);
});

test('unpack without --force replaces no configuration that it cannot read', async (t) => {
  const { document, folder, run } = await openFolder(t);
  const script = join(folder, 'handlers/Greet.js');
  writeFileSync(script, '\ufeffmine', 'utf16le');
  assert.match((await run('unpack', document, folder)).err, /has a configuration already: --force replaces it\n$/);
  assert.equal(readFileSync(script, 'utf16le'), '\ufeffmine');
  assert.equal((await run('unpack', document, folder, '--force')).exitCode, 0);
  assert.equal(readFileSync(script, 'utf8'), GREETS);
});
