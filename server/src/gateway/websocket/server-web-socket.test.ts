import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { CLOSE, closeFrame, firstPiece, frame, join, PING, piece, text } from '../../../test/fire/raw-websocket.ts';
import { openWebSocketPair } from '../../../test/support/websocket-pair.ts';
import type { ServerWebSocket } from './server-web-socket.ts';

const EMPTY_CLOSE = frame({ opcode: CLOSE });

/** Resolves when the event loop has read and written its sockets, and has run the `close` events. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

const LONG = 'x'.repeat(1_048_576);

/** Sends messages until the kernel takes no more of them; resolves with their number. */
async function fill(socket: Socket, webSocket: ServerWebSocket<unknown>): Promise<number> {
  let sent = 0;
  for (; socket.writableLength < 2 * LONG.length; sent += 1) {
    webSocket.send(LONG, LONG.length);
    await turn();
  }
  return sent;
}

async function when(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

for (const isTls of [false, true]) {
  describe(isTls ? 'over TLS' : 'over TCP', () => {
    test("a client's close frame is answered with its code and reason, and ends the socket", async (t) => {
      for (const [bytes, answer, closed] of [
        [closeFrame(1000, 'bye'), 'close 1000 bye', 'closed 1000'],
        [closeFrame(4999), 'close 4999 ', 'closed 4999'],
        [EMPTY_CLOSE, 'close 1005 ', 'closed 1005'],
      ] as const) {
        const { client, heard, told } = await openWebSocketPair(t, { isTls });
        client.write(bytes);
        await heard.has('end');
        client.end();
        await told.has(closed);
        await turn();
        assert.deepEqual([heard.all, told.all], [[answer, 'end'], [closed]]);
      }
    });

    test('the end is told as soon as both close frames are there, though the client does not end its stream', async (t) => {
      for (const first of ['client', 'server']) {
        const { client, heard, told, webSocket } = await openWebSocketPair(t, { isTls });
        if (first === 'server') {
          webSocket.close(4500, 'no more', () => {});
          await heard.has('close 4500 no more');
        }
        client.write(closeFrame(1000));
        await told.has('closed 1000');
        await heard.has('end');
      }
    });

    test('a silent socket neither reads nor writes, also what waits for its turn, and closing it destroys it', async (t) => {
      const { client, heard, told, webSocket, hold, giveTurn, taken } = await openWebSocketPair(t, { isTls });
      hold();
      const waiting = text('waits');
      client.write(waiting);
      await taken(waiting.length);
      webSocket.silence();
      webSocket.send('late', 4);
      webSocket.ping();
      giveTurn();
      client.write(join(frame({ opcode: PING, payload: 'p' }), text('more')));
      await turn();
      assert.deepEqual([heard.all, told.all], [[], []]);
      const proofs: string[] = [];
      webSocket.close(4500, 'no more', (proof) => proofs.push(proof));
      assert.deepEqual(proofs, ['socket_destroyed']);
      await told.has('closed 1006');
      await heard.when(() => heard.all.length > 0);
      assert.ok(!heard.all.some((line) => /^(text|ping|pong|close)/.test(line)), heard.all.join());
      assert.deepEqual(told.all, ['closed 1006']);
    });

    test('the close frame of the server is the last thing that it writes, and the answer ends the socket', async (t) => {
      const { client, heard, told, webSocket } = await openWebSocketPair(t, { isTls });
      let settled = 0;
      webSocket.send('last', 4);
      webSocket.close(4500, 'no more', () => {
        settled += 1;
      });
      webSocket.send('late', 4);
      webSocket.ping();
      await heard.has('close 4500 no more');
      client.write(join(frame({ opcode: PING, payload: 'p' }), text('still read'), closeFrame(4500)));
      await heard.has('end');
      client.end();
      await told.has('closed 4500');
      await turn();
      assert.deepEqual(heard.all, ['text last', 'close 4500 no more', 'end']);
      assert.deepEqual(told.all, ['ping 1', 'text still read', 'closed 4500']);
      assert.equal(settled, 1);
    });

    test('a client that ends its stream without a close frame gets the end of the stream', async (t) => {
      const { client, heard, told } = await openWebSocketPair(t, { isTls });
      client.end(join(text('one'), firstPiece('tw')));
      await told.has('closed 1006');
      await heard.has('end');
      await turn();
      assert.deepEqual([heard.all, told.all], [['end'], ['text one', 'closed 1006']]);
    });

    test('a client that is gone without a word is told to the host once', async (t) => {
      const { client, told, webSocket } = await openWebSocketPair(t, { isTls });
      client.write(text('one'));
      await told.has('text one');
      if (isTls) client.destroy();
      else client.resetAndDestroy();
      await told.has('closed 1006');
      await turn();
      let settled = 0;
      webSocket.send('late', 4);
      webSocket.close(1000, '', () => {
        settled += 1;
      });
      assert.deepEqual([told.all, settled], [['text one', 'closed 1006'], 1]);
    });

    test('a fault is answered with its close frame, and nothing that follows is looked at', async (t) => {
      const { client, heard, told, webSocket } = await openWebSocketPair(t, { isTls });
      client.write(join(text('one'), frame({ opcode: 3 }), text('two'), closeFrame(1000)));
      await heard.has('end');
      webSocket.send('late', 4);
      client.end();
      await told.has('closed 1006');
      await turn();
      assert.deepEqual(heard.all, ['close 1002 there is no opcode 3', 'end']);
      assert.deepEqual(told.all, ['text one', 'faulted', 'closed 1006']);
    });

    test('a host that closes because of a fault waits for the close frame that says so', async (t) => {
      let settled = 0;
      const { client, heard, told, socket, webSocket } = await openWebSocketPair(t, {
        isTls,
        onTold(line, webSocket) {
          if (line !== 'faulted') return;
          webSocket.close(4504, 'a fault', () => {
            settled += 1;
            assert.equal(socket.writableLength, 0);
          });
        },
      });
      client.pause();
      const sent = await fill(socket, webSocket);
      client.write(text(Buffer.from([0xff])));
      await told.has('faulted');
      assert.equal(settled, 0);
      client.resume();
      await heard.has('end');
      client.end();
      await told.has('closed 1006');
      const last = ['close 1007 text must be UTF-8', 'end'];
      assert.deepEqual([heard.all.length, ...heard.all.slice(-2), settled], [sent + 2, ...last, 1]);
    });

    test('what waits for its turn is read before the end of the stream', async (t) => {
      for (const [last, end] of [
        [text('three'), ['text three', 'closed 1006']],
        [closeFrame(1001), ['closed 1001']],
        [frame({ isMasked: false }), ['faulted', 'closed 1006']],
      ] as const) {
        const pair = await openWebSocketPair(t, { isTls });
        pair.hold();
        const bytes = join(text('one'), text('two'), last);
        pair.client.end(bytes);
        await pair.taken(bytes.length);
        await turn();
        assert.deepEqual(pair.told.all, []);
        pair.giveTurn();
        assert.deepEqual(pair.told.all, ['text one']);
        pair.giveTurn();
        await turn();
        pair.giveTurn();
        await pair.told.has(end.at(-1) ?? '');
        await turn();
        assert.deepEqual(pair.told.all, ['text one', 'text two', ...end]);
      }
    });

    test('a socket that is destroyed while something waits for its turn is told to the host once, at last', async (t) => {
      for (const isTurnSoon of [true, false]) {
        const { client, hold, told, webSocket, giveTurn, taken } = await openWebSocketPair(t, { isTls });
        hold();
        const bytes = join(text('one'), text('two'));
        client.write(bytes);
        await taken(bytes.length);
        webSocket.destroy();
        if (!isTurnSoon) await turn();
        giveTurn();
        assert.deepEqual(told.all, ['text one']);
        giveTurn();
        await told.has('closed 1006');
        await turn();
        assert.deepEqual(told.all, ['text one', 'text two', 'closed 1006']);
      }
    });

    test('a close frame that waits for its turn ends the socket, which is told to the host once', async (t) => {
      const { client, heard, hold, told, giveTurn, taken } = await openWebSocketPair(t, { isTls });
      hold();
      client.write(closeFrame(1000));
      await taken(closeFrame(1000).length);
      giveTurn();
      await heard.has('end');
      client.end();
      await told.has('closed 1000');
      await turn();
      assert.deepEqual([heard.all, told.all], [['close 1000 ', 'end'], ['closed 1000']]);
    });

    test('while one frame waits for its turn nothing more is taken from the network, and then all of it', async (t) => {
      const { client, hold, told, socket, giveTurn, taken } = await openWebSocketPair(t, { isTls });
      hold();
      client.write(text('one'));
      await taken(text('one').length);
      assert.equal(socket.isPaused(), true);
      client.write(join(text('two'), firstPiece('thr')));
      client.write(piece('ee', true));
      await turn();
      assert.deepEqual(told.all, []);
      giveTurn();
      assert.equal(socket.isPaused(), false);
      await when(() => {
        giveTurn();
        return told.all.includes('text three');
      });
      client.end();
      await told.has('closed 1006');
      assert.deepEqual(told.all, ['text one', 'text two', 'text three', 'closed 1006']);
    });

    test('a close frame of a client that was slow to read is answered behind everything that was sent', async (t) => {
      const { client, heard, told, socket, webSocket } = await openWebSocketPair(t, { isTls });
      client.pause();
      const sent = await fill(socket, webSocket);
      client.write(closeFrame(1000));
      await when(() => socket.writableEnded);
      client.resume();
      await heard.has('end');
      client.end();
      await told.has('closed 1000');
      assert.deepEqual([heard.all.length, ...heard.all.slice(-2)], [sent + 2, 'close 1000 ', 'end']);
    });

    test('`settle` waits until the kernel has the close frame', async (t) => {
      const { client, heard, socket, webSocket } = await openWebSocketPair(t, { isTls });
      client.pause();
      await fill(socket, webSocket);
      let settled = 0;
      webSocket.close(4500, '', () => {
        settled += 1;
        assert.equal(socket.writableLength, 0);
      });
      await turn();
      assert.equal(settled, 0);
      client.resume();
      await heard.has('close 4500 ');
      await turn();
      assert.equal(settled, 1);
      webSocket.destroy();
      await once(socket, 'close');
      assert.equal(settled, 1);
    });

    test('`settle` is called when the socket is destroyed instead, and a client that reads nothing is no reason to wait', async (t) => {
      const { client, heard, told, socket, webSocket } = await openWebSocketPair(t, { isTls });
      client.pause();
      await fill(socket, webSocket);
      let settled = 0;
      webSocket.close(4500, '', () => {
        settled += 1;
      });
      webSocket.destroy();
      assert.equal(settled, 1);
      client.resume();
      await told.has('closed 1006');
      await turn();
      assert.equal(settled, 1);
      assert.ok(!heard.all.includes('close 4500 '));
    });

    test('what is said last goes out with the close frame, and the kernel has both when it is accepted', async (t) => {
      const { client, heard, socket, webSocket } = await openWebSocketPair(t, { isTls });
      client.pause();
      await fill(socket, webSocket);
      const proofs: string[] = [];
      const last = { text: 'why', bytes: Buffer.byteLength('why') };
      webSocket.close(4500, 'no more', (proof) => proofs.push(`${proof} ${socket.writableLength}`), last);
      await turn();
      assert.deepEqual(proofs, []);
      client.resume();
      await heard.has('close 4500 no more');
      await turn();
      assert.deepEqual([heard.all.slice(-2), proofs], [['text why', 'close 4500 no more'], ['close_frame_accepted 0']]);
    });

    test('`settle` is told that the socket is destroyed, whatever had been written', async (t) => {
      const { client, heard, socket, webSocket } = await openWebSocketPair(t, { isTls });
      client.pause();
      await fill(socket, webSocket);
      const proofs: string[] = [];
      webSocket.close(4500, '', (proof) => proofs.push(proof), { text: 'why', bytes: 3 });
      webSocket.destroy();
      client.resume();
      await once(socket, 'close');
      assert.deepEqual(proofs, ['socket_destroyed']);
      assert.ok(!heard.all.includes('text why'));
    });

    test('a close after the client has ended its stream is proven by the socket’s end, since no close frame goes out', async (t) => {
      const { client, heard, told, socket, webSocket } = await openWebSocketPair(t, { isTls });
      const proofs: string[] = [];
      socket.once('end', () => webSocket.close(4500, '', (proof) => proofs.push(proof), { text: 'why', bytes: 3 }));
      client.end();
      await told.has('closed 1006');
      await turn();
      assert.deepEqual([proofs, heard.all], [['socket_destroyed'], ['end']]);
    });
  });
}

test('a close frame that the kernel refuses, because the client has just reset the connection, is no proof', async (t) => {
  for (const means of ['close', 'send'] as const) {
    const { client, heard, told, webSocket } = await openWebSocketPair(t);
    const proofs: string[] = [];
    await turn();
    client.resetAndDestroy();
    if (means === 'send') webSocket.send('one', 3);
    webSocket.close(4500, '', (proof) => proofs.push(proof), { text: 'why', bytes: 3 });
    assert.deepEqual(proofs, ['socket_destroyed']);
    await told.has('closed 1006');
    assert.deepEqual([proofs, heard.all], [['socket_destroyed'], []]);
  }
});

test('bytes that came behind the handshake are read first', async (t) => {
  const { client, told } = await openWebSocketPair(t, { head: join(text('one'), firstPiece('t')) });
  client.write(piece('wo', true));
  await told.has('text two');
  assert.deepEqual(told.all, ['text one', 'text two']);
});

test('a host may close or destroy the socket from whatever it is told', async (t) => {
  for (const means of ['close', 'destroy'] as const) {
    let settled = 0;
    const { client, heard, told } = await openWebSocketPair(t, {
      onTold(line, webSocket) {
        if (line !== 'text stop') return;
        webSocket.close(4500, 'stopped', () => {
          settled += 1;
        });
        if (means === 'destroy') webSocket.destroy();
      },
    });
    client.write(join(text('one'), text('stop'), frame({ opcode: PING }), closeFrame(4500)));
    await told.reach(4);
    await heard.has('close 4500 stopped');
    await turn();
    assert.deepEqual(told.all.slice(0, 3), ['text one', 'text stop', 'ping 0']);
    assert.deepEqual([told.all.length, heard.all[0], settled], [4, 'close 4500 stopped', 1]);
  }
});
