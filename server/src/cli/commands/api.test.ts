import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { refusal, startFakeService } from '../../../test/support/fake-service.ts';
import { temporaryDirectory } from '../../../test/support/server.ts';
import { createTestWorld, ROOT } from '../../../test/support/world.ts';
import { EVERY_OPERATION } from '../../api/every-operation.ts';

const DEV = '{"GameName": "Demo", "StageName": "Dev"}';

/** Takes what is not held any more, such as the request of a reply that has begun. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

describe('api', () => {
  it('gives up a reply that begins in time and does not end', { timeout: 30_000 }, async (t) => {
    const late = new AbortController();
    t.mock.method(AbortSignal, 'timeout', () => late.signal);
    const service = createServer((_, response) => {
      response.writeHead(200).write('{');
      const drips = setInterval(() => {
        response.write(' ');
        collectGarbage();
      }, 10);
      const abort = setTimeout(() => late.abort(new DOMException('too late', 'TimeoutError')), 200);
      response.on('close', () => {
        clearInterval(drips);
        clearTimeout(abort);
      });
    });
    await once(service.listen(0, '127.0.0.1'), 'listening');
    t.after(() => service.close());
    t.after(() => service.closeAllConnections());
    const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    const world = createTestWorld({ local: { root: ROOT, url } });
    assert.equal(await world.run('api', 'ListGames'), 1);
    assert.equal(world.err(), `cannot reach ${url}: no answer in time\n`);
  });

  for (const body of ['{"Message":{"toString":1}}', '{"Message":null}', '[]', '']) {
    it(`takes a refusal with the body ${body} for one without a message`, async (t) => {
      const headers = { 'x-amzn-errortype': 'ConflictException' };
      const { world } = await startFakeService(t, () => ({ status: 409, headers, body }));
      assert.equal(await world.run('api', 'ListGames'), 1);
      assert.equal(world.err(), 'ConflictException: no message (status 409, request id unknown)\n');
    });
  }

  for (const name of ['GetStage', 'get-stage', 'getstage', 'GETSTAGE']) {
    it(`calls an operation by the name ${name} and prints its reply`, async (t) => {
      const { world, requests } = await startFakeService(t, () => ({ body: { Stage: { Name: 'Dev' } } }));
      assert.equal(await world.run('api', name, '--json', DEV), 0, world.err());
      assert.equal(world.out(), '{\n  "Stage": {\n    "Name": "Dev"\n  }\n}\n');
      const [{ method, url, headers, body } = assert.fail()] = requests;
      assert.deepEqual([method, url, body], ['GET', '/game/Demo/stage/Dev', '']);
      assert.match(headers.authorization ?? '', /^AWS4-HMAC-SHA256 Credential=AKIAROOT\//);
      assert.equal(headers['content-type'], undefined);
    });
  }

  it('sends each member in the path, the query or the body, as the operation says', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: {} }));
    const list = { GameName: 'Demo', MaxResults: 5, NextToken: 'a&b=c d+é' };
    assert.equal(await world.run('api', 'ListStages', '--json', JSON.stringify(list)), 0, world.err());
    const text = '{"GameName":"Demo","Tags":{"__proto__":"1","team":"a"},"Description":null}';
    assert.equal(await world.run('api', 'CreateGame', '--json', text), 0, world.err());
    assert.deepEqual(
      requests.map(({ method, url, headers, body }) => [method, url, headers['content-type'], body]),
      [
        ['GET', '/game/Demo/stage?MaxResults=5&NextToken=a%26b%3Dc%20d%2B%C3%A9', undefined, ''],
        ['POST', '/game', 'application/json', '{"GameName":"Demo","Tags":{"__proto__":"1","team":"a"}}'],
      ],
    );
  });

  it('reads the input from a file or from stdin', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: {} }));
    const file = join(temporaryDirectory(t), 'input.json');
    writeFileSync(file, DEV);
    assert.equal(await world.run('api', 'GetStage', '--json', `@${file}`), 0, world.err());
    world.stdin.end(DEV);
    assert.equal(await world.run('api', 'GetStage', '--json', '-'), 0, world.err());
    assert.deepEqual([...new Set(requests.map(({ url }) => url))], ['/game/Demo/stage/Dev']);
  });

  it('follows the pages of a list when told to', async (t) => {
    const { world, requests } = await startFakeService(t, ({ url }) => {
      const isFirst = !url.includes('NextToken');
      return { body: isFirst ? { Games: [{ Name: 'A' }], NextToken: 't' } : { Games: [{ Name: 'B' }] } };
    });
    assert.equal(await world.run('api', 'ListGames', '--all', '--json', '{"MaxResults": 1}'), 0, world.err());
    assert.deepEqual(JSON.parse(world.out()), { Games: [{ Name: 'A' }, { Name: 'B' }] });
    assert.deepEqual(
      requests.map(({ url }) => url),
      ['/game?MaxResults=1', '/game?MaxResults=1&NextToken=t'],
    );
    assert.equal(await world.run('api', 'GetStage', '--all', '--json', DEV), 2);
    assert.equal(world.err(), 'GetStage has no pages; leave out --all\n');
  });

  it('asks which game or stage was meant where there is none of the name', async (t) => {
    const { url, world, requests } = await startFakeService(t, ({ url }) => {
      if (url === '/game/Dmeo') return refusal('ResourceNotFoundException', 'there is no game "Dmeo": ListGames', 404);
      if (url === '/game/Other')
        return refusal('ResourceNotFoundException', 'there is no game "Other": ListGames', 404);
      if (url === '/game') return { body: { Games: [{ Name: 'Zoo' }], NextToken: 't' } };
      if (url.startsWith('/game?')) return { body: { Games: [{ Name: 'Demo' }] } };
      if (url === '/game/Demo/stage') return refusal('AccessDeniedException', 'no', 403);
      return refusal('ResourceNotFoundException', 'there is no stage "Dve" in game "Demo": ListStages', 404);
    });
    const refusalOf = async (operation: string, input: object) => {
      const own = createTestWorld({ local: { root: ROOT, url } });
      assert.equal(await own.run('api', operation, '--json', JSON.stringify(input)), 1);
      return own.err();
    };
    assert.match(
      await refusalOf('GetGame', { GameName: 'Dmeo' }),
      /there is no game "Dmeo": .*; did you mean "Demo"\?\n$/,
    );
    const asked = requests.length;
    assert.doesNotMatch(await refusalOf('GetGame', { GameName: 'Other' }), /did you mean/);
    assert.ok(requests.length > asked);
    // A caller who may not list them gets what the server has said.
    const { GameName, StageName } = { GameName: 'Demo', StageName: 'Dve' };
    assert.match(
      await refusalOf('GetStage', { GameName, StageName }),
      /no stage "Dve" in game "Demo".*\(status 404, .*\)\n$/,
    );
    assert.equal(world.err(), '');
  });

  it('lists every fault of an input with 2, and makes no call', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: {} }));
    const input = '{"GameName": "no spaces", "stagename": "Dev"}';
    assert.equal(await world.run('api', 'GetStage', '--json', input), 2);
    assert.equal(world.out(), '');
    const [heading, ...faults] = world.err().split('\n');
    assert.equal(heading, 'GetStage cannot be called with this input (respark api GetStage --help):');
    assert.deepEqual(faults, [
      '  there is no member stagename',
      "  2 validation errors detected: Value 'no spaces' at 'gameName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9_-]+$; Value null at 'stageName' failed to satisfy constraint: Member must not be null",
      '',
    ]);
    assert.deepEqual(requests, []);
  });

  for (const [what, args, message] of [
    ['an unknown operation', ['Reboot'], /^there is no operation "Reboot"; "respark api --list" shows them all\n$/],
    [
      'a misspelled operation',
      ['GetGmae'],
      /^there is no operation "GetGmae"; did you mean GetGame\? "respark api --list" /,
    ],
    ['one with hyphens', ['block-playr'], /^there is no operation "block-playr"; did you mean BlockPlayer\? /],
    ['text that is not JSON', ['ListGames', '--json', 'x'], /^--json must be a JSON object, .* \(.*JSON.*\)\n$/],
    [
      'JSON that is not an object',
      ['ListGames', '--json', '[]'],
      /^--json must be a JSON object, .* or - for stdin\n$/,
    ],
    ['a missing file', ['ListGames', '--json', '@/no/such'], /^--json must name a file .*"\/no\/such" \(ENOENT\)\n$/],
  ] as const) {
    it(`refuses ${what} with 2`, async () => {
      const world = createTestWorld();
      assert.equal(await world.run('api', ...args), 2);
      assert.match(world.err(), message);
    });
  }

  it('exits with 1 and the server’s message when it refuses', async (t) => {
    const { world } = await startFakeService(t, () => refusal('ResourceNotFoundException', 'no stage', 404));
    assert.equal(await world.run('api', 'GetStage', '--json', DEV), 1);
    assert.equal(world.err(), 'ResourceNotFoundException: no stage (status 404, request id r-1)\n');
  });

  it('prints nothing that a terminal would act on, and still the same JSON', async (t) => {
    const Name = '\u001b[2J\u009b\u202e\u2066\u{e0001}\u2028"\\é';
    const { world } = await startFakeService(t, () => ({ body: { Stage: { Name } } }));
    await world.run('api', 'GetStage', '--json', DEV);
    assert.doesNotMatch(world.out(), /(?!\n)[\p{Cc}\p{Cf}\p{Zl}]/u);
    assert.deepEqual(JSON.parse(world.out()), { Stage: { Name } });
  });

  for (const args of [[], ['--list'], ['GetGame', '--list']]) {
    it(`lists all operations: ${['api', ...args].join(' ')}`, async () => {
      const world = createTestWorld();
      assert.equal(await world.run('api', ...args), 0);
      const [head = '', ...rows] = world.out().trimEnd().split('\n');
      assert.match(head, /^OPERATION +METHOD +PATH$/);
      assert.deepEqual(
        rows.map((row) => row.split(/ +/)),
        EVERY_OPERATION.map(({ name, http }) => [name, http.method, http.path]),
      );
    });
  }

  it('shows in its help what an operation takes, with limits and an example', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('api', 'list-stages', '--help'), 0);
    const [, help = ''] = world.out().split(/\n(?=ListStages)/);
    assert.equal(
      help,
      `ListStages: GET /game/{GameName}/stage
MEMBER      IN     REQUIRED  FORM
GameName    path   yes       string, length 1-36, ^[a-zA-Z0-9_-]+$
MaxResults  query  no        integer, 1-100
NextToken   query  no        string, length 1-1024, ^\\S(.*\\S)?$

Example, with the required members to fill in:
  $ respark api ListStages --json '{"GameName":"…"}'
`,
    );
  });

  it('shows inner members too, and lists of them in the example', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('api', 'UpdateGameConfiguration', '--help'), 0);
    assert.match(world.out(), /^Modifications\[\]\.Operation +body +yes +string, one of ADD, REMOVE, REPLACE$/m);
    const modification = '{"Operation":"…","Path":"…","Section":"…"}';
    assert.ok(world.out().includes(`--json '{"GameName":"…","Modifications":[${modification}]}'\n`));
  });

  for (const { name, input } of EVERY_OPERATION) {
    it(`shows every member of ${name} in its help`, async () => {
      const world = createTestWorld();
      assert.equal(await world.run('api', name, '--help'), 0);
      assert.match(world.out(), /\nExample.*:\n {2}\$ respark api /);
      for (const member of Object.keys(input.members)) {
        assert.match(world.out(), new RegExp(`^${member} +(path|query|body) +(yes|no) +\\w`, 'm'));
      }
    });
  }
});
