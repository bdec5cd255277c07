import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BINARY, closeFrame, TEXT } from '../../../test/fire/raw-websocket.ts';
import { AUTOBAHN_CASES, shorten } from '../../../test/support/autobahn-cases.ts';
import { SIZE_CASES } from '../../../test/support/autobahn-sizes.ts';
import { openWebSocketPair } from '../../../test/support/websocket-pair.ts';
import { FrameReader } from './frame-reader.ts';

/** The suite's longest message, in its smallest fragments. */
const LARGE = { maxMessageBytes: 16 * 1_048_576, maxFragments: 65_536 };

describe('as the Autobahn test suite demands of a server that echoes over a socket', () => {
  for (const { id, title, sends, gets, limits } of AUTOBAHN_CASES) {
    test(`${id}: ${title}`, async (t) => {
      const { client, heard, told, taken } = await openWebSocketPair(t, {
        isEcho: true,
        ...(limits === undefined ? {} : { limits }),
      });
      let sent = 0;
      for (const step of sends) {
        await taken(sent);
        if ('lines' in step) {
          await heard.reach(step.lines);
        } else {
          client.write(step);
          sent += step.length;
        }
      }
      await heard.has('end');
      client.end();
      const end = gets.at(-1) ?? '';
      assert.deepEqual(heard.all.slice(0, -2).map(shorten), gets.slice(0, -1));
      const isFault = !/^close \d+ /.test(end);
      const [close = '', ...rest] = heard.all.slice(-2);
      assert.deepEqual([isFault ? close.slice(0, end.length) : close, ...rest], [end, 'end']);
      await told.has(isFault ? 'closed 1006' : `closed ${end.split(' ')[1]}`);
      assert.equal(told.all.filter((line) => line === 'faulted').length, isFault ? 1 : 0);
    });
  }

  for (const { id, title, payload, chunks, messages } of SIZE_CASES.filter(({ opcode }) => opcode === TEXT)) {
    test(`${id}: ${title}`, async (t) => {
      const { client, heard, told } = await openWebSocketPair(t, { isEcho: true, limits: LARGE });
      for (let message = 1; message <= messages; message += 1) {
        for (const chunk of chunks()) client.write(chunk);
        await heard.reach(message);
      }
      client.write(closeFrame(1000));
      await told.has('closed 1000');
      await heard.has('end');
      const expected = shorten(`text ${payload()}`);
      assert.ok(heard.all.slice(0, -2).every((line) => shorten(line) === expected));
      assert.deepEqual([heard.all.length, ...heard.all.slice(-2)], [messages + 2, 'close 1000 ', 'end']);
    });
  }
});

describe('as the suite demands, for messages that only the reader hands over', () => {
  for (const { id, title, payload, chunks, messages } of SIZE_CASES.filter(({ opcode }) => opcode === BINARY)) {
    test(`${id}: ${title}`, () => {
      const expected = payload();
      const reader = new FrameReader(LARGE);
      for (let message = 1; message <= messages; message += 1) {
        const received: ReturnType<FrameReader['next']>[] = [];
        for (const chunk of chunks()) {
          reader.push(chunk);
          for (let next = reader.next(); next !== undefined; next = reader.next()) received.push(next);
        }
        const [only] = received;
        assert.ok(received.length === 1 && only?.kind === 'binary' && only.data.equals(expected));
        assert.ok(reader.isAtRest);
      }
    });
  }
});

test('the cases are those of the suite: groups 1 to 7, 9 and 10', () => {
  const ids = [...AUTOBAHN_CASES, ...SIZE_CASES].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const counts = new Map<string, number>();
  for (const id of ids) {
    const group = id.split('.')[0] ?? '';
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  const expected = { 1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1 };
  assert.deepEqual(Object.fromEntries(counts), expected);
});
