import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { readModel } from '../../src/domain/configuration/model.ts';
import { gameMessages, type SourceFile } from '../../src/domain/generated-code/game-messages.ts';
import { generateFiles } from '../../src/domain/generated-code/generate-code.ts';
import { chooseGenerator } from '../../src/domain/generated-code/generators.ts';
import { compileCSharp, compileTypeScript, findMono } from '../support/generated-code.ts';
import { randomSections } from '../support/random-models.ts';

const mono = findMono();
const skip = mono === undefined ? 'there is no Mono here (apt-get install mono-mcs)' : false;

// Compilers are slow to start but quick with many files, so all games are compiled at once.
const GAMES = fc
  .sample(fc.tuple(fc.stringMatching(/^[A-Za-z0-9_-]{1,30}$/), randomSections), { seed: 20_260_102, numRuns: 150 })
  .map(([name, sections], place) => ({ gameName: `${name}-${place}`, model: readModel(sections) }));

/** Each game's own files, in a folder of its own. */
function filesOfGames(targetPlatform: string): readonly SourceFile[] {
  const generator = chooseGenerator({ targetPlatform });
  return GAMES.flatMap(({ gameName, model }, place) =>
    generateFiles({ gameName, model, generator })
      .filter(({ name }) => !name.startsWith('Identity') && name !== 'README.txt')
      .map(({ name, text }) => ({ name: `${place}/${name}`, text })),
  );
}

test('TypeScript for games of any names and descriptions compiles under our strict rules', async (t: TestContext) => {
  const { said } = await compileTypeScript(t, filesOfGames('Web'));
  assert.equal(said, '');
});

test('[mcs] C# for games of any names and descriptions compiles', { skip }, async (t) => {
  const { said } = await compileCSharp(t, mono?.mcs ?? '', { files: filesOfGames('Unity') });
  assert.equal(said, '');
});

test('the random games use everything that a model can have', () => {
  const operations = GAMES.map(({ gameName, model }) => gameMessages(gameName, model));
  const kinds = new Set(operations.flatMap(({ shapes }) => [...shapes.values()].map(({ kind }) => kind)));
  assert.deepEqual([...kinds].sort(), ['enum', 'list', 'map', 'structure']);
  for (const kind of ['requests', 'events', 'notifications'] as const)
    assert(operations.reduce((count, those) => count + those[kind].length, 0) > 100, kind);
});
