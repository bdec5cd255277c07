import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceError } from '../../errors.ts';
import { chooseGenerator, type Generator } from './generators.ts';

function chosen(generator: Generator): string {
  const { targetPlatform, language, gameSdkVersion } = chooseGenerator(generator);
  return `${targetPlatform} ${language} ${gameSdkVersion}`;
}

describe('the choice of a generator', () => {
  it('is C# for Unity unless told otherwise', () => {
    assert.equal(chosen({}), 'Unity CSharp 1.0.0');
    assert.equal(chosen({ gameSdkVersion: 'LATEST' }), 'Unity CSharp 1.0.0');
  });

  it('knows the language of each platform, and names in any case', () => {
    assert.equal(chosen({ targetPlatform: 'WEB' }), 'Web TypeScript 1.0.0');
    assert.equal(chosen({ targetPlatform: 'web', language: 'typescript' }), 'Web TypeScript 1.0.0');
    assert.equal(
      chosen({ targetPlatform: 'unity', language: 'CSHARP', gameSdkVersion: '1.0.0' }),
      'Unity CSharp 1.0.0',
    );
  });

  it('refuses an unknown choice, and lists those there are', () => {
    for (const generator of [
      { targetPlatform: 'Unreal' },
      { language: 'TypeScript' },
      { targetPlatform: 'Web', language: 'CSharp' },
      { gameSdkVersion: '2.0.0' },
    ]) {
      assert.throws(
        () => chooseGenerator(generator),
        (error) => {
          assert(error instanceof ServiceError);
          assert.equal(error.code, 'validation');
          assert.match(error.message, /Unity, CSharp, LATEST or 1\.0\.0; Web, TypeScript, LATEST or 1\.0\.0$/);
          return true;
        },
      );
    }
  });
});
