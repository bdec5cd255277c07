import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/server.ts';
import {
  firstPiece,
  frame,
  HEARTBEAT,
  helloFrame,
  join,
  openPlayer,
  openSocket,
  PING,
  PONG,
  piece,
  requestText,
  text,
  times,
  upgradeBytes,
} from './raw-websocket.ts';
import { besiege } from './siege.ts';

test('sockets that send nothing, too little or too much harm no other player', async (t) => {
  const settings = { authTimeoutMs: 1_000, heartbeatMs: 1_000, messagesPerSecond: 500, messagesBurst: 1_000 };
  await besiege(t, { settings, minCases: 15 }, async (siege) => {
    const { server } = siege;
    const flood = async (bytes: Uint8Array, expected: string) => {
      const player = await openPlayer(server);
      player.socket.write(times(5_000, bytes));
      assert.equal((await player.ending).end, expected);
    };
    const silent = async (bytes: Uint8Array, expected: string) => {
      const { socket, ending } = openSocket(server);
      socket.write(bytes);
      assert.equal((await ending).end, expected);
    };
    const hello = helloFrame(server);
    await siege.attemptAll({
      'no hello': async () => await silent(Buffer.alloc(0), '4002'),
      'half a hello': async () => await silent(hello.subarray(0, 20), '4002'),
      'a hello in drips': async () => {
        const { socket, ending } = openSocket(server);
        const bytes = [...hello];
        const drip = setInterval(() => socket.write(Uint8Array.of(bytes.shift() ?? 0)), 20);
        const { end } = await ending;
        clearInterval(drip);
        assert.equal(end, '4002');
      },
      'pings instead of a hello': async () => {
        const { socket, ending } = openSocket(server);
        const pings = setInterval(() => socket.write(frame({ opcode: PING })), 20);
        const { end } = await ending;
        clearInterval(pings);
        assert.equal(end, '4002');
      },
      'nothing after the welcome': async () => await silent(hello, '4002'),
      'half a frame after the welcome': async () => {
        const player = await openPlayer(server);
        player.socket.write(HEARTBEAT.subarray(0, 5));
        assert.equal((await player.ending).end, '4002');
      },
      'half an upgrade': async () => {
        const { ending } = openSocket(server, { upgrade: upgradeBytes().slice(0, -2) });
        assert.equal((await ending).end, 'HTTP 408');
      },
      'a player who ends their side': async () => {
        const player = await openPlayer(server);
        player.socket.end();
        assert.equal((await player.ending).end, 'ended');
      },
      'a player who vanishes without a word': async () => {
        const player = await openPlayer(server);
        player.socket.resetAndDestroy();
        await player.ending;
      },
      'a player who answers no close frame': async () => {
        const player = await openPlayer(server);
        player.socket.removeAllListeners('data').resume();
        player.socket.write(text('{}'));
        assert.equal((await player.ending).end, 'ended');
      },
    });
    await siege.attempt('a flood of heartbeats', async () => await flood(HEARTBEAT, '4005'));
    await siege.attempt('a flood of pings', async () => await flood(frame({ opcode: PING, payload: 'x' }), '4005'));
    await siege.attempt('a flood of pongs', async () => await flood(frame({ opcode: PONG }), '4005'));
    await siege.attempt('a flood of requests', async () => await flood(requestText('{}'), '4005'));
    await siege.attempt('a flood of garbage', async () => await flood(text('garbage'), '4504'));
    await siege.attempt('a flood of pieces', async () => await flood(join(firstPiece('{'), piece('')), '1002'));
  });
});

test('players who do not read the answers to their requests are cut off', async (t) => {
  const settings = { maxOutboxBytes: 262_144, maxRequestsInFlight: 80_000, closeFlushMs: 2_000, closeGraceMs: 2_000 };
  await besiege(t, { settings, minCases: 4 }, async (siege) => {
    const { server } = siege;
    // The answers repeat the id and some of the type, and soon exceed the kernel's buffers.
    const asked = text(`{"kind":"request","id":"${'1'.repeat(32)}","type":"${'x'.repeat(100)}"}`);
    const ping = frame({ opcode: PING, payload: 'x'.repeat(125) });
    for (const [what, bytes] of Object.entries({ answers: times(80_000, asked), pongs: times(80_000, ping) })) {
      await siege.attempt(`${what}, until the socket is cut off`, async () => {
        const { socket, texts } = await openPlayer(server);
        socket.pause().write(bytes);
        await until(() => server.counts().sockets === 1);
        assert.equal(texts.length, 1);
        socket.destroy();
      });
      await siege.attempt(`${what}, and reads why in the end`, async () => {
        const { socket, ending } = await openPlayer(server);
        const stopped = server.logged.length;
        socket.pause().write(bytes);
        await until(() => server.logged.slice(stopped).some(({ close }) => close === 'slow_consumer'));
        socket.resume();
        assert.equal((await ending).end, '4001');
      });
    }
  });
});

test('a thousand sockets that never send a hello do not affect other players', async (t) => {
  const settings = {
    trustedProxies: ['127.0.0.1'],
    authTimeoutMs: 3_000,
    maxUnauthenticated: 1_000,
    maxUnauthenticatedPerAddress: 300,
  };
  await besiege(t, { settings, minCases: 1_000 }, async (siege) => {
    const { server } = siege;
    const upgradeFrom = (address: string) => upgradeBytes({ headers: { 'X-Forwarded-For': address } });
    const open = (address: string) => openSocket(server, { upgrade: upgradeFrom(address) });
    const addresses = Array.from({ length: 1_200 }, (_, index) => `198.51.100.${index % 4}`);
    const ends: string[] = [];
    // On a busy machine the first ones may have to go before the last ones come, so what is told is how many waited at once.
    let most = 0;
    const lookUpMost = () => {
      most = Math.max(most, server.counts().unauthenticated ?? 0);
      return most;
    };
    const mute = Object.fromEntries(
      addresses.map((address, index) => [
        `mute ${index}`,
        async () => {
          const { end } = await open(address).ending;
          lookUpMost();
          ends.push(end);
        },
      ]),
    );
    await siege.attemptAll({
      ...mute,
      // While all of them wait, one more takes the place of the first.
      'one more': async () => {
        await until(() => lookUpMost() === 1_000);
        assert.equal((await open('203.0.113.1').ending).end, '4002');
      },
    });
    const count = (end: string) => ends.filter((each) => each === end).length;
    assert.equal(count('HTTP 503'), 0);
    assert.equal(count('4002') + count('1013') + count('ended') + count('HTTP 429'), 1_200);
    assert(count('1013') + count('ended') > 0);
    assert.equal(most, 1_000);
    const player = await openPlayer(server, { upgrade: upgradeFrom('203.0.113.1') });
    player.socket.destroy();
  });
});
