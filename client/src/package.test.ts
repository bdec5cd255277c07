import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

// Seen from dist/src.
const PACKAGES: Readonly<Record<string, URL>> = {
  '@respark/client': new URL('../../', import.meta.url),
  '@respark/protocol': new URL('../../../protocol/', import.meta.url),
};

interface Manifest {
  readonly main: string;
  readonly types: string;
  readonly exports: { readonly '.': Readonly<Record<string, string>> };
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(new URL('package.json', PACKAGES[name]), 'utf8'));
}

/** The file of a package that a bundler takes under these conditions; conditions count in the manifest's order. */
function entryOf(name: string, conditions: readonly string[]): URL {
  const found = Object.entries(manifestOf(name).exports['.']).find(
    ([condition]) => condition === 'default' || conditions.includes(condition),
  );
  assert.ok(found !== undefined, `${name} has no entry for ${conditions}`);
  return new URL(found[1], PACKAGES[name]);
}

/** Every module that a bundler meets from the entry of the SDK, by what its import names; a missing one is a failure. */
function importsUnder(conditions: readonly string[]): Set<string> {
  const met = new Set<string>();
  const visit = (file: URL) => {
    if (met.has(file.href)) return;
    met.add(file.href);
    const source = readFileSync(file, 'utf8').replace(/^\s*(\/\/|\/?\*).*$/gm, '');
    const specifiers = [...source.matchAll(/\b(?:from|import)\s*\(?\s*(?:\/\*.*?\*\/\s*)*(['"])(.+?)\1/g)].map(
      (match) => match[2] ?? '',
    );
    assert.equal(
      specifiers.length,
      source.match(/^(import |export \* |export {[^}]*} from )|\bimport\(/gm)?.length ?? 0,
    );
    assert.doesNotMatch(source, /\brequire\(|\bimport\.meta\b/, file.href);
    for (const specifier of specifiers) {
      if (specifier.startsWith('.')) visit(new URL(specifier, file));
      else if (specifier in PACKAGES) visit(entryOf(specifier, conditions));
      else met.add(specifier);
    }
  };
  visit(entryOf('@respark/client', conditions));
  return met;
}

const bare = (imports: Set<string>) => [...imports].filter((name) => !name.startsWith('file:'));

describe('what a bundler meets', () => {
  for (const conditions of [
    ['import', 'browser'],
    ['module', 'browser', 'development', 'import'],
    ['require', 'react-native'],
    ['react-native', 'browser', 'require', 'import'],
    ['browser', 'node', 'import'],
    ['worker', 'import'],
    [],
  ]) {
    test(`under the conditions [${conditions}] is the SDK and nothing else`, () => {
      const imports = importsUnder(conditions);
      assert.deepEqual(bare(imports), []);
      assert.ok(imports.size > 10, 'it went through the modules');
    });
  }

  test('for Node.js is the package ws too', () => {
    assert.deepEqual(bare(importsUnder(['node', 'import'])), ['ws']);
  });

  test('is the same without support for conditions', () => {
    for (const name of Object.keys(PACKAGES)) {
      const { main, types, exports } = manifestOf(name);
      assert.deepEqual([main, types], [exports['.'].default, exports['.'].types]);
      for (const file of Object.values(exports['.'])) assert.ok(existsSync(new URL(file, PACKAGES[name])), file);
      assert.equal(Object.keys(exports['.'])[0], 'types', 'TypeScript takes the first condition that matches');
    }
  });
});

test('every entry exports the same names', async () => {
  const [forAll, forNode] = [await import('./index.ts'), await import('./node.ts')];
  assert.deepEqual(Object.keys(forNode), Object.keys(forAll));
  assert.equal(forNode.ResparkClient.name, forAll.ResparkClient.name);
});

test('Node.js takes the entry that knows the package ws', async () => {
  const script = `
    import { ResparkClient } from '@respark/client';
    import { ResparkClient as ForNode } from '${new URL('node.js', import.meta.url)}';
    console.log(ResparkClient === ForNode);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: fileURLToPath(PACKAGES['@respark/client'] as URL),
  });
  assert.equal(stdout, 'true\n');
});
