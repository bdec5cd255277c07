import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TEXT = readFileSync(`${ROOT}docs/ARCHITECTURE.md`, 'utf8');
const DECISIONS = readFileSync(`${ROOT}docs/decisions.md`, 'utf8');
const [, ROOMS = '', AROUND = ''] = /## The rooms\n\n```\n(.*?)```(.*?)\n### /s.exec(TEXT) ?? [];

/** The names of directories, with a slash, and of the files that are no tests. */
function namesIn(directory: string): string[] {
  return readdirSync(`${ROOT}${directory}`, { withFileTypes: true })
    .filter(({ name }) => !name.includes('.test.') && !name.includes('.contract.'))
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
}

test('the drawing of the rooms has every room of the server, and every file that is free to all', () => {
  const [, drawn = ''] = /^server\/src\/\n(.*?)^bench\//ms.exec(ROOMS) ?? [];
  const rooms = [...drawn.matchAll(/^ {2}([\w-]+\/|main\.ts) {2,}/gm)].map(([, name = '']) => name);
  const [, free = ''] = /^ {2}free to all:\n(.*)/ms.exec(drawn) ?? [];
  const files = [...free.matchAll(/[\w-]+\.ts/g)].map(([name]) => name);
  assert.deepEqual([...rooms, ...files].sort(), namesIn('server/src').sort());
});

test('what tests of more than a file are in is told of each directory', () => {
  const told = [...AROUND.matchAll(/`([\w-]+\/)`/g)].map(([, name]) => name);
  const missing = namesIn('server/test').filter((name) => name.endsWith('/') && !told.includes(name));
  assert.deepEqual(missing, []);
});

test('every file of the server that is named by its path is there', () => {
  const paths = [...(TEXT + DECISIONS).matchAll(/`((?:[\w-]+\/)+[\w-]+\.ts)`/g)].map(([, path = '']) => path);
  const places = ['', 'console/', 'server/src/', 'server/src/domain/', 'server/test/'];
  const missing = paths.filter((path) => !places.some((place) => existsSync(`${ROOT}${place}${path}`)));
  assert.deepEqual(missing, []);
  assert(paths.length > 50);
});

test('docs/README.md leads to every document', () => {
  const index = readFileSync(`${ROOT}docs/README.md`, 'utf8');
  const links = [...index.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = '']) => path);
  const documents = readdirSync(`${ROOT}docs`).filter(
    (name) => /\.(?:md|json|yml)$/.test(name) && name !== 'README.md',
  );
  assert.deepEqual(
    documents.filter((name) => !links.includes(name)),
    [],
  );
  assert.deepEqual(
    links.filter((path) => !existsSync(`${ROOT}docs/${path}`)),
    [],
  );
});
