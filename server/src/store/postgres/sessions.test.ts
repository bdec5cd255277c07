import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { databaseSettings } from '../../../test/support/postgres.ts';
import { systemClock } from '../../clock.ts';
import { openSessions } from './sessions.ts';

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(4 + body.length), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

const int16 = (value: number) => int32(value).subarray(2);
const text = (value: string) => Buffer.from(`${value}\0`);
const IDLE = message('Z', Buffer.from('I'));

/** What PostgreSQL answers to a query with one row of texts. */
function row(columns: Readonly<Record<string, string>>): Buffer {
  const [names, values] = [Object.keys(columns), Object.values(columns)];
  const fields = names.flatMap((name) => [text(name), int32(0), int16(0), int32(16), int16(-1), int32(-1), int16(0)]);
  const cells = values.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)]);
  return Buffer.concat([
    message('T', int16(names.length), ...fields),
    message('D', int16(values.length), ...cells),
    message('C', text('SELECT 1')),
    IDLE,
  ]);
}

/** A standby that lets anybody in, says what it is, and then neither answers nor closes anything. */
async function startStandbyThatStops(t: TestContext): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.once('data', () => socket.write(row({ is_standby: 't', server: '1' })));
      socket.write(Buffer.concat([message('R', int32(0)), IDLE]));
    });
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `postgres://respark@127.0.0.1:${(server.address() as AddressInfo).port}/respark?sslmode=disable`;
}

test('a standby that stops after it has said what it is keeps no call waiting', { timeout: 10_000 }, async (t) => {
  const url = await startStandbyThatStops(t);
  const settings = { ...databaseSettings(url), databasePoolSize: 1 };
  const sessions = openSessions({ settings, clock: systemClock, log: recordedLog().log });
  for (let call = 0; call < 2; call += 1) {
    await assert.rejects(
      sessions.use((session) => session.query('select 1')),
      ({ code, cause }) => code === 'internal' && /standby/.test(String(cause)),
    );
  }
});
