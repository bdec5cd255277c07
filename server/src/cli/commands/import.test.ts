import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type FakeReply, refusal, startFakeService } from '../../../test/support/fake-service.ts';
import { temporaryDirectory } from '../../../test/support/server.ts';
import { createTestWorld, ROOT } from '../../../test/support/world.ts';

const REQUEST = { AllowedSources: ['Player'], RequestShape: 'No', ResponseShape: 'No', Description: '' };

async function serveImports(t: TestContext, { games = ['Demo'], mayRead = true } = {}) {
  const present = new Set(games);
  const configurations = new Map<string, object>();
  const service = await startFakeService(t, ({ method, url, body }): FakeReply => {
    if (`${method} ${url}` === 'POST /game') {
      present.add(JSON.parse(body).GameName);
      return { body: { Game: {} } };
    }
    const [, game = ''] = /^\/game\/(\w+)\/configuration$/.exec(url) ?? [];
    if (method === 'GET' && !mayRead) return refusal('AccessDeniedException', 'not allowed', 403);
    if (!present.has(game)) return refusal('ResourceNotFoundException', `there is no game ${game}`, 404);
    if (method === 'GET') {
      const kept = Object.entries(configurations.get(game) ?? {}).map(([name, Attributes]) => [name, { Attributes }]);
      return { body: { GameConfiguration: { Sections: Object.fromEntries(kept) } } };
    }
    const file = Buffer.from(JSON.parse(body).ImportSource.File, 'base64').toString();
    configurations.set(game, JSON.parse(file).Document.Sections);
    return { body: { GameConfiguration: { Sections: { A: { Name: 'A', Size: 2 }, 'B\u001b': { Size: 1234 } } } } };
  });
  const directory = temporaryDirectory(t);
  return {
    ...service,
    write(text: string) {
      writeFileSync(join(directory, 'document.json'), text);
      return join(directory, 'document.json');
    },
  };
}

const documentOf = (Sections: object) => JSON.stringify({ Document: { Type: 'Game', Sections } });

describe('import', () => {
  it('sends the file unchanged and prints the sections and their sizes', async (t) => {
    const { world, requests, write } = await serveImports(t);
    const text = `${documentOf({ A: {} })} \r\n`;
    assert.equal(await world.run('import', write(text), '--game', 'Demo'), 0, world.err());
    assert.equal(world.out(), 'imported into game "Demo"\nSECTION  BYTES\nA        2\nB\\u{1b}  1234\n');
    assert.equal(world.err(), '');
    const [{ method, url, body } = assert.fail(), ...more] = requests;
    assert.deepEqual([method, url, more], ['PUT', '/game/Demo/configuration', []]);
    assert.equal(Buffer.from(JSON.parse(body).ImportSource.File, 'base64').toString(), text);
  });

  it('warns of every fault that would make a deployment fail, but still imports', async (t) => {
    const { world, requests } = await serveImports(t);
    world.stdin.end(documentOf({ 'GameSparks.Core.Requests': { Buy: REQUEST } }));
    assert.equal(await world.run('import', '-', '--game', 'Demo'), 0);
    const warnings = world.err().trimEnd().split('\n');
    assert.ok(warnings.length > 0);
    for (const warning of warnings) assert.match(warning, /^warning: .*Buy/);
    assert.equal(requests.length, 1);
  });

  it('needs to read nothing where it may replace whatever there is', async (t) => {
    const { world, requests, write } = await serveImports(t, { mayRead: false });
    const file = write(documentOf({ A: {} }));
    for (const game of ['New', 'Demo'])
      assert.equal(await world.run('import', file, '--game', game, '--create', '--yes'), 0, world.err());
    assert.deepEqual(
      requests.map(({ method, url }) => `${method} ${url}`).filter((call) => !call.startsWith('GET /game')),
      ['PUT /game/New/configuration', 'POST /game', 'PUT /game/New/configuration', 'PUT /game/Demo/configuration'],
    );
    assert.equal(await world.run('import', file, '--game', 'Demo', '--create'), 1);
    assert.match(world.err(), /AccessDeniedException/);
  });

  it('creates a missing game only when told to', async (t) => {
    const { world, requests, write } = await serveImports(t, { games: [] });
    const file = write(documentOf({}));
    assert.equal(await world.run('import', file, '--game', 'New'), 1);
    assert.match(world.err(), /^ResourceNotFoundException: there is no game New /);
    assert.equal(await world.run('import', file, '--game', 'New', '--create'), 0, world.err());
    assert.equal(await world.run('import', file, '--game', 'New', '--create'), 0, world.err());
    assert.deepEqual(
      requests.map(({ method, url }) => `${method} ${url}`).filter((call) => !call.startsWith('GET /game ')),
      [
        'PUT /game/New/configuration',
        'GET /game/New/configuration',
        'POST /game',
        'PUT /game/New/configuration',
        'GET /game/New/configuration',
        'PUT /game/New/configuration',
      ],
    );
  });

  it('takes a game that is there already for no new one, unless nothing is lost, or it is told to', async (t) => {
    const { url, requests, write } = await serveImports(t);
    const importAs = async (sections: object, ...more: string[]) => {
      const world = createTestWorld({ local: { root: ROOT, url } });
      const before = requests.length;
      const code = await world.run('import', write(documentOf(sections)), '--game', 'Demo', ...more);
      return {
        code,
        err: world.err(),
        changes: requests.slice(before).filter(({ method }) => method !== 'GET').length,
      };
    };
    // One that has nothing yet, as after CreateGame, loses nothing.
    assert.deepEqual(await importAs({ A: { x: 1, y: 2 } }, '--create'), { code: 0, err: '', changes: 1 });
    assert.deepEqual(await importAs({ A: { y: 2, x: 1 } }, '--create'), { code: 0, err: '', changes: 1 });
    assert.deepEqual(await importAs({ A: { x: 2 } }, '--create'), {
      code: 1,
      err: 'nothing was done: game "Demo" exists, and its configuration would be replaced; add --yes to replace it, or give another name\n',
      changes: 0,
    });
    assert.deepEqual(await importAs({ A: { x: 2 } }, '--create', '--yes'), { code: 0, err: '', changes: 1 });
    assert.deepEqual(await importAs({ A: { x: 3 } }), { code: 0, err: '', changes: 1 });
  });

  for (const [what, text] of [
    ['not JSON', '{'],
    ['not an exported document', '{"Sections": {}}'],
  ] as const) {
    it(`refuses a file that is ${what} with 1, and makes no call`, async (t) => {
      const { world, requests, write } = await serveImports(t);
      assert.equal(await world.run('import', write(text), '--game', 'Demo'), 1);
      assert.match(world.err(), /^the file cannot be imported: .*\n$/);
      assert.deepEqual(requests, []);
    });
  }

  it('refuses a folder with 2, and says what makes a document of it', async (t) => {
    const { world, requests } = await serveImports(t);
    const folder = temporaryDirectory(t);
    assert.equal(await world.run('import', folder, '--game', 'Demo'), 2);
    assert.match(
      world.err(),
      /^<file> ".*" is a folder: make one document of it with "respark pack", and import that;/,
    );
    assert.deepEqual(requests, []);
  });

  it('refuses a file that cannot be read with 2', async (t) => {
    const { world } = await serveImports(t);
    assert.equal(await world.run('import', '/no/such', '--game', 'Demo'), 2);
    assert.equal(world.err(), '<file> must name a file that can be read, got "/no/such" (ENOENT)\n');
  });
});
