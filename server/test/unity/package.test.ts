import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { WebSocket, WebSocketServer } from 'ws';
import { readModel } from '../../src/domain/configuration/model.ts';
import { fileOf } from '../support/game-document.ts';
import { sampleModel } from '../support/generated-code.ts';
import { createWorkplace } from '../support/process.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { startTestServer, temporaryDirectory, until } from '../support/server.ts';
import {
  compileAssembly,
  compilePackage,
  findUnityTools,
  generated,
  MISSING_UNITY_TOOLS,
  PACKAGE,
  ROOT,
  runNUnit,
} from '../support/unity.ts';

const tools = findUnityTools();
const skip = tools === undefined ? MISSING_UNITY_TOOLS : false;

const WEATHER = scriptedGame({
  requests: {
    GetForecast: {
      request: { city: 'String', days: 'Integer' },
      response: { result: 'String' },
      script: `if (message.city === 'Atlantis') throw new Error('drowned');
        return GameSparks().Messaging().Response({ result: message.days + ' days of rain in ' + message.city });`,
    },
  },
});

const RACES = scriptedGame({
  shapes: { Place: { Enum: { Values: ['First', 'Second', 'third-or-later'] } }, Laps: { List: { Shape: 'Decimal' } } },
  requests: { Enter: { request: { Name: 'String', Number: 'Integer?' }, response: { Place: 'Place', Laps: 'Laps?' } } },
  events: { Passed: { event: { At: 'Timestamp' } } },
  notifications: { Over: { Winner: 'String' } },
});

describe('the Unity package', () => {
  test('[mono] compiles without a warning, for players, for browsers, for the editor, and with its sample', {
    skip,
  }, async (t) => {
    assert.ok(tools !== undefined);
    await compilePackage(tools, temporaryDirectory(t), ['UNITY_WEBGL']);
    const directory = temporaryDirectory(t);
    const references = await compilePackage(tools, directory);
    for (const [name, source] of [
      ['Editor', 'client-unity/Editor'],
      ['Guest', 'client-unity/Samples~/Guest'],
    ] as const) {
      await compileAssembly(tools, directory, { name, sources: [source], references });
    }
  });

  test('[mono] does what Unity’s part has to do when games begin and end, on stand-ins for Unity', {
    skip,
  }, async (t) => {
    assert.ok(tools !== undefined);
    const directory = temporaryDirectory(t);
    const tests = await compileAssembly(tools, directory, {
      name: 'Respark.GameSparks.Tests',
      sources: ['server/test/unity/runtime'],
      references: await compilePackage(tools, directory),
      withTests: true,
    });
    const cases = await runNUnit(t, tools, tests);
    assert.deepEqual(
      cases.filter(({ failure }) => failure !== '').map(({ name, failure }) => `${name}: ${failure}`),
      [],
    );
    assert.ok(cases.length > 15, `${cases.length} tests ran`);
  });

  test('[mono] compiles with the code of three games, one of them shaped as GameSparks’ own generator wrote it', {
    skip,
  }, async (t) => {
    assert.ok(tools !== undefined);
    const directory = temporaryDirectory(t);
    const references = await compilePackage(tools, directory);
    const games = [
      ...generated(directory, 'Sample', sampleModel),
      ...generated(directory, 'Races', readModel(RACES)),
      'server/test/unity/studio/WeatherOperations.cs',
      'server/test/unity/studio/WeatherScript.cs',
    ];
    await compileAssembly(tools, directory, { name: 'Assembly-CSharp', sources: [...new Set(games)], references });
  });

  test('[mono] lets a script and an asset of GameSparks’ time play against a real server', { skip }, async (t) => {
    assert.ok(tools !== undefined);
    const server = await startTestServer(t);
    await deploy(server, await createSnapshot(server, fileOf(WEATHER)));
    const directory = temporaryDirectory(t);
    const references = await compilePackage(tools, directory);
    const program = await compileAssembly(tools, directory, {
      name: 'game',
      target: 'exe',
      sources: ['server/test/unity/studio', ...generated(directory, 'None', readModel({}))],
      references,
    });
    const asset = join(directory, 'Connection.asset');
    writeFileSync(
      asset,
      [
        '%YAML 1.1',
        '--- !u!114 &11400000',
        'MonoBehaviour:',
        '  m_Script: {fileID: 11500000, guid: 513ef5af1ad74c7ba268d637389f52a3, type: 3}',
        '  m_Name: Connection',
        `  gameKey: ${server.gameKey}`,
        '  authenticationProvider: 0',
        '  region: 1',
        `  endpointOverride: ${server.playerUrl}`,
      ].join('\n'),
    );
    const game = createWorkplace(t).start([tools.mono, program, asset]);
    await game.printed(/^Token of \d+ characters$/m);
    await game.printed(/^3 days of rain in Oslo$/m);
    await game.printed(/^Request failed: Custom\.Game\.GetForecast: script_error: /m);
    game.child.stdin.end();
    const { exitCode, stderr } = await game.ended();
    assert.deepEqual([exitCode, stderr], [0, '']);
    await until(() => server.counts().sockets === 0);
  });

  test('has the linker keep what is found by its name', () => {
    const linked = readFileSync(join(PACKAGE, 'Runtime/link.xml'), 'utf8');
    // The first is what Aes.Create() makes in the editor and in builds with Mono, the second in builds with IL2CPP.
    for (const name of ['AesCryptoServiceProvider', 'AesManaged']) {
      assert.ok(linked.includes(`<type fullname="System.Security.Cryptography.${name}" preserve="all" />`), name);
    }
  });

  test('has a .meta file for each of its files, with the ids that GameSparks’ assets and scenes refer to', () => {
    execFileSync(process.execPath, [join(ROOT, 'scripts', 'unity-meta.js'), '--check']);
    const idOf = (file: string) => /^guid: (\w+)$/m.exec(readFileSync(join(PACKAGE, `${file}.meta`), 'utf8'))?.[1];
    assert.equal(idOf('Runtime/Unity/ConnectionScriptableObject.cs'), '513ef5af1ad74c7ba268d637389f52a3');
    assert.equal(idOf('Runtime/Unity/GameSparksClient.prefab'), 'f322dd3d924b24a74a20de1daf87367f');
    const scene = readFileSync(join(PACKAGE, 'Samples~/Guest/Guest.unity'), 'utf8');
    assert.ok(scene.includes(`guid: ${idOf('Samples~/Guest/GuestSample.cs')},`), 'the scene finds its script');
  });

  test('is packed whole, with the version of everything else', () => {
    const read = (folder: string) => JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    assert.equal(read('client-unity').version, read('client').version);
    const packed = execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: PACKAGE, encoding: 'utf8' });
    const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }];
    const paths = new Set(files.map(({ path }) => path));
    for (const path of [
      'package.json.meta',
      'Runtime/link.xml',
      'Runtime/Core/ResparkClient.cs',
      'Runtime/Unity/Plugins/WebGL/ResparkSocket.jslib',
      'Editor/ConnectionMenu.cs.meta',
      'Samples~/Guest/Guest.unity',
    ]) {
      assert.ok(paths.has(path), path);
    }
  });
});

