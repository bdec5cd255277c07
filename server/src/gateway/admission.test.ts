import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { openGateway } from '../../test/support/gateway.ts';
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
