import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { ServerFrame, WelcomeFrame } from '@respark/protocol';
import { Connection, MAX_BUFFERED_BYTES } from './connection.ts';
import type { Closure, ResparkError } from './errors.ts';
import { FakeClock, FakeSocket, settle, WELCOME } from './test/fakes.ts';

const HELLO = { kind: 'hello', gameKey: 'key', token: 'secret' } as const;

function setUp() {
  const clock = new FakeClock();
  const socket = new FakeSocket('ws://test/connect');
  const told: string[] = [];
  const closures: Closure[] = [];
  const faults: ResparkError[] = [];
  const connection = new Connection({
    socket,
    hello: HELLO,
    clock,
    connectTimeoutMs: 10_000,
    observer: {
      welcomed: (welcome) => told.push(`welcomed ${welcome.playerId}`),
      notified: ({ type }) => told.push(`notified ${type}`),
      faulted: (error) => {
        told.push(`faulted ${error.code}`);
        faults.push(error);
      },
      ended: (closure) => {
        told.push(`ended ${closure.closeCode} ${closure.verdict}`);
        closures.push(closure);
      },
    },
  });
  return { clock, socket, told, closures, faults, connection };
}

function setUpReady(limits: Partial<WelcomeFrame> = {}) {
  const all = setUp();
  all.socket.welcomes(limits);
  all.socket.sent.length = 0;
  all.told.length = 0;
  return all;
}

describe('before the welcome', () => {
  test('the hello is sent when the socket opens, and nothing else', async () => {
    const { socket, clock } = setUp();
    assert.deepEqual(socket.sent, []);
    socket.opens();
    await clock.advance(9_999);
    assert.deepEqual(socket.sent, [HELLO]);
  });

  test('messages are refused', async () => {
    const { connection, socket } = setUp();
    socket.opens();
    await assert.rejects(connection.request('T', {}, 1_000), { name: 'ConnectionClosedError' });
    assert.throws(() => connection.event('T', {}), { name: 'ConnectionClosedError' });
    assert.deepEqual(socket.sent, [HELLO]);
  });

  test('a socket that does not open in time is dropped', async () => {
    const { socket, clock, told, closures } = setUp();
    await clock.advance(10_000);
    assert.deepEqual(told, ['ended 1006 reconnect']);
    assert.equal(closures[0]?.reason, 'no welcome within 10000 ms');
    assert.equal(socket.isTerminated, true);
    assert.equal(clock.timers, 0);
  });

  test('a welcome that does not come in time ends the connection, whatever other frames come', async () => {
    const { socket, clock, told } = setUp();
    socket.opens();
    await clock.advance(9_000);
    socket.receives({ kind: 'heartbeat' });
    await clock.advance(1_000);
    assert.deepEqual(told, ['faulted bad_frame', 'ended 1006 reconnect']);
    socket.receives(WELCOME);
    assert.equal(told.length, 2);
  });

  test('a close says why, with the hints in its reason', () => {
    const { socket, told, closures, clock } = setUp();
    socket.opens();
    socket.closes(4000, 'the node is draining; retryAfterMs=1500; requestId=r-1');
    assert.deepEqual(told, ['ended 4000 reconnect']);
    assert.deepEqual(closures[0], {
      closeCode: 4000,
      name: 'draining',
      reason: 'the node is draining',
      verdict: 'reconnect',
      retryAfterMs: 1500,
      requestId: 'r-1',
    });
    assert.equal(clock.timers, 0);
  });

  test('a socket that fails passes on what it says about the failure', () => {
    const { socket, closures } = setUp();
    socket.fails('connect ECONNREFUSED 127.0.0.1:9');
    assert.equal(closures[0]?.reason, 'connect ECONNREFUSED 127.0.0.1:9');
    assert.equal(closures[0]?.closeCode, 1006);
  });

  test('the client gives up for good on a server that does not echo the subprotocol', () => {
    const { socket, told } = setUp();
    socket.opens('');
    assert.deepEqual(told, ['ended 4504 stop']);
    assert.equal(socket.closedWith, 4504);
    assert.deepEqual(socket.sent, []);
  });
});

