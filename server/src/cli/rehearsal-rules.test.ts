import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CLOSE_CODES } from '@respark/protocol';
import { playRehearsedEnd } from '../api/own-operations/rehearsals.ts';
import { judge, judgeRounds, REHEARSAL_RULES, waitOf } from './rehearsal-rules.ts';

/** Seen from server/dist/src/cli. */
const PROTOCOL = readFileSync(new URL('../../../../protocol/README.md', import.meta.url), 'utf8').replace(/\s+/g, ' ');

test('every rule stands word for word in the protocol, and agrees with the verdict of its close code', () => {
  for (const { name, sentence, meaning, expected } of REHEARSAL_RULES) {
    assert.ok(PROTOCOL.includes(sentence), `${name}: ${sentence}`);
    const code = Number(/\((\d{4})/.exec(meaning)?.[1] ?? 1006);
    const verdict = Object.values(CLOSE_CODES).find((row) => row.code === code)?.verdict;
    assert.equal(verdict, expected === 'back' ? 'reconnect' : 'stop', name);
  }
});

test('there is a rule for each end that can be played', () => {
  const { End } = playRehearsedEnd.input.members;
  assert.ok(End?.type === 'string');
  assert.deepEqual([...new Set(REHEARSAL_RULES.map(({ end }) => end))].sort(), [...(End.enum ?? [])].sort());
});

test('a client that must come back passes only if it does so after its hint and before the end of its time', () => {
  const played = { at: 1_000, retryAfterMs: 3_000, noticeMs: 0, windowMs: 10_000 };
  const passes = (backAt: number | undefined) => judge({ expected: 'back' }, { ...played, backAt }).hasPassed;
  assert.deepEqual(
    [passes(1_000), passes(3_900), passes(4_000), passes(14_000), passes(14_001), passes(undefined)],
    [false, false, true, true, false, false],
  );
  assert.equal(waitOf(played), 13_000);
  const silence = { at: 0, retryAfterMs: 0, noticeMs: 40_000, windowMs: 10_000, backAt: 45_000 };
  assert.deepEqual(judge({ expected: 'back' }, silence), { hasPassed: true, seen: 'came back after 45.0 s' });
});

test('a client that must stay away passes only if it does', () => {
  const played = { at: 0, retryAfterMs: 0, noticeMs: 0, windowMs: 10_000 };
  const seen = 'came back after 2.0 s, although nobody had asked it to';
  assert.deepEqual(judge({ expected: 'away' }, { ...played, backAt: 2_000 }), { hasPassed: false, seen });
  const away = { hasPassed: true, seen: 'stayed away for 10.0 s' };
  assert.deepEqual(judge({ expected: 'away' }, { ...played, backAt: undefined }), away);
});

test('a client that is closed again and again passes only if it comes back each time and waits in between', () => {
  const round = (backAt: number | undefined) => ({ at: 0, retryAfterMs: 0, noticeMs: 0, windowMs: 10_000, backAt });
  const passes = (...waits: (number | undefined)[]) => judgeRounds({ expected: 'back' }, waits.map(round)).hasPassed;
  assert.deepEqual(
    [passes(400, 700), passes(10, 10), passes(400, undefined), passes(10)],
    [true, false, false, true],
    'one round may be short by chance',
  );
});
