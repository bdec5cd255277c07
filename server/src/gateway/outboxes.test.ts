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
  const outboxes = new Outboxes<Box>({
    budgetBytes: 1_600,
    close: ({ name }) => void closed.push(name),
    // The one behind the slash, such as `1/a` and `2/a` have.
    ownerOf: ({ name }) => name.split('/')[1] ?? '',
  });
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

test('owners for whom more waits than their share make room, those for whom most waits first', () => {
  const { box, fill, closed } = start();
  const fillAll = (sizes: Readonly<Record<string, number>>) => {
    for (const [name, bytes] of Object.entries(sizes)) fill(box(name), bytes);
  };
  fillAll({ '1/a': 400, '2/a': 300, '3/a': 100, '1/b': 250, '2/b': 200, '1/c': 340 });
  assert.deepEqual(closed, []);
  // The game a may have 660 of the 1,500 bytes, because b has 450 and c 390.
  fillAll({ '2/c': 50 });
  assert.deepEqual(closed, ['1/a']);
  // Now a has 400, b 750 and c 460, so b may have 640.
  fillAll({ '3/b': 300, '3/c': 70 });
  assert.deepEqual(closed, ['1/a', '3/b']);
});

test('several owners who have more than their share make room until there is enough', () => {
  const { box, fill, closed } = start();
  for (let each = 0; each < 16; each += 1) for (const owner of ['a', 'b']) fill(box(`${each}/${owner}`), 50);
  assert.deepEqual(closed, []);
  fill(box('0/c'), 50);
  assert.deepEqual(closed, ['0/a', '1/a', '0/b']);
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

test('whoever has most waiting in all makes room, and not a neighbour with one larger outbox', async () => {
  const { connect, gateway } = openGateway({
    settings: { maxOutboxBytes: 1_000, outboxMemoryBytes: 1_600, messagesBurst: 10 },
    admit: async ({ token = '' }) => ({
      isAdmitted: true,
      player: { stageId: `stage of ${token}`, playerId: token, gameId: token.split('-')[0] ?? '', signedInAt: 0 },
      runtime: { id: 'r', stage: { stageId: `stage of ${token}`, gameName: token, stageName: 'Dev' } },
    }),
  });
  const many = await Promise.all(Array.from({ length: 15 }, (_, at) => connect(`hostile-${at}`)));
  const neighbour = await connect('neighbour-0');
  for (const { socket, connection } of [...many, neighbour]) {
    socket.bufferedBytes = connection === neighbour.connection ? 200 : 100;
    connection.send({ kind: 'heartbeat' });
  }
  assert.equal(neighbour.connection.isStopped, false);
  assert.equal(many.filter(({ connection }) => connection.isStopped).length, 2);
  assert.equal(gateway.counts.outboxBytes, 1_700);
});