/** The plug-in for browsers as Unity links it into a page, on the page's WebSocket and a memory of strings. */
function loadPlugIn() {
  const functions: Record<string, (...values: unknown[]) => unknown> = {};
  const strings: string[] = [''];
  const give = (text: string) => strings.push(text) - 1;
  const library: Record<string, unknown> = {};
  const page: Record<string, unknown> = {
    WebSocket,
    LibraryManager: { library },
    autoAddDeps: () => {},
    mergeInto: (_: object, added: Record<string, never>) => Object.assign(functions, added),
    UTF8ToString: (pointer: number) => strings[pointer],
    lengthBytesUTF8: (text: string) => Buffer.byteLength(text),
    _malloc: () => give(''),
    stringToUTF8: (text: string, pointer: number, bytes: number) => {
      assert.equal(bytes, Buffer.byteLength(text) + 1);
      strings[pointer] = text;
    },
  };
  runInNewContext(readFileSync(join(PACKAGE, 'Runtime/Unity/Plugins/WebGL/ResparkSocket.jslib'), 'utf8'), page);
  // The linker makes a global of what the other functions depend on.
  page.ResparkSockets = functions.$ResparkSockets;
  const call = (name: string, ...values: unknown[]) => functions[`ResparkSocket${name}`]?.(...values) as number;
  return { call, give, textOf: (id: number) => strings[call('Text', id)] ?? '' };
}

test('[ws] the plug-in for browsers opens, sends, receives and closes a player’s socket', async (t) => {
  const server = await startTestServer(t);
  const { call, give, textOf } = loadPlugIn();
  assert.equal(call('Open', give('nonsense'), give('respark.v1')), 0);
  const id = call('Open', give(server.playerUrl), give('respark.v1'));
  const next = async () => {
    let kind = 0;
    await until(() => {
      kind = call('Next', id);
      return kind !== 0;
    });
    return { kind, text: textOf(id), code: call('Code', id) };
  };
  assert.deepEqual(await next(), { kind: 1, text: 'respark.v1', code: 0 });
  call('Send', id, give(JSON.stringify({ kind: 'hello', gameKey: server.gameKey })));
  const welcome = await next();
  assert.deepEqual([welcome.kind, JSON.parse(welcome.text).kind], [2, 'welcome']);
  assert.equal(call('Buffered', id), 0);
  call('Close', id, 1000);
  const { kind, code } = await next();
  assert.deepEqual([kind, code], [4, 1000]);
  call('Forget', id);
  assert.equal(call('Next', id), 0);
});

test('[ws] the plug-in for browsers keeps sockets apart, passes on why they closed, and holds a thousand messages', async (t) => {
  const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.after(() => sockets.close());
  await once(sockets, 'listening');
  const { port } = sockets.address() as AddressInfo;
  const { call, give, textOf } = loadPlugIn();
  const open = async () => {
    const connected = once(sockets, 'connection');
    const id = call('Open', give(`ws://127.0.0.1:${port}/`), give('respark.v1'));
    const [ws] = (await connected) as [WebSocket];
    return { id, ws };
  };
  const next = async (id: number) => {
    let kind = 0;
    await until(() => {
      kind = call('Next', id);
      return kind !== 0;
    });
    return [kind, textOf(id), call('Code', id)];
  };
  const [one, other] = [await open(), await open()];
  assert.notEqual(one.id, other.id);
  for (const { id } of [one, other]) assert.deepEqual(await next(id), [1, 'respark.v1', 0]);
  one.ws.send(Buffer.from([1, 2, 3]));
  other.ws.send('é👋');
  assert.deepEqual(await next(one.id), [3, '', 0]);
  assert.deepEqual(await next(other.id), [2, 'é👋', 0]);
  one.ws.close(4510, 'blocked; requestId=r-1');
  assert.deepEqual(await next(one.id), [4, 'blocked; requestId=r-1', 4510]);
  for (let sent = 0; sent < 1_200; sent += 1) other.ws.send('x');
  const [code] = await once(other.ws, 'close');
  assert.equal(code, 4001);
  const kinds: number[] = [];
  while (kinds.at(-1) !== 4) kinds.push(Number((await next(other.id))[0]));
  assert.equal(kinds.length, 1_001);
});
