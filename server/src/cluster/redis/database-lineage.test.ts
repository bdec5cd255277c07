import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRedisFault, RedisServer } from '../../../test/support/redis-server.ts';
import { START } from './scripts.ts';

const KEYS = ['{d0}:era', '{d0}:former', '{d0}:database'];

test('a node that may not see all that tells databases apart does not take its own for another one', {
  skip: findRedisFault() ?? false,
}, async (t) => {
  const server = await RedisServer.start(t);
  /** Whether a start on a database of this lineage ends the era. */
  const endsEra = (lineage: string) => {
    server.command('SET', '{d0}:era', 'any');
    server.command('EVAL', START.lua, String(KEYS.length), ...KEYS, lineage);
    return server.command('EXISTS', '{d0}:era').trim() === '0';
  };
  for (const same of ['1 2 -', '- 2 3', '1 - -', '1 2 3', '- - -', '- 2 3']) assert.equal(endsEra(same), false, same);
  assert.equal(endsEra('- - 4'), true, 'what one node has seen is known to the others');
  assert.equal(endsEra('1 2 4'), false);
  assert.equal(endsEra('5 2 4'), true);
  assert.equal(endsEra('5 2 4'), false);
});
