import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { openGateway, rest } from '../../test/support/gateway.ts';
import { ServiceError } from '../errors.ts';

const ERROR = 50;

async function refusalOf(error: Error) {
  const { log, lines } = recordedLog();
  const { connect } = openGateway({ log, admit: () => Promise.reject(error) });
  const { socket } = await connect('player');
  return { close: socket.did.at(-1), levels: lines.map(({ level }) => level) };
}

test('a player who comes while the database is away is told to try again, and nobody is alarmed', async () => {
  const away = new ServiceError('internal', 'the database cannot be reached: try again', { retryAfterMs: 1_000 });
  const { close, levels } = await refusalOf(away);
  assert.match(close ?? '', /close 1013 /);
  assert(!levels.includes(ERROR));
});

test('a player who meets a bug is told of an error of the server, which the log has', async () => {
  const { close, levels } = await refusalOf(new TypeError('not a function'));
  assert.match(close ?? '', /close 1011 /);
  assert(levels.includes(ERROR));
});

/** A gateway whose directory answers a registration when the test says so. */
async function connectWhile(meanwhile: (world: ReturnType<typeof openGateway>) => void) {
  const world = openGateway();
  const { cluster, connect } = world;
  const register = cluster.register.bind(cluster);
  const over = {
    register: async (...call: Parameters<typeof register>) => {
      const fault = register(...call);
      meanwhile(world);
      return fault;
    },
  };
  Object.assign(cluster, over);
  const { socket, connection } = await connect('alice');
  await rest();
  return { ...world, socket, connection };
}

test('a connection whose runtime is replaced while it registers does not open', async () => {
  const { socket } = await connectWhile(({ runtimes }) => runtimes.deployed('stage-1', '0190-1'));
  assert.equal(socket.did.length, 1);
  assert.match(socket.did[0] ?? '', /close 1013 /);
});

test('a node whose lease has ended neither welcomes players nor sends them anything', async () => {
  const { socket, connection: newcomer } = await connectWhile(({ cluster }) => {
    cluster.lease.mayAct = () => false;
  });
  assert.deepEqual([socket.did, newcomer.isWelcomed], [[], false]);
  const world = openGateway();
  const { socket: welcomed, connection } = await world.connect('alice');
  assert.equal(connection.notify('{"kind":"notification"}', 23), true);
  world.cluster.lease.mayAct = () => false;
  assert.equal(connection.notify('{"kind":"notification"}', 23), false);
  connection.receive('{"kind":"heartbeat"}');
  assert.deepEqual(welcomed.did, ['0 welcome', '0 notification']);
});
