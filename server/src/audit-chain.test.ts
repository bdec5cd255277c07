import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  contentOfItems,
  digestOf,
  intentText,
  linkHash,
  outcomeText,
  packDigests,
  rangesOf,
  removedItems,
  rootOf,
  unpackDigests,
} from './audit-chain.ts';

const AT = 1_700_000_000_000;
const INTENT = {
  ...{ at: AT, requestId: 'r1', cause: 'operator', actor: 'AKIA', sourceAddress: '203.0.113.9' },
  ...{ operation: 'DisconnectPlayer', resource: 'arn:zoo', playerId: 'größer', details: '{"reason":"CHEATING"}' },
};
const INTENT_TEXT =
  '["respark audit intent 1",1700000000000,"r1","operator","AKIA","203.0.113.9","DisconnectPlayer","arn:zoo","größer","{\\"reason\\":\\"CHEATING\\"}"]';
const OUTCOME_TEXT = '["respark audit outcome 1",1700000000000,"r1","{\\"durationMs\\":1.5}"]';

// Another implementation of the rules in docs/receipts.md has given the hashes. Chains on disks rest on them.

test('the texts of an intent and of an outcome are those that receipts.md says', () => {
  assert.equal(intentText(INTENT), INTENT_TEXT);
  assert.equal(
    intentText({ ...INTENT, playerId: null, details: null }),
    INTENT_TEXT.replace('"größer","{\\"reason\\":\\"CHEATING\\"}"', 'null,null'),
  );
  assert.equal(outcomeText(AT, 'r1', '{"durationMs":1.5}'), OUTCOME_TEXT);
});

test('a chain has the hashes that another implementation gives it', () => {
  const root = rootOf({ installation: 'installation', chain: 'chain' });
  assert.deepEqual(root, { number: 0, hash: '4cf1eee4b238adac2058c86277956be144083aae9193d48574daa0b2a27352a0' });
  const note = '{"type":"begin"}';
  const first = linkHash(root.hash, { number: 1, at: AT, kind: 'note', content: digestOf(note), note });
  assert.equal(first, '4b64b501d0ee43412230eba28b2858226a3e221a343b9f5b5c08cc4476a5deaa');
  const content = contentOfItems([digestOf(INTENT_TEXT), digestOf(OUTCOME_TEXT)]);
  assert.equal(content, '5609bdc971435514dd6e39509b9ed6bcaa03632addec489497b0cdf1654a17e4');
  const ofRecords = { number: 2, at: AT + 1_000, kind: 'records', content, note: `{"oldest":${AT}}` } as const;
  const second = linkHash(first, ofRecords);
  assert.equal(second, '4f21f6fceeb2af8e70123673173bad4a1a0b6f09c1a14c7f4afc2030bde90bc5');
  // Earlier versions hashed no note of items.
  const third = linkHash(second, { number: 3, at: AT + 2_000, kind: 'scripts', content });
  assert.equal(third, 'd92f5ab7b207d903c3349e296e48685013b6075e81d0b40654d9fa354bfb0da0');
});

test('digests, the mask of removed items and ranges of links are read as they were written', () => {
  const digests = ['a', 'b', 'c'].map(digestOf);
  assert.deepEqual(unpackDigests(packDigests(digests)), digests);
  const items = removedItems();
  for (const place of [0, 9, 3]) items.add(place);
  assert.deepEqual([items.toHex(), removedItems().toHex()], ['0902', '']);
  const read = removedItems('0902');
  assert.deepEqual([read.size, [0, 1, 3, 8, 9].map((place) => read.has(place))], [3, [true, false, true, false, true]]);
  const ranges = [
    [1, 3],
    [5, 5],
    [7, 8],
  ];
  assert.deepEqual(rangesOf([1, 2, 3, 5, 7, 8]), ranges);
});
