import assert from 'node:assert/strict';
import { it } from 'node:test';
import { refusal, startFakeService } from '../../test/support/fake-service.ts';

const KICK = ['disconnect', '--game', 'Demo', '--stage', 'Dev', '--player', 'p1'];
const DRAINING = refusal('ServiceUnavailableException', 'This node is shutting down: try again', 503);

it('makes a call again that a node has refused because it drains, and has done nothing for', async (t) => {
  const answers = [DRAINING, DRAINING, { body: { DisconnectSuccesses: ['c1'], DisconnectFailures: [] } }];
  const { world, requests } = await startFakeService(t, () => answers[requests.length - 1] ?? DRAINING);
  assert.equal(await world.run(...KICK), 0, world.err());
  assert.equal(requests.length, 3);
});

it('says so after the third refusal, and makes no call again that may have been carried out', async (t) => {
  for (const [answer, count] of [
    [DRAINING, 3],
    [refusal('InternalServerException', 'The store failed', 500), 1],
  ] as const) {
    const { world, requests } = await startFakeService(t, () => answer);
    assert.equal(await world.run(...KICK), 1);
    assert.match(world.err(), answer === DRAINING ? /shutting down/ : /The store failed/);
    assert.equal(requests.length, count);
  }
});

it('asks no endpoint with a user name or a password, and shows neither', async (t) => {
  const { world, requests } = await startFakeService(t, () => DRAINING);
  for (const [endpoint, what] of [
    ['http://me:pw@127.0.0.1:1', 'no user name or password'],
    ['ftp://me:pw@127.0.0.1:1', 'an http or https URL'],
  ] as const) {
    assert.equal(await world.run(...KICK, '--endpoint-url', endpoint), 2);
    assert.match(world.err(), new RegExp(`the endpoint must (be|have) ${what}, got "\\w+://…@127`));
  }
  assert.doesNotMatch(world.err(), /pw/);
  assert.equal(requests.length, 0);
});
