import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeOf, policyFaultOf } from './policy-places.ts';

const TEXT = `{
  "Version": "2012-10-17",
  "Statement": [
    { "Sid": "A", "Effect": "Allow", "Action": "x:\\"y", "Resource": "*" },
    {
      "Effect": "Deny",
      "Action": ["a", "b"],
      "Condition": { "StringEquals": { "aws:RequestTag/T": ["one"] } }
    }
  ]
}`;

test('a path leads to its name in the text, or to the nearest that it is in', () => {
  for (const [path, line, starts] of [
    ['Version', 2, '"Version"'],
    ['Statement', 3, '"Statement"'],
    ['Statement[0]', 4, '{ "Sid"'],
    ['Statement[0].Action', 4, '"Action"'],
    ['Statement[1]', 5, '{'],
    ['Statement[1].Effect', 6, '"Effect"'],
    ['Statement[1].Action', 7, '"Action"'],
    ['Statement[1].Condition.StringEquals["aws:RequestTag/T"]', 8, '"aws:RequestTag/T"'],
    ['Statement[1].Condition.Bool', 8, '"Condition"'],
    ['Statement[1].Resource', 5, '{'],
  ] as const) {
    const place = placeOf(TEXT, path);
    assert.equal(place?.line, line, path);
    const text = TEXT.split('\n')[line - 1]?.slice((place?.column ?? 0) - 1);
    assert.ok(text?.startsWith(starts), `${path}: ${text}`);
  }
  const single = '{\n "Statement": {\n  "Effect": "Maybe" } }';
  assert.deepEqual(placeOf(single, 'Statement[0].Effect'), { line: 3, column: 3 });
  assert.equal(placeOf('', 'Version'), undefined);
  assert.equal(placeOf('[[[', 'Version'), undefined);
});

test('a fault has the server’s words, and the place also where the text is no JSON', () => {
  assert.deepEqual(policyFaultOf('The policy is not valid. Version: must be "2012-10-17", got 1.', TEXT), {
    words: 'Version: must be "2012-10-17", got 1.',
    place: { line: 2, column: 3 },
  });
  const broken = policyFaultOf('The policy is not valid. The document: is not JSON: Unexpected token.', '{\n  "a": }');
  assert.deepEqual([broken?.words, broken?.place?.line], ['is not JSON: Unexpected token.', 2]);
  const ended = policyFaultOf('The policy is not valid. The document: is not JSON: x.', '{\n');
  assert.equal(ended?.place?.line, 2);
  assert.equal(policyFaultOf('The policy is not valid. The document: has 7000 characters.', '{}')?.place, undefined);
  assert.equal(policyFaultOf('Rate exceeded', TEXT), undefined);
});
