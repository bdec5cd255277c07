import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startFakeService } from '../../../test/support/fake-service.ts';

const PLAYER = ['--game', 'Demo', '--stage', 'Dev', '--player', 'p1'];
const REPLY = { AuthenticationToken: 'a.b.c', GameKey: 'key' };

describe('token', () => {
  it('makes a token, and prints nothing else, so that a script can take it', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: REPLY }));
    assert.equal(await world.run('token', ...PLAYER), 0, world.err());
    assert.equal(world.out(), 'a.b.c\n');
    const [{ method, url, body } = assert.fail()] = requests;
    assert.deepEqual([method, url, body], ['POST', '/respark/game/Demo/stage/Dev/player/p1/token', '{}']);
  });

  it('prints nothing that a terminal would act on, whatever a server gives as a token', async (t) => {
    const { world } = await startFakeService(t, () => ({
      body: { ...REPLY, AuthenticationToken: 'a\u001b]0;x\u0007' },
    }));
    assert.equal(await world.run('token', ...PLAYER), 0, world.err());
    assert.equal(world.out(), 'a\\u{1b}]0;x\\u{7}\n');
  });

  it('asks for a lifetime and claims, and prints what a client needs as JSON', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: REPLY }));
    const wish = ['--lifetime', '2h', '--claims', '{"role":"gm","zones":[1,2]}'];
    assert.equal(await world.run('token', ...PLAYER, ...wish, '--json'), 0, world.err());
    assert.deepEqual(JSON.parse(world.out()), { token: 'a.b.c', gameKey: 'key' });
    assert.deepEqual(JSON.parse(requests[0]?.body ?? ''), {
      LifetimeSeconds: 7_200,
      Claims: { role: 'gm', zones: [1, 2] },
    });
    world.stdin.end('{"role":"gm"}');
    assert.equal(await world.run('token', ...PLAYER, '--claims', '-'), 0, world.err());
    assert.deepEqual(JSON.parse(requests[1]?.body ?? ''), { Claims: { role: 'gm' } });
  });

  it('says what is wrong with a lifetime or claims, and calls nobody', async (t) => {
    const { world, requests } = await startFakeService(t, () => ({ body: REPLY }));
    for (const [option, value, message] of [
      ['--lifetime', '1 hour', /--lifetime must be a duration such as 30m, 1h or 2d, got "1 hour"/],
      ['--lifetime', '0s', /--lifetime must be a duration/],
      ['--lifetime', '5s', /LifetimeSeconds|greater than or equal to 60/],
      ['--claims', '[1]', /--claims must be a JSON object, got "\[1\]"/],
      ['--claims', '{role}', /--claims must be a JSON object, got "\{role\}" \(/],
    ] as const) {
      assert.equal(await world.run('token', ...PLAYER, option, value), 2);
      assert.match(world.err(), message);
    }
    assert.deepEqual(requests, []);
  });
});
