import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE, recordedLog } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import type { Change } from '../audit/audit.ts';
import { createRefusals } from './refusals.ts';

function open() {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const records: Change[] = [];
  const audit = { refused: async (change: Change) => void records.push(change) };
  return { clock, lines, records, ...createRefusals({ audit, clock, log }) };
}

const unauthenticated = {
  requestId: 'r1',
  operation: 'ListGames',
  accessKeyId: 'AKIANOBODY',
  sourceAddress: '192.0.2.7',
  addressGroup: '192.0.2.7',
  cause: 'UnrecognizedClientException',
  reason: 'there is no such key',
};

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('millions of refusals from everywhere leave a bounded number of lines, and all of them are counted', async () => {
  const { clock, lines, unauthenticated: refuse } = open();
  for (let index = 0; index < 20_000; index += 1) {
    const address = `2001:db8:${index.toString(16)}::1`;
    refuse({ ...unauthenticated, sourceAddress: address, addressGroup: address, accessKeyId: `AKIA${index}` });
  }
  assert.ok(lines.length <= 1_001, `${lines.length} lines`);
  clock.advance(60_000);
  await nextTurn();
  const counted = lines.reduce((sum, { count }) => sum + Number(count), 0);
  assert.equal(counted, 20_000);
});

test('one address that tries many keys leaves ten lines and one for the rest', async () => {
  const { clock, lines, unauthenticated: refuse } = open();
  for (let index = 0; index < 100; index += 1) refuse({ ...unauthenticated, accessKeyId: `AKIA${index}` });
  refuse({ ...unauthenticated, sourceAddress: '192.0.2.8', addressGroup: '192.0.2.8' });
  assert.equal(lines.length, 12, 'ten, one for the rest, and the other address');
  clock.advance(60_000);
  await nextTurn();
  assert.deepEqual([lines.length, lines.at(-1)?.count], [13, 89]);
});

test('repeated denials are on record every minute for as long as they go on, and what is counted at the end too', async () => {
  const { clock, records, denied, close } = open();
  const countOf = (record: Change | undefined) => record?.details?.count;
  for (let second = 0; second < 150; second += 1) {
    await denied({ ...CHANGE, requestId: `r${second}` }, 'gamesparks:GetGame');
    clock.advance(1_000);
    await nextTurn();
  }
  assert.deepEqual(records.map(countOf), ['1', '59', '60']);
  assert.deepEqual(
    records.map(({ requestId }) => requestId),
    ['r0', 'r59', 'r119'],
  );
  await close();
  assert.deepEqual([records.length, countOf(records.at(-1))], [4, '30']);
});

test('keys that are denied everything that there is leave each other key a record of its own', async () => {
  const { clock, records, denied } = open();
  for (let key = 0; key < 20; key += 1) {
    for (let action = 0; action < 100; action += 1)
      await denied({ ...CHANGE, actor: `FLOOD${key}` }, `respark:Action${action}`);
  }
  for (const action of ['gamesparks:DisconnectPlayer', 'respark:BlockPlayer'])
    await denied({ ...CHANGE, actor: 'LATER' }, action);
  const own = () =>
    records.filter(({ actor }) => actor === 'LATER').map(({ details: { count, ...details } = {} }) => [count, details]);
  assert.deepEqual(own(), [['1', { action: 'gamesparks:DisconnectPlayer' }]]);
  clock.advance(60_000);
  await nextTurn();
  assert.deepEqual(own().at(-1), ['1', { action: 'respark:BlockPlayer', actions: 'several', resources: 'several' }]);
});
