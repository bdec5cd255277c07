import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { strFromU8, unzipSync } from 'fflate';
import { sampleModel } from '../../../test/support/generated-code.ts';
import { readModel } from '../configuration/model.ts';
import { generateCode } from './generate-code.ts';
import { chooseGenerator } from './generators.ts';

const unity = chooseGenerator({});
const web = chooseGenerator({ targetPlatform: 'Web' });

/** The names of all files, sorted. */
function namesIn(gameName: string, generator = unity): string[] {
  return Object.keys(unzipSync(generateCode({ gameName, model: sampleModel, generator }))).sort();
}

/** What a zip for Unity has whose game has the file of this name. */
function withUnity(game: string): string[] {
  return ['IdentityOperations.cs', 'IdentityOperationsAsync.cs', 'README.txt', `${game}.cs`, `${game}Async.cs`].sort();
}

describe('a zip of generated code', () => {
  it("has the game's messages, those of every game, and how to use them", () => {
    assert.deepEqual(namesIn('Sample'), withUnity('SampleOperations'));
    assert.deepEqual(namesIn('Sample', web), ['IdentityOperations.ts', 'README.txt', 'SampleOperations.ts']);
    for (const generator of [unity, web]) {
      const files = unzipSync(generateCode({ gameName: 'Sample', model: sampleModel, generator }));
      assert.match(strFromU8(files['README.txt'] ?? new Uint8Array()), /Copy SampleOperations\.(cs|ts) and Identity/);
    }
  });

  it('names the file of a game by an identifier made from its name, never like that of the identity', () => {
    assert.deepEqual(namesIn('3-in-a-row'), withUnity('_3_in_a_rowOperations'));
    assert.deepEqual(namesIn('identity'), withUnity('identityGameOperations'));
  });

  it('has no path and no code of a game whose name only a database from elsewhere can have', () => {
    for (const generator of [unity, web]) {
      const gameName = '../../x\nimport "evil"; //';
      const files = unzipSync(generateCode({ gameName, model: sampleModel, generator }));
      for (const [name, bytes] of Object.entries(files)) {
        assert.match(name, /^\w+\.(?:cs|ts|txt)$/);
        assert.doesNotMatch(strFromU8(bytes), /^import "evil"/m);
      }
    }
  });

  it('has the same bytes for the same model in all time zones', (t) => {
    const before = process.env.TZ;
    t.after(() => {
      if (before === undefined) delete process.env.TZ;
      else process.env.TZ = before;
    });
    const archives = ['Pacific/Auckland', 'America/Los_Angeles'].map((zone) => {
      process.env.TZ = zone;
      return generateCode({ gameName: 'Sample', model: sampleModel, generator: unity });
    });
    assert.deepEqual(archives[0], archives[1]);
  });

  it('can be made for a game without messages', () => {
    const files = unzipSync(generateCode({ gameName: 'Empty', model: readModel({}), generator: unity }));
    assert.match(strFromU8(files['EmptyOperations.cs'] ?? new Uint8Array()), /class EmptyOperations\n {4}\{\n {4}\}/);
  });
});
