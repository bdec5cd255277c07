import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { startTestServer } from '../../test/support/server.ts';
import { tlsFiles } from '../../test/support/tls-files.ts';

/** Sends a request that is refused without its body, and leaves the body out. Returns the socket and the answer. */
async function leaveBodyOut(t: TestContext, url: string) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.write('POST /game HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n');
  const [answer] = await once(socket, 'data');
  return { socket, answer: String(answer) };
}

for (const listener of ['players', 'metrics'] as const) {
  test(`a stop lets the listener for ${listener} finish the request that it is answering`, async (t) => {
    const server = await startTestServer(t, { settings: { playerPort: 0, metricsPort: 0 }, clock: new ManualClock() });
    const url = { players: server.playerUrl, metrics: server.metricsUrl }[listener];
    const { socket, answer } = await leaveBodyOut(t, url);
    assert.match(answer, /^HTTP\/1\.1 404 Not Found\r\n.*connection: close/s);
    assert.equal(server.counts().inFlight, 1);

    let isDrained = false;
    const drained = server.drain().then(() => {
      isDrained = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isDrained, false);
    socket.write('hello');
    await text(socket);
    await drained;
    assert.equal(server.counts().inFlight, 0);
  });
}

for (const listener of ['management', 'players'] as const) {
  test(`over TLS the listener for ${listener} hands nothing to TLS that is not the whole of a hello`, async (t) => {
    const { certFile: tlsCertFile, keyFile: tlsKeyFile } = tlsFiles('first');
    const server = await startTestServer(t, { settings: { playerPort: 0, tlsCertFile, tlsKeyFile } });
    const url = { management: server.url, players: server.playerUrl }[listener];
    const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
    t.after(() => socket.destroy());
    // A warning that TLS takes no notice of: the hello may follow at any time.
    socket.write(Buffer.from([21, 3, 1, 0, 2, 1, 90]));
    assert.equal(await text(socket), '');
  });
}