describe('heartbeats', () => {
  test('are sent each period, whatever else is sent', async () => {
    const { connection, socket, clock } = setUpReady();
    for (let period = 1; period <= 5; period += 1) {
      await clock.advance(10_000);
      connection.event('T', {});
      await clock.advance(10_000);
      socket.receives({ kind: 'heartbeat' });
      assert.equal(socket.sent.filter((frame) => frame.kind === 'heartbeat').length, period);
    }
  });

  test('that stay unanswered for two periods end the connection, not a millisecond earlier', async () => {
    const { socket, clock, told, closures } = setUpReady();
    await clock.advance(20_001);
    socket.receives({ kind: 'notification', type: 'N', payload: {} });
    await clock.advance(39_999);
    assert.deepEqual(told, ['notified N']);
    await clock.advance(1);
    assert.deepEqual(told, ['notified N', 'ended 1006 reconnect']);
    assert.equal(closures[0]?.reason, 'nothing received for 40000 ms');
    assert.equal(socket.isTerminated, true);
    assert.equal(clock.timers, 0);
  });
});

describe('requests', () => {
  test('get the answer with their id, in any order', async () => {
    const { connection, socket, clock } = setUpReady();
    const timers = clock.timers;
    const first = connection.request('A', { x: 1 }, 1_000);
    const second = connection.request('B', {}, 1_000);
    assert.deepEqual(socket.sent, [
      { kind: 'request', id: '1', type: 'A', payload: { x: 1 } },
      { kind: 'request', id: '2', type: 'B', payload: {} },
    ]);
    socket.receives({ kind: 'error', id: '2', code: 'no_handler', message: 'no handler for "B"' });
    socket.receives({ kind: 'response', id: '1', payload: { y: 2 } });
    assert.deepEqual(await first, { y: 2 });
    assert.equal(clock.timers, timers);
    await assert.rejects(second, { name: 'RequestError', code: 'no_handler', message: 'no handler for "B"' });
  });

  test('that get no answer time out, and a late answer is ignored', async () => {
    const { connection, socket, clock, told } = setUpReady();
    const rejected = assert.rejects(connection.request('A', {}, 1_000), {
      name: 'RequestTimeoutError',
      code: 'timeout',
      message: 'no answer to "A" within 1000 ms; it may have taken effect',
    });
    await clock.advance(1_000);
    await rejected;
    socket.receives({ kind: 'response', id: '1', payload: {} });
    socket.receives({ kind: 'error', id: 'never asked', code: 'internal', message: 'm' });
    assert.deepEqual(told, []);
  });

  test('in flight fail when the connection ends, with the reason', async () => {
    const { connection, socket, clock } = setUpReady();
    const rejected = assert.rejects(connection.request('A', {}, 1_000), {
      name: 'ConnectionClosedError',
      code: 'disconnected',
      closeCode: 4500,
      reason: 'by the operator',
      verdict: 'stop',
      message: 'connection closed: by the operator (4500)',
    });
    socket.closes(4500, 'by the operator');
    await rejected;
    assert.equal(clock.timers, 0);
  });

  test('beyond the server’s limit of those in flight are refused until one is answered', async () => {
    const { connection, socket } = setUpReady({ maxRequestsInFlight: 8 });
    const all = Array.from({ length: 8 }, () => connection.request('A', {}, 1_000));
    await assert.rejects(connection.request('A', {}, 1_000), { name: 'RequestError', code: 'busy' });
    assert.equal(socket.sent.length, 8);
    socket.receives({ kind: 'response', id: '7', payload: {} });
    assert.deepEqual(await all[6], {});
    const next = connection.request('A', {}, 1_000);
    socket.receives({ kind: 'response', id: '9', payload: {} });
    assert.deepEqual(await next, {});
    const ended = Promise.allSettled(all);
    socket.closes(1006);
    assert.equal((await ended).filter(({ status }) => status === 'rejected').length, 7);
  });
});

