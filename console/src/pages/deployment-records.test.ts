import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordOf, stageOf } from './deployment-records.ts';

const AT = Date.parse('2026-01-02T03:04:05.678Z');
const idAt = (ms: number) => {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7abc-8def-0123456789ab`;
};
const record = (ms: number, more: object = {}) => ({
  Operation: 'StartStageDeployment',
  Resource: 'arn:aws:gamesparks:us-east-1:000000000000:game/Demo/stage/Dev',
  Time: new Date(ms).toISOString(),
  RequestId: `${ms}`,
  Outcome: { Status: 200 },
  ...more,
});
const place = { game: 'Demo', stage: 'Dev' };

test('the record of a deployment is the latest before it', () => {
  const records = [record(AT + 1), record(AT - 3), record(AT - 9)];
  assert.equal(recordOf(idAt(AT), place, records)?.RequestId, `${AT - 3}`);
  assert.equal(recordOf(idAt(AT + 1), place, records)?.RequestId, `${AT + 1}`);
  assert.equal(recordOf(idAt(AT - 10), place, records), undefined);
});

test('a call that failed, another operation and another stage made no deployment here', () => {
  const others = [
    record(AT, { Outcome: { Error: 'ConflictException' } }),
    record(AT, { Operation: 'DrainNode' }),
    record(AT, { Resource: 'arn:aws:gamesparks:us-east-1:000000000000:game/Demo/stage/Dev2' }),
    record(AT, { Resource: 'arn:aws:gamesparks:us-east-1:000000000000:game/OtherDemo/stage/Dev' }),
  ];
  assert.equal(recordOf(idAt(AT), place, others), undefined);
  assert.equal(recordOf(idAt(AT), place, [...others, record(AT - 1)])?.RequestId, `${AT - 1}`);
});

test('the stage of a record is in its resource', () => {
  assert.deepEqual(stageOf(record(AT)), place);
  assert.equal(stageOf({ Resource: 'node/01890a5d' }), undefined);
  assert.equal(stageOf({}), undefined);
});
