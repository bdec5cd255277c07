import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openGateway } from '../../test/support/gateway.ts';
import { Outboxes } from './outboxes.ts';

function start() {
  const closed: string[] = [];
  let measured = 0;
  class Box {
    readonly name: string;
    bytes = 0;
    constructor(name: string) {
      this.name = name;
    }
    get outboxBytes(): number {
      measured += 1;
      return this.bytes;
    }
  }
  const outboxes = new Outboxes<Box>({ budgetBytes: 1_600, close: ({ name }) => void closed.push(name) });
  const fill = (box: Box, bytes: number) => {
    box.bytes = bytes;
    outboxes.note(box);
  };
  return { outboxes, closed, fill, box: (name: string) => new Box(name), measured: () => measured };
}

test('the largest outboxes are closed until a sixteenth of the budget is free', () => {
  const { box, fill, closed } = start();
  const sizes = { a: 300, b: 500, c: 400, d: 300, e: 100 };
  for (const [name, bytes] of Object.entries(sizes)) fill(box(name), bytes);
  assert.deepEqual(closed, []);
  fill(box('f'), 1);
  assert.deepEqual(closed, ['b']);
});

test('what has been read, or has been deleted, takes nothing of the budget', () => {
  const { box, fill, closed, outboxes } = start();
  const read = box('read');
  fill(read, 1_500);
  read.bytes = 0;
  const gone = box('gone');
  fill(gone, 90);
  outboxes.delete(gone);
  fill(box('a'), 1_400);
  assert.deepEqual(closed, []);
  fill(box('b'), 201);
  assert.deepEqual(closed, ['a']);
});

test('all outboxes are measured at most once for each sixteenth of the budget that is written', () => {
  const { box, fill, closed, measured } = start();
  for (let each = 0; each < 1_500; each += 1) fill(box('full'), 1);
  const before = measured();
  for (let each = 0; each < 3_200; each += 1) fill(box('new'), 1);
  assert(closed.length >= 3_000);
  // 32 times all 1,601, beside one each.
  assert(measured() - before <= 3_200 + 32 * 1_601, `${measured() - before} measurements`);
});

test('a node whose players do not read closes those for whom most waits', async () => {
  const { connect, gateway } = openGateway({
    settings: { maxOutboxBytes: 1_000, outboxMemoryBytes: 1_600, messagesBurst: 10 },
  });
  const [small, large, other] = await Promise.all(['alice', 'bob', 'carol'].map(connect));
  assert(small !== undefined && large !== undefined && other !== undefined);
  const heartbeat = { kind: 'heartbeat' } as const;
  for (const [{ socket, connection }, bytes] of [
    [small, 500],
    [large, 800],
    [other, 301],
  ] as const) {
    socket.bufferedBytes = bytes;
    connection.send(heartbeat);
  }
  assert.deepEqual(
    [small, large, other].map(({ connection }) => connection.isStopped),
    [false, true, false],
  );
  assert.match(large.socket.did.at(-1) ?? '', /close 4001 The client reads too slowly/);
  assert.equal(gateway.counts.outboxBytes, 1_601);
  // The answers to pings wait in the outbox too.
  small.socket.bufferedBytes = 900;
  small.connection.receivePing();
  other.socket.bufferedBytes = 701;
  other.connection.receivePing();
  assert(small.connection.isStopped && !other.connection.isStopped);
});