describe('the rate of messages', () => {
  const limits = { messagesPerSecond: 10, messagesBurst: 21, heartbeatMs: 1_000 };
  const busy = { name: 'RequestError', code: 'busy', message: 'too many messages at once; send at most 10 a second' };

  /** Events until one is refused. */
  function flood(connection: Connection): number {
    for (let sent = 0; ; sent += 1) {
      try {
        connection.event('T', {});
      } catch (error) {
        assert.equal((error as ResparkError).message, busy.message);
        return sent;
      }
    }
  }

  test('is limited to a burst less the hello and a reserved quarter, and then to the refill', async () => {
    const { connection, socket, clock } = setUpReady(limits);
    assert.equal(flood(connection), 15);
    await assert.rejects(connection.request('T', {}, 1_000), busy);
    await clock.advance(99);
    assert.equal(flood(connection), 0);
    await clock.advance(1);
    assert.equal(flood(connection), 1);
    await clock.advance(500);
    assert.equal(flood(connection), 5);
    assert.equal(socket.sent.length, 21);
  });

  test('leaves room for heartbeats, which count too', async () => {
    const { connection, socket, clock } = setUpReady(limits);
    flood(connection);
    await clock.advance(1_000);
    assert.equal(socket.sent.at(-1)?.kind, 'heartbeat');
    assert.equal(flood(connection), 9);
  });

  test('is limited in bytes too, of which a quarter is reserved', async () => {
    const { connection, clock } = setUpReady({ bytesPerSecond: 1_000, bytesBurst: 4_000 });
    const message = 'too many bytes at once; send at most 1000 a second';
    const send = (bytes: number) => {
      const padding = bytes - '{"kind":"event","type":"T","payload":{"s":""}}'.length;
      connection.event('T', { s: 'x'.repeat(padding) });
    };
    // The hello was the first of them.
    send(2_900);
    assert.throws(() => send(100), { code: 'busy', message });
    await clock.advance(1_000);
    send(1_000);
    assert.throws(() => send(100), { code: 'busy', message });
  });

  test('lets a message through even where the burst is one frame', async () => {
    const { connection, clock } = setUpReady({ ...limits, messagesBurst: 1 });
    assert.equal(flood(connection), 0);
    await clock.advance(100);
    assert.equal(flood(connection), 1);
  });
});

describe('what the server would close for is refused before it is sent', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const cases: Record<string, [type: string, payload: Record<string, unknown>, message: RegExp]> = {
    'an empty type': ['', {}, /^type must be a well-formed string of 1-128 characters, got ""$/],
    'a type of 129 characters': ['T'.repeat(129), {}, /^type must be /],
    'a payload that JSON cannot hold': ['T', { n: 1n }, /^payload must be JSON: /],
    'a payload with a cycle': ['T', cycle, /^payload must be JSON: /],
    'a frame beyond maxFrameBytes': ['T', { s: 'é'.repeat(33_000) }, /^a frame must have at most 65536 bytes, got 660/],
  };
  for (const [name, [type, payload, message]] of Object.entries(cases)) {
    test(name, async () => {
      const { connection, socket, clock } = setUpReady();
      const timers = clock.timers;
      assert.throws(() => connection.event(type, payload), { name: 'RequestError', code: 'bad_request', message });
      await assert.rejects(connection.request(type, payload, 1_000), { code: 'bad_request', message });
      assert.deepEqual(socket.sent, []);
      assert.equal(clock.timers, timers);
    });
  }

  test('a message that would wait behind a mebibyte of others', () => {
    const { connection, socket } = setUpReady();
    socket.bufferedAmount = MAX_BUFFERED_BYTES;
    assert.throws(() => connection.event('T', {}), { name: 'RequestError', code: 'busy' });
    assert.deepEqual(socket.sent, []);
    socket.bufferedAmount = 0;
    connection.event('T', {});
    assert.equal(socket.sent.length, 1);
  });
});

