import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readModel } from '../../src/domain/configuration/model.ts';
import { createWorkplace, RESPARK } from '../support/process.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import {
  compileAssembly,
  compilePackage,
  findUnityTools,
  generated,
  MISSING_UNITY_TOOLS,
  PACKAGE,
  ROOT,
} from '../support/unity.ts';

const tools = findUnityTools();
const skip = tools === undefined ? MISSING_UNITY_TOOLS : false;

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** The commands of a document, block by block, as a shell here runs them. */
function commandsIn(document: string): string[] {
  const respark = `respark() { ${RESPARK.map((word) => `'${word}'`).join(' ')} "$@"; }`;
  return [...document.matchAll(/^```sh\n(.*?)^```$/gms)].map(
    ([, block = '']) => `set -e; ${respark}\n${block.replaceAll('npx respark', 'respark')}`,
  );
}

const ASSET = `%YAML 1.1
--- !u!114 &11400000
MonoBehaviour:
  m_Name: Connection
  gameKey: theKeyThatAmazonGave=
  authenticationProvider: 0
  region: 1
  endpointOverride: 
`;

test('[mono] the steps from Amazon bring a game and its Unity project here, and its client plays', {
  skip,
}, async (t) => {
  assert.ok(tools !== undefined);
  const workplace = createWorkplace(t);
  const server = await workplace.serve();
  const project = join(workplace.directory, 'game');
  const asset = join(project, 'Assets/Amazon/GameSparks/Connection.asset');
  for (const folder of ['Packages', 'Assets/Amazon/GameSparks']) mkdirSync(join(project, folder), { recursive: true });
  const manifest = join(project, 'Packages/manifest.json');
  writeFileSync(
    manifest,
    '{ "dependencies": { "com.amazonaws.gamesparks": "file:AmazonGameSparks.tgz", "com.unity.ugui": "1.0.0" } }',
  );
  writeFileSync(asset, ASSET);

  const env = { RESPARK_DATA_DIR: server.dataDir };
  const run = async (commands = '') => {
    const { exitCode, stdout, stderr } = await workplace.start(['sh', '-c', commands], { cwd: ROOT, env }).ended();
    assert.equal(exitCode, 0, `${commands}\n${stdout}\n${stderr}`);
    return stdout;
  };
  const [toImport, toLookUp, toSwap, toSet = '', toGenerate = '', toRehearse = ''] = commandsIn(
    read('docs/from-amazon.md'),
  );
  assert.match(await run(toImport), /^deployed Snapshot_\S+ to stage Dev of game Mine /m);
  const [, gameKey = ''] = /"GameKey": "([^"]+)"/.exec(await run(toLookUp)) ?? [];
  await run(toSwap);
  assert.deepEqual(JSON.parse(readFileSync(manifest, 'utf8')).dependencies, {
    'com.respark.gamesparks': 'file:com.respark.gamesparks-0.1.0.tgz',
    'com.unity.ugui': '1.0.0',
  });
  assert.ok(existsSync(join(project, 'Packages/com.respark.gamesparks-0.1.0.tgz')));
  const { host } = new URL(server.url);
  await run(toSet.replace('gameKey: KEY', `gameKey: ${gameKey}`).replace('127.0.0.1:8080', host));
  await run(toGenerate.replace('generated.zip', join(workplace.directory, 'generated.zip')));
  assert.ok(existsSync(join(workplace.directory, 'generated.zip')));

  const references = await compilePackage(tools, workplace.directory);
  const program = await compileAssembly(tools, workplace.directory, {
    name: 'game',
    target: 'exe',
    sources: ['server/test/unity/studio', ...generated(workplace.directory, 'None', readModel({}))],
    references,
  });
  const game = workplace.start([tools.mono, program, asset]);
  await game.printed(/^Token of \d+ characters$/m);
  const [toFind = '', ...rehearsing] = toRehearse.split(/(?=^respark rehearse)/m);
  assert.match(await run(toFind), /^(?!no players)\S/);
  assert.match(rehearsing.join(''), /^respark rehearse --game Mine --stage Dev --player PLAYER$/m);
  game.child.stdin.end();
  assert.equal((await game.ended()).exitCode, 0);
});

test('[mono] the script that the package’s README begins with compiles with the code of its game', {
  skip,
}, async (t) => {
  assert.ok(tools !== undefined);
  const { directory } = createWorkplace(t);
  const [, script = ''] = /^```csharp\n(using System;.*?)^```$/ms.exec(read('client-unity/README.md')) ?? [];
  assert.match(script, /class Greeter/);
  writeFileSync(join(directory, 'Greeter.cs'), script);
  const game = scriptedGame({ requests: { Greet: { request: { Name: 'String' }, response: { Greeting: 'String' } } } });
  await compileAssembly(tools, directory, {
    name: 'Greeter',
    sources: [join(directory, 'Greeter.cs'), ...generated(directory, 'Demo', readModel(game))],
    references: await compilePackage(tools, directory),
  });
});

test('the documents for those who come from Amazon and those who write an SDK name files that are there', () => {
  for (const file of ['docs/from-amazon.md', 'docs/sdk-in-another-language.md', 'client-unity/README.md']) {
    const folder = file.split('/')[0] ?? '';
    for (const [, linked = ''] of read(file).matchAll(/\]\(([\w./-]+)(?:#[\w-]+)?\)/g)) {
      assert.ok(existsSync(join(ROOT, folder, linked)), `${file} names ${linked}`);
    }
  }
  assert.ok(existsSync(join(PACKAGE, 'README.md')));
});
