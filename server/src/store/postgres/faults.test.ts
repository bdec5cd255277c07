import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { describeConnectionFault } from './faults.ts';

function refusal(code: string, message: string): Error {
  return Object.assign(new pg.DatabaseError(message, 0, 'error'), { code });
}

test('a connection that the server itself refuses sends nobody to look at the URL for a full disk or a recovery', () => {
  const full = ': see the log of the database server, and whether its disk is full';
  for (const [code, message, advice] of [
    // What PostgreSQL 15 answers when its disk has no room left.
    ['XX000', 'could not write init file', full],
    ['53100', 'could not extend file', full],
    ['58030', 'could not read block', full],
    ['57P03', 'the database system is in recovery mode', ', which is starting, stopping or recovering'],
  ] as const) {
    const described = describeConnectionFault(refusal(code, message));
    assert(described.startsWith(`${message} (${code}): see the log of the database server`), described);
    assert(described.endsWith(advice), described);
  }
  assert.match(describeConnectionFault(refusal('08P01', 'no such database')), /: check RESPARK_DATABASE_URL, and /);
  assert.match(describeConnectionFault(new Error('connect ECONNREFUSED')), /: check RESPARK_DATABASE_URL, and /);
});