describe('frames from the server', () => {
  const vectors: { name: string; direction: string; text: string; frame?: ServerFrame }[] = JSON.parse(
    readFileSync(new URL('../../../protocol/vectors/frames.json', import.meta.url), 'utf8'),
  );
  const toClient = vectors.filter((vector) => vector.direction === 'to-client');

  test('come with golden vectors', () => assert.ok(toClient.length > 40));

  for (const { name, text, frame } of toClient) {
    test(`golden: ${name}`, () => {
      const { socket, told } = setUp();
      socket.opens();
      if (frame?.kind !== 'welcome') socket.receives(WELCOME);
      told.length = 0;
      socket.receives(text);
      if (frame === undefined) assert.deepEqual(told, ['faulted bad_frame']);
      else if (frame.kind === 'welcome') assert.deepEqual(told, [`welcomed ${frame.playerId}`]);
      else if (frame.kind === 'notification') assert.deepEqual(told, [`notified ${frame.type}`]);
      else if (frame.kind === 'error' && frame.id === undefined) assert.deepEqual(told, [`faulted ${frame.code}`]);
      else assert.deepEqual(told, []);
    });
  }

  test('that are binary, a second welcome, or too long to be read, are reported and do not end the connection', () => {
    const { socket, faults, closures } = setUpReady();
    socket.receives(new Uint8Array([123, 125]));
    socket.receives(WELCOME);
    socket.receives('['.repeat(4_194_305));
    assert.deepEqual(
      faults.map((fault) => fault.message),
      [
        'the server sent a bad frame: a frame must be text, got a binary message',
        'the server sent a bad frame: there must be one welcome, got a second',
        'the server sent a bad frame: a frame must have at most 4194304 characters, got 4194305',
      ],
    );
    assert.deepEqual(closures, []);
  });
});

describe('close()', () => {
  test('sends a close frame, fails requests in flight, ignores input and waits for the server', async () => {
    const { connection, socket, clock, told } = setUpReady();
    const rejected = assert.rejects(connection.request('A', {}, 5_000), {
      name: 'ConnectionClosedError',
      code: 'normal',
    });
    let isClosed = false;
    const closed = connection.close().then(() => {
      isClosed = true;
    });
    await rejected;
    assert.equal(socket.closedWith, 1000);
    socket.receives({ kind: 'notification', type: 'N', payload: {} });
    await settle();
    assert.equal(isClosed, false);
    socket.closes(1000);
    await closed;
    assert.deepEqual(told, ['ended 1000 stop']);
    assert.equal(clock.timers, 0);
    assert.equal(socket.isTerminated, false);
  });

  test('gives the server a second', async () => {
    const { connection, socket, clock, told } = setUpReady();
    const closed = connection.close();
    await clock.advance(1_000);
    await closed;
    assert.equal(socket.isTerminated, true);
    assert.deepEqual(told, ['ended 1000 stop']);
    socket.closes(1006);
    assert.equal(told.length, 1);
  });

  test('before the welcome leaves no timer either', async () => {
    const { connection, socket, clock } = setUp();
    const closed = connection.close();
    socket.opens();
    socket.closes(1006);
    await closed;
    assert.deepEqual(socket.sent, []);
    assert.equal(clock.timers, 0);
  });
});

test('a browser is given the time to say why the server has closed, when the end of its stream gets lost', async () => {
  const lose = () => {
    const all = setUpReady({ heartbeatMs: 20_000 });
    Object.defineProperty(all.socket, 'terminate', { value: undefined });
    all.socket.readyState = 2;
    return all;
  };
  const heard = lose();
  await heard.clock.advance(45_000);
  assert.deepEqual(heard.told, []);
  heard.socket.closes(4500, 'out');
  assert.deepEqual([heard.told, heard.clock.timers], [['ended 4500 stop'], 0]);
  const unheard = lose();
  await unheard.clock.advance(60_000);
  assert.deepEqual([unheard.told, unheard.clock.timers], [['ended 1006 reconnect'], 0]);
});
