import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYBODY } from '../../../test/support/bars.ts';
import { CHANGE, openDomain, ROLE } from '../../../test/support/domain.ts';

const PAUSE_MS = 10_000;

test('the rehearsals of one game leave places for those of others', async (t) => {
  const { games, stages, rehearsals, cluster, clock } = await openDomain(t);
  for (const name of ['Demo', 'Other']) {
    await games.create({ name }, CHANGE);
    await stages.create({ gameName: name, name: 'Dev', role: ROLE }, CHANGE);
  }
  cluster.answer('rehearse', async () => ({ isPlayed: true, at: clock.now(), code: 4000 }));
  const play = async (gameName: string, playerId: string) => {
    const { id: stageId } = await stages.get(gameName, 'Dev');
    const connectionId = `${stageId} ${playerId}`;
    const entry = { connectionId, node: cluster.node, createdAt: 0, runtimeId: 'r' };
    const expected = { era: cluster.era(), maxConnectionsPerPlayer: 1, newcomer: ANYBODY };
    await cluster.register({ stageId, playerId }, entry, expected);
    const player = { gameName, stageName: 'Dev', playerId };
    return await rehearsals.play(player, { end: 'draining', windowMs: 1_000 }, CHANGE);
  };
  for (let player = 0; player < 100; player += 1) await play('Demo', `p${player}`);
  await assert.rejects(play('Demo', 'p100'), {
    code: 'conflict',
    message: '100 players of the game are in rehearsals, as many as may be: try again later',
  });
  assert.equal((await play('Other', 'p0')).code, 4000);
  assert.equal((await play('Demo', 'p0')).code, 4000, 'the caller goes on with a player of theirs');
  clock.advance(PAUSE_MS + 1_000);
  assert.equal((await play('Demo', 'p100')).code, 4000);
});
