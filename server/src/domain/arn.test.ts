import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createArns } from './arn.ts';

it('names games, stages, players and access keys', () => {
  const arns = createArns({ region: 'eu-central-1', accountId: '123456789012' });
  assert.equal(arns.game('G'), 'arn:aws:gamesparks:eu-central-1:123456789012:game/G');
  assert.equal(arns.stage('G', 'S'), 'arn:aws:gamesparks:eu-central-1:123456789012:game/G/stage/S');
  assert.equal(arns.player('G', 'S', 'P'), 'arn:aws:gamesparks:eu-central-1:123456789012:game/G/stage/S/player/P');
  assert.equal(arns.accessKey('AK'), 'arn:aws:iam::123456789012:access-key/AK');
  assert.equal(
    arns.snapshot('G', 'Snapshot_1'),
    'arn:aws:gamesparks:eu-central-1:123456789012:game/G/snapshot/Snapshot_1',
  );
});

it('reads the names of games and stages, and of nothing else', () => {
  const arns = createArns({ region: 'eu-central-1', accountId: '123456789012' });
  assert.deepEqual(arns.parse(arns.game('My_Game-1')), { gameName: 'My_Game-1', stageName: undefined });
  assert.deepEqual(arns.parse(arns.stage('G', 'S')), { gameName: 'G', stageName: 'S' });
  const foreign = [
    '',
    arns.game(''),
    arns.stage('G', ''),
    arns.stage('G', '*'),
    arns.game('G/stage'),
    `${arns.game('G')}/`,
    `${arns.game('G')}\n`,
    ` ${arns.game('G')}`,
    arns.player('G', 'S', 'P'),
    arns.snapshot('G', 'S'),
    arns.game('G').replace('eu-central-1', 'us-east-1'),
    arns.game('G').replace('123456789012', '123456789013'),
    arns.game('G').replace('gamesparks', 'gamelift'),
    arns.game('G').toUpperCase(),
  ];
  for (const arn of foreign) assert.equal(arns.parse(arn), undefined, arn);
});
