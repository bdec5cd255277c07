import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@respark/protocol';
import { FakeSocket, openGateway } from '../../test/support/gateway.ts';

const HEARTBEAT = encode({ kind: 'heartbeat' });
const MISSED = 'close 4002 Nothing arrived for two heartbeat periods, or no hello within its time limit.';

test('a silent player is pinged after one and a half heartbeat periods, and closed after two', async () => {
  const { clock, connect } = openGateway();
  const { socket } = await connect('alice');
  clock.advance(2_000);
  assert.deepEqual(socket.did, ['0 welcome', '1500 ping', `2000 ${MISSED}`]);
});

test('a player who answers pings stays, however long they say nothing', async () => {
  const { clock, connect } = openGateway();
  const { socket, connection } = await connect('alice');
  for (let quarter = 0; quarter < 4_000; quarter += 1) {
    clock.advance(250);
    if (connection.isPongAwaited) connection.receivePong();
  }
  assert(!connection.isStopped);
  const pings = socket.did.filter((what) => what.endsWith('ping')).length;
  // These were a thousand heartbeat periods, with two pings in three.
  assert.equal(pings, 666);
});

test('a player who sends a frame in every period is never pinged', async () => {
  const { clock, connect } = openGateway();
  const { socket, connection } = await connect('alice');
  for (let second = 0; second < 100; second += 1) {
    clock.advance(1_000);
    connection.receive(HEARTBEAT);
  }
  assert(!socket.did.some((what) => what.endsWith('ping')));
});

test('no player is closed before the server has pinged them and could have read the answer', async () => {
  const { clock, connect } = openGateway();
  const { socket, connection } = await connect('alice');
  // A process that is stopped finds every player silent, though their frames are there, unread.
  clock.holdUp(60_000);
  clock.advance(0);
  assert.deepEqual(socket.did, ['0 welcome', '60000 ping']);
  clock.holdUp(60_000);
  clock.advance(0);
  assert(!connection.isStopped);
  connection.receivePong();
  clock.advance(1_999);
  assert(!connection.isStopped);

  const other = await connect('bob');
  clock.holdUp(60_000);
  clock.advance(0);
  clock.advance(500);
  assert.equal(other.socket.did.at(-1)?.split(' ').slice(1).join(' '), MISSED);
});

test('a hello that is unread because the server was held up still counts', () => {
  const { clock, gateway } = openGateway();
  const socket = new FakeSocket(clock);
  gateway.accept(socket, '127.0.0.1');
  clock.holdUp(20_000);
  clock.advance(4_999);
  assert.deepEqual(socket.did, []);
  clock.advance(1);
  assert.deepEqual(socket.did, ['25000 close 4002 no hello in time']);
});

test('the answer to a ping costs nothing of the player’s rate, a pong that was not asked for does', async () => {
  const { clock, connect } = openGateway({ settings: { messagesPerSecond: 1, messagesBurst: 1 } });
  const { connection } = await connect('alice');
  clock.advance(1_500);
  connection.receivePong();
  connection.receive(HEARTBEAT);
  assert(!connection.isStopped);
  connection.receivePong();
  assert(connection.isStopped);
});

test('a ping is not repeated before it is answered', async () => {
  const { clock, connect } = openGateway();
  const { socket, connection } = await connect('alice');
  connection.ping();
  connection.ping();
  assert.equal(socket.did.filter((what) => what.endsWith('ping')).length, 1);
  connection.receivePong();
  clock.advance(100);
  connection.ping();
  assert.equal(socket.did.filter((what) => what.endsWith('ping')).length, 2);
});

test('idle players share one timer', async () => {
  const { clock, connect } = openGateway();
  await connect('alice');
  const timers = clock.pending;
  for (const name of ['bob', 'carol', 'dave']) await connect(name);
  assert.equal(clock.pending, timers);
});
