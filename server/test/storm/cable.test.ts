import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Cable } from './cable.ts';
import { Scope } from './scope.ts';

test('what is sent while a cable is silent arrives after it was mended', async (t) => {
  const { cable, dial, next } = await open(t);
  const [client, server] = await dial();
  const seen: string[] = [];
  cable.watch = (chunk) => {
    seen.push(chunk.toString());
    if (chunk.toString() === 'second') cable.silence();
  };
  client.write('first');
  assert.equal(await next(server), 'first');
  client.write('second');
  const fell = Date.now();
  while (seen.length < 2) {
    assert(Date.now() - fell < 10_000);
    await new Promise(setImmediate);
  }
  assert.equal(server.read(), null);
  const late = connect(cable.port, '127.0.0.1');
  late.write('third');
  cable.mend();
  assert.equal(await next(server), 'second');
  assert.equal(await next(await next.connection()), 'third');
  late.destroy();
});

test('what is sent over a deaf cable arrives, and its answers when it was mended', async (t) => {
  const { cable, dial, next } = await open(t);
  const [client, server] = await dial();
  cable.deafen();
  client.write('asked');
  assert.equal(await next(server), 'asked');
  server.write('answered');
  const [late, lateServer] = await dial();
  late.write('asked, too');
  assert.equal(await next(lateServer), 'asked, too');
  lateServer.write('answered, too');
  for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
  assert.deepEqual([client.read(), late.read()], [null, null]);
  cable.mend();
  assert.deepEqual([await next(client), await next(late)], ['answered', 'answered, too']);
});

test('a cable that refuses resets every connection, and each new one until it is mended', async (t) => {
  const { cable, dial, next } = await open(t);
  const [client] = await dial();
  const reset = once(client, 'error');
  cable.refuse();
  assert.equal((await reset)[0].code, 'ECONNRESET');
  const [refused] = await once(connect(cable.port, '127.0.0.1'), 'error');
  assert.equal(refused.code, 'ECONNRESET');
  cable.mend();
  const [again, server] = await dial();
  again.write('again');
  assert.equal(await next(server), 'again');
});

/** A cable to a server, whose side of each connection can be read. */
async function open(t: TestContext) {
  const scope = new Scope();
  t.after(() => scope.close());
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    accepted.push(socket.on('error', () => {}));
    scope.after(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  scope.after(() => server.close());
  await once(server, 'listening');
  const cable = await Cable.open((server.address() as AddressInfo).port, scope);
  const next = Object.assign(async (socket: Socket) => String(await readOf(socket)), {
    async connection() {
      if (accepted.length === 0) await once(server, 'connection');
      return accepted.shift() as Socket;
    },
  });
  const dial = async (): Promise<[Socket, Socket]> => {
    const client = connect(cable.port, '127.0.0.1');
    scope.after(() => client.destroy());
    return [client, await next.connection()];
  };
  return { cable, dial, next };
}

async function readOf(socket: Socket): Promise<unknown> {
  for (;;) {
    const chunk: unknown = socket.read();
    if (chunk !== null) return chunk;
    await once(socket, 'readable');
  }
}
