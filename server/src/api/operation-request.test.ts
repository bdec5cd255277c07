import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServiceError } from '../errors.ts';
import { readInput } from './input.ts';
import { type Input, requestOf } from './operation-request.ts';
import { OPERATIONS } from './operations/index.ts';
import { createRouter } from './router.ts';
import { parse } from './validation.ts';

const SnapshotId = 'Snapshot_2030-01-02T03:04:05.000001Z';
const ResourceArn = 'arn:aws:gamesparks:us-east-1:123456789012:game/Demo/stage/Dev';
const PROTO = JSON.parse('{"__proto__": {"a": null}}');

const getOperation = (name: string) => OPERATIONS.find((operation) => operation.name === name) ?? assert.fail(name);

describe('the request of a call', () => {
  const inputs: [name: string, input: Input][] = [
    ['CreateGame', { GameName: 'Demo', Description: 'é 💥', Tags: { team: 'a b' } }],
    ['ListGames', {}],
    ['ListGames', { MaxResults: 5, NextToken: "a&b=c d+e%20é'!*()~" }],
    ['GetSnapshot', { GameName: 'Demo', SnapshotId, Sections: ['A', 'B.C'] }],
    ['TagResource', { ResourceArn, tags: { 'a/b:c': '' } }],
    ['UntagResource', { ResourceArn, tagKeys: ['a+b', 'c=d'] }],
    ['ImportGameConfiguration', { GameName: 'Demo', ImportSource: { File: 'AAECAwQFBgcICQ==' } }],
    [
      'UpdateGameConfiguration',
      {
        GameName: 'Demo',
        Modifications: [
          { Section: 'A', Operation: 'ADD', Path: '/a', Value: null },
          { Section: 'A', Operation: 'ADD', Path: '/b', Value: PROTO },
        ],
      },
    ],
    ['DisconnectPlayer', { GameName: 'Demo', StageName: 'Dev', PlayerId: 'p1' }],
    ['GetExtensionVersion', { Namespace: 'N', Name: 'M', ExtensionVersion: 'a/b?c#d .' }],
  ];
  const match = createRouter(OPERATIONS);
  for (const [name, input] of inputs) {
    it(`is read back by the API as the same input: ${name} ${JSON.stringify(input)}`, () => {
      const operation = getOperation(name);
      const { path, body: text = '' } = requestOf(operation, input);
      const body = Buffer.from(text);
      const { pathname, search } = new URL(`http://service${path}`);
      const found = match(operation.http.method, pathname);
      assert(found.kind === 'operation');
      assert.equal(found.operation, operation);
      const read = readInput(operation.input, { labels: found.labels, rawQuery: search.slice(1), body });
      assert.deepEqual(read, parse(operation.input, input));
    });
  }

  it('has no body where the operation takes none, and an empty one where nothing is given', () => {
    assert.equal(requestOf(getOperation('GetGame'), { GameName: 'Demo' }).body, undefined);
    assert.equal(String(requestOf(getOperation('UpdateGame'), { GameName: 'Demo' }).body), '{}');
  });

  for (const [name, input, faults] of [
    ['StartGeneratedCodeJob', { GameName: 'D', SnapshotId, Generator: { Platform: 'Web' } }, ['Generator.Platform']],
    [
      'UpdateGameConfiguration',
      { GameName: 'D', Modifications: [{ Section: 'A', Operation: 'REMOVE', Path: '/a', path: 1 }] },
      ['Modifications[0].path'],
    ],
    ['ListGames', PROTO, ['__proto__']],
    ['ListGames', { '\u001b': 1, constructor: 2 }, ['\\u{1b}', 'constructor']],
  ] as const) {
    it(`is not made when a member is unknown: ${faults.join(', ')}`, () => {
      assert.throws(
        () => requestOf(getOperation(name), input),
        (error) => {
          assert(error instanceof ServiceError);
          assert.equal(error.code, 'validation');
          assert.deepEqual(
            error.message.split('\n').slice(1),
            faults.map((member) => `  there is no member ${member}`),
          );
          return true;
        },
      );
    });
  }

  for (const dots of ['.', '..']) {
    it(`is not made when a part of the path would be lost: ${dots}`, () => {
      const input = { Namespace: 'N', Name: 'M', ExtensionVersion: dots };
      assert.throws(() => requestOf(getOperation('GetExtensionVersion'), input), {
        message: new RegExp(`ExtensionVersion must not be '${dots.replaceAll('.', '\\.')}'`),
      });
    });
  }
});
