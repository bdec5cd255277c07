import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findNodes, OWN_NODE } from './node-binary.ts';
import { temporaryDirectory } from './running-contestant.ts';
import { entrantsOf } from './scenarios/scenario.ts';

/** A program that answers like a Node.js behind it. */
function createProgram(t: TestContext, says: string): string {
  const { path, remove } = temporaryDirectory();
  t.after(remove);
  const program = join(path, 'node');
  writeFileSync(program, `#!/bin/sh\necho '${says}'\n`);
  chmodSync(program, 0o755);
  return program;
}

const ANOTHER = { path: '/another/node', version: 'v99.1.0' };

test('another Node.js is the binary that runs in the end, and comes after that of the bench', (t) => {
  assert.deepEqual(findNodes([createProgram(t, JSON.stringify(ANOTHER))]), [OWN_NODE, ANOTHER]);
  assert.deepEqual(findNodes([]), [OWN_NODE]);
});

test('what is no other Node.js is refused', (t) => {
  assert.throws(() => findNodes(['/nowhere/node']), /which "\/nowhere\/node" is not/);
  assert.throws(() => findNodes([createProgram(t, 'Python 3.11')]), /node" is not/);
  assert.throws(() => findNodes([process.execPath]), new RegExp(`${process.execPath} is ${process.version} too`));
  const another = createProgram(t, JSON.stringify(ANOTHER));
  assert.throws(() => findNodes([another, another]), /is v99\.1\.0 too/);
});

test('a contestant has no turn on a Node.js that is too old for it', () => {
  const old = { path: '/old/node', version: 'v21.9.0' };
  const entrants = entrantsOf({ kinds: ['peer'], isOnEveryNode: true }, [old, ANOTHER]);
  assert.deepEqual(
    entrants.filter(({ contestant }) => contestant === 'colyseus-018'),
    [{ contestant: 'colyseus-018', node: ANOTHER }],
  );
});

test('a contestant has its turns on all versions of Node.js in a row, unless the scenario is for one', () => {
  const turns = (isOnEveryNode: boolean) =>
    entrantsOf({ kinds: ['floor'], isOnEveryNode }, [OWN_NODE, ANOTHER]).map(
      ({ contestant, node }) => `${contestant} ${node.version}`,
    );
  const [own, other] = [OWN_NODE.version, ANOTHER.version];
  assert.deepEqual(turns(true), [
    ...[`floor ${own}`, `floor ${other}`],
    ...[`floor-own-codec ${own}`, `floor-own-codec ${other}`],
  ]);
  assert.deepEqual(turns(false), [`floor ${own}`, `floor-own-codec ${own}`]);
});
