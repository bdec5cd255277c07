import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateFiles } from '../../src/domain/generated-code/generate-code.ts';
import { chooseGenerator } from '../../src/domain/generated-code/generators.ts';
import { compileCSharp, findMono, run, sampleModel } from '../support/generated-code.ts';

const mono = findMono();
const skip = mono === undefined ? 'there is no Mono here (apt-get install mono-mcs)' : false;

test('[mcs] a game in C# sends and receives its messages through the generated code', { skip }, async (t) => {
  const files = generateFiles({ gameName: 'Sample', model: sampleModel, generator: chooseGenerator({}) }).filter(
    ({ name }) => name.endsWith('.cs'),
  );
  const { said, program } = await compileCSharp(t, mono?.mcs ?? '', { files, withGame: true });
  assert.doesNotMatch(said, /error/);

  const { stdout, stderr } = await run(mono?.mono ?? '', [program]);
  assert.equal(stderr, '');
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'request GameSparks.Identity.GetPlayerToken within 10 s: ',
    'timeout',
    'request Custom.Game.FindMatch within 10 s: Mode: duel, Level: 3',
    'awaited request Custom.Game.FindMatch within 10 s: Mode: duel, Level: ',
    'no response',
    'event Custom.Game.Moved: class: knight, x: 1, isFinal: True',
    'subscription to Custom.Game.Chat',
    'nothing',
    'Name: ada',
    'Since: 01/02/2024 03:04:05 +00:00',
    'Rating: 1.5',
  ]);
});
