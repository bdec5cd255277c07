import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startFakeService } from '../../../test/support/fake-service.ts';
import { temporaryDirectory } from '../../../test/support/server.ts';

const STAGE = ['--game', 'Demo', '--stage', 'Dev'];
const PROVIDER = {
  ...{ Issuer: 'https://login.example', JwksUrl: 'https://login.example/jwks', Audiences: ['game', 'tools'] },
  ...{ Algorithms: ['RS256'], PlayerIdClaim: 'sub', PlayerIdForm: 'HASHED', PlayerIdPrefix: 'a-', Claims: ['role'] },
};
const IDENTITY = { AllowGuests: false, SessionSeconds: 3_600, Providers: [PROVIDER] };

describe('identity', () => {
  it('shows who may be a player, in words and as JSON', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: { Identity: IDENTITY } }));
    assert.equal(await world.run('identity', 'get', ...STAGE), 0, world.err());
    assert.equal(
      world.out(),
      `players without a token are refused
a provider's token is good for 3600 s of coming back
ISSUER                 AUDIENCES   ALGORITHMS  PLAYER ID         CLAIMS  KEYS FROM
https://login.example  game tools  RS256       a- + hash of sub  role    https://login.example/jwks
`,
    );
    assert.equal(requests[0]?.url, '/respark/game/Demo/stage/Dev/identity');
  });

  it('sets what is in a file, which may be what get has printed, and what the options say', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: { Identity: IDENTITY } }));
    const file = join(temporaryDirectory(t), 'identity.json');
    writeFileSync(file, JSON.stringify({ Identity: IDENTITY }));
    assert.equal(await world.run('identity', 'set', ...STAGE, '--file', file, '--guests', '--json'), 0, world.err());
    assert.deepEqual(JSON.parse(world.out()), { Identity: IDENTITY });
    world.stdin.end(JSON.stringify({ Providers: [] }));
    assert.equal(await world.run('identity', 'set', ...STAGE, '--file', '-'), 0, world.err());
    assert.equal(await world.run('identity', 'set', ...STAGE, '--no-guests', '--session', '12h'), 0, world.err());
    assert.deepEqual(
      requests.map(({ method, body }) => [method, JSON.parse(body)]),
      [
        ['PUT', { ...IDENTITY, AllowGuests: true }],
        ['PUT', { Providers: [] }],
        ['PUT', { AllowGuests: false, SessionSeconds: 43_200 }],
      ],
    );
  });

  it('says what is wrong with a file or an option, and calls nobody', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: {} }));
    const directory = temporaryDirectory(t);
    const fileOf = (text: string) => {
      const file = join(directory, `${text.length}.json`);
      writeFileSync(file, text);
      return ['--file', file];
    };
    for (const [options, message] of [
      [[], /nothing to set: give --file, --guests, --no-guests or --session/],
      [fileOf('[]'), /--file must be a JSON object, got "\[\]"/],
      [fileOf('{"Provider":[]}'), /there is no member Provider/],
      [fileOf(JSON.stringify({ Providers: [{ ...PROVIDER, Algorithms: ['HS256'] }] })), /algorithms\.1\.member/i],
      [['--file', join(directory, 'missing.json')], /--file must name a file that can be read/],
      [['--session', 'long'], /--session must be a duration/],
    ] as const) {
      assert.equal(await world.run('identity', 'set', ...STAGE, ...options), 2);
      assert.match(world.err(), message);
    }
    assert.deepEqual(requests, []);
  });

  it('says who a token makes its client', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({
      body: {
        ...{ IsAccepted: true, PlayerId: 'p1', Issuer: 'https://login.example', Claims: { role: 'gm' } },
        SessionEnds: '2026-01-02T03:04:05.000Z',
      },
    }));
    world.stdin.end('a.b.c\n');
    assert.equal(await world.run('identity', 'check', '-', ...STAGE), 0, world.err());
    assert.equal(
      world.out(),
      `the token is accepted: its client is player p1
issuer: https://login.example
the player must be vouched for anew by 2026-01-02T03:04:05.000Z
claims: {"role":"gm"}
`,
    );
    assert.deepEqual(
      requests.map(({ url, body }) => [url, body]),
      [['/respark/game/Demo/stage/Dev/token-check', '{"Token":"a.b.c"}']],
    );
  });

  it('says why a token is refused, and fails', async (t) => {
    const body = { IsAccepted: false, Reason: 'the token has expired' };
    const { world } = await startFakeService(t, () => ({ body }));
    assert.equal(await world.run('identity', 'check', 'a.b.c', ...STAGE), 1);
    assert.deepEqual([world.out(), world.err()], ['', 'the token is refused: the token has expired\n']);
    assert.equal(await world.run('identity', 'check', 'a.b.c', ...STAGE, '--json'), 1);
    assert.deepEqual(JSON.parse(world.out()), body);
  });
});
