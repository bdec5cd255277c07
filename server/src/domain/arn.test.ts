import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createArns } from './arn.ts';

it('names games, stages, players and access keys', () => {
  const arns = createArns({ region: 'eu-central-1', accountId: '123456789012' });
  assert.equal(arns.game('G'), 'arn:aws:gamesparks:eu-central-1:123456789012:game/G');
  assert.equal(arns.stage('G', 'S'), 'arn:aws:gamesparks:eu-central-1:123456789012:game/G/stage/S');
  assert.equal(arns.player('G', 'S', 'P'), 'arn:aws:gamesparks:eu-central-1:123456789012:game/G/stage/S/player/P');
  assert.equal(arns.accessKey('AK'), 'arn:aws:iam::123456789012:access-key/AK');
});
