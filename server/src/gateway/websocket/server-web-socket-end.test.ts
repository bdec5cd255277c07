import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ServerWebSocket } from './server-web-socket.ts';

const CLOSE_1000 = Uint8Array.of(0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8);
const WITHOUT_MASK = Uint8Array.of(0x81, 0x01, 0x61);

/**
 * A WebSocket whose client has sent `bytes`, once something of it waits for a turn; with the work that waits, and the
 * codes that its end is told with.
 */
async function waitWith(t: TestContext, { bytes, turns }: { bytes: Uint8Array; turns: number }) {
  let turnsLeft = turns;
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({ port: (server.address() as AddressInfo).port });
  t.after(() => {
    client.destroy();
    server.close();
  });
  client.on('error', () => {}).write(bytes);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const ends: number[] = [];
  const nothing = () => {};
  const work = await new Promise<() => void>((resolve) => {
    const webSocket = new ServerWebSocket<string>(socket, Buffer.alloc(0), {
      limits: { maxMessageBytes: 1_000, maxFragments: 10 },
      ...{
        count: nothing,
        noteBegun: nothing,
        receiveText: nothing,
        receiveBinary: nothing,
        receivePing: nothing,
        receivePong: nothing,
      },
      mayRead() {
        turnsLeft -= 1;
        return turnsLeft >= 0;
      },
      faulted: () => client.write(bytes),
      waitForTurn: (_owner, run) => resolve(run),
      closed: (_owner, code) => ends.push(code),
    });
    webSocket.owner = 'owner';
  });
  return { socket, work, ends };
}

const waitWithCloseFrame = (t: TestContext) => waitWith(t, { bytes: CLOSE_1000, turns: 0 });

describe("the end of a server's WebSocket whose client's close frame waited for its turn", () => {
  it('is told once, although the socket is destroyed within the turn', async (t) => {
    const { socket, work, ends } = await waitWithCloseFrame(t);
    const closed = once(socket, 'close');
    work();
    await closed;
    await nextTurn();
    assert.deepEqual(ends, [1000]);
  });

  it('is told once when the socket was destroyed before the turn, and not yet closed', async (t) => {
    const { socket, work, ends } = await waitWithCloseFrame(t);
    const closed = once(socket, 'close');
    socket.destroy();
    work();
    await closed;
    await nextTurn();
    assert.deepEqual(ends, [1000]);
  });

  it('is told once, in the turn, when the socket was closed before it', async (t) => {
    const { socket, work, ends } = await waitWithCloseFrame(t);
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    await nextTurn();
    assert.deepEqual(ends, []);
    work();
    await nextTurn();
    assert.deepEqual(ends, [1000]);
  });
});

describe("a server's WebSocket whose client has broken the protocol", () => {
  it('takes what still comes in turns', async (t) => {
    const { socket, work, ends } = await waitWith(t, { bytes: WITHOUT_MASK, turns: 1 });
    assert.equal(socket.isPaused(), true);
    work();
    assert.equal(socket.isPaused(), false);
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    assert.deepEqual(ends, [1006]);
  });
});
