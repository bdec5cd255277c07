import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Dice, type RandomStream, randomStream } from '../../../test/support/random-streams.ts';
import { openWebSocketPair } from '../../../test/support/websocket-pair.ts';
import { readWithWs } from '../../../test/support/websocket-readings.ts';

/** TEST_STREAMS=10000 tries more, and TEST_FIRST_STREAM=10000 others. */
const FIRST = Number(process.env.TEST_FIRST_STREAM ?? 0);
const STREAMS = Number(process.env.TEST_STREAMS ?? 400);

const ENDINGS = [
  'the client ends its stream',
  'the client resets',
  'the server destroys',
  'the server closes',
] as const;

const turn = () => new Promise((resolve) => setImmediate(resolve));
const isClose = (line: string) => line.startsWith('close ');

/** What a host must be told of a stream, and what the client must get, when nothing else ends the socket. */
function expectationsOf({ chunks, limits }: RandomStream) {
  const lines = readWithWs(chunks, limits);
  const end = lines.find((line) => /^(close|fault) /.test(line));
  const [kind, code = ''] = end?.split(' ') ?? [];
  const told = lines.flatMap((line) => {
    const [kind = ''] = line.split(' ', 1);
    const data = Buffer.from(line.slice(kind.length + 1), 'latin1');
    if (kind === 'text') return `text ${data}`;
    if (kind === 'ping' || kind === 'pong') return `${kind} ${data.length}`;
    return kind === 'binary' ? 'binary' : kind === 'fault' ? 'faulted' : [];
  });
  const pongs = lines.filter((line) => line.startsWith('ping ')).map((line) => line.replace('ping', 'pong'));
  return { told, pongs, end, closed: `closed ${kind === 'close' ? code : 1006}` };
}

async function run(t: TestContext, number: number): Promise<void> {
  const stream = randomStream(number);
  const expected = expectationsOf(stream);
  const dice = new Dice(number);
  const ending = dice.pick(ENDINGS);
  const patience = dice.below(4);
  const isTls = dice.isOneIn(4);
  const { client, heard, told, webSocket } = await openWebSocketPair(t, {
    limits: stream.limits,
    isTls,
    turns: {
      mayRead: () => patience === 3 || dice.isOneIn(patience + 1),
      waitForTurn: (_, work) => void (dice.isOneIn(2) ? setImmediate(work) : turn().then(turn).then(work)),
    },
  });
  let settled = 0;
  const closes = { at: ending === 'the server closes' ? dice.below(stream.chunks.length + 1) : undefined };
  const settle = () => {
    settled += 1;
  };
  const close = () => webSocket.close(4500, 'enough', settle);
  for (const [index, chunk] of stream.chunks.entries()) {
    if (index === closes.at) close();
    client.write(chunk);
    if (dice.isOneIn(3)) await turn();
  }
  if (closes.at === stream.chunks.length) close();
  if (ending === 'the server destroys') webSocket.destroy();
  if (ending !== 'the client resets') client.end();
  else if (isTls) client.destroy();
  else client.resetAndDestroy();
  await told.when(() => told.all.some((line) => line.startsWith('closed ')));
  // A second end would come in one of the next turns.
  for (let turns = 0; turns < 4; turns += 1) await turn();

  const what = `stream ${number} over ${isTls ? 'TLS' : 'TCP'}: ${ending}`;
  const before = told.all.slice(0, -1);
  if (ending === 'the client ends its stream' || ending === 'the server closes') {
    assert.deepEqual(told.all, [...expected.told, expected.closed], what);
  } else {
    assert.deepEqual(before, expected.told.slice(0, before.length), what);
    assert.ok([expected.closed, 'closed 1006'].includes(told.all.at(-1) ?? ''), what);
  }
  assert.equal(settled, closes.at === undefined ? 0 : 1, what);

  if (ending === 'the client ends its stream' && !isClose(expected.end ?? '')) {
    await heard.has('end');
    const closeCodes = heard.all.filter(isClose).map((line) => line.split(' ')[1]);
    assert.deepEqual(closeCodes, expected.end === undefined ? [] : [expected.end.split(' ')[1]], what);
    assert.deepEqual(heard.all.slice(0, expected.pongs.length), expected.pongs, what);
  }
  const pongs = heard.all.filter((line) => line.startsWith('pong '));
  assert.deepEqual(pongs, expected.pongs.slice(0, pongs.length), what);
  assert.ok(heard.all.filter(isClose).length <= 1, what);
  const end = heard.all.findIndex(isClose);
  if (end !== -1) assert.ok(!heard.all.slice(end).some((line) => line.startsWith('pong ')), what);
}

test('[ws] reads the same from any stream that waits for its turn here and there, and that ends in any way', async (t) => {
  for (let number = FIRST; number < FIRST + STREAMS; number += 1) await run(t, number);
});
