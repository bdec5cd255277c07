import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import Libsql from 'libsql';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import { EVENTS_FILE } from '../../src/store/events/sqlite.ts';
import { LARGE, type Target } from './target.ts';

const EVENTS = 50_000;
const OF_GAME = `/respark/game/${LARGE}`;
const SINCE = '2020-01-01T00:00:00Z';

/** The event log of the attacker's game, whose events all have the same text: what they say does not matter. */
export function fillEvents({ dataDir }: { readonly dataDir: string }): void {
  const database = new Libsql(join(dataDir, EVENTS_FILE));
  try {
    database.exec(`PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE;
      INSERT INTO events (game_id, position, at, body)
        WITH RECURSIVE more (position) AS (
          SELECT 2 UNION ALL SELECT position + 1 FROM more WHERE position < ${EVENTS}
        ) SELECT game_id, more.position, at, body FROM events, more WHERE events.position = 1;
      UPDATE event_logs SET last = ${EVENTS}; COMMIT`);
  } finally {
    database.close();
  }
}

/** What a key of one game asks of the game's events and webhooks. */
export const EVENT_ATTACKS: Readonly<Record<string, (target: Target) => Promise<void>>> = {
  'events: lists without a match': lists(`${OF_GAME}/event?After=0&PlayerId=nobody`),
  'events: lists since long ago without a match': lists(`${OF_GAME}/event?PlayerId=nobody&Since=${SINCE}`),
  'events: streams from the beginning': streams(`${OF_GAME}/event-stream?After=0`),
  'events: streams without a match that come and go': streams(`${OF_GAME}/event-stream?After=0&PlayerId=nobody`, 1_500),
  async 'events: streams of the events of own calls'(target) {
    const disconnects = parallel(16, (index) =>
      send(target, 'POST', `/runtime/game/${LARGE}/stage/Dev/player/nobody-${index}/disconnect`),
    );
    await Promise.all([streams(`${OF_GAME}/event-stream`)(target), disconnects]);
  },
  async 'events: replays of ten webhooks'(target) {
    const receiver = createServer((request, response) => {
      request.resume();
      response.writeHead(204).end();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => receiver.once('listening', resolve));
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    const ids: string[] = [];
    while (ids.length < 9) {
      const made = await send(target, 'POST', `${OF_GAME}/webhook`, { Url: url });
      const { Webhook } = (await made?.json()) as { Webhook?: { Id: string } };
      if (Webhook !== undefined) ids.push(Webhook.Id);
    }
    await parallel(2, async (index) => {
      const answer = await send(target, 'POST', `${OF_GAME}/webhook/${ids[index % ids.length]}/replay`, {
        Since: SINCE,
      });
      await wait(200);
      return answer;
    });
  },
};

/** Does one thing after the other, so many at a time, as fast as it is let. */
async function parallel(count: number, work: (index: number) => Promise<Response | undefined>): Promise<void> {
  const go = async (first: number): Promise<never> => {
    for (let index = first; ; index += count) {
      const answer = await work(index);
      await answer?.text().catch(() => {});
      if (answer?.status !== 200) await wait(50);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, first) => go(first)));
}

function lists(path: string) {
  return (target: Target) => parallel(8, () => send(target, 'GET', path));
}

/** A hundred streams, each opened again when it ends, or after some time. */
function streams(path: string, livesMs?: number) {
  return async (target: Target): Promise<void> => {
    const go = async (): Promise<never> => {
      for (;;) {
        const ended = livesMs === undefined ? undefined : AbortSignal.timeout(livesMs);
        const answer = await send(target, 'GET', path, undefined, ended);
        // What was read is thrown away.
        await answer?.body?.pipeTo(new WritableStream()).catch(() => {});
        await wait(answer?.status === 200 ? 20 : 1_000);
      }
    };
    await Promise.all(Array.from({ length: 100 }, go));
  };
}

async function send(
  { url: base, key }: Target,
  method: string,
  path: string,
  input?: object,
  signal?: AbortSignal,
): Promise<Response | undefined> {
  const url = new URL(path, base);
  const body = input === undefined ? '' : JSON.stringify(input);
  const headers = signRequest({
    ...{ method, url, body: Buffer.from(body), ...key },
    ...{ region: 'us-east-1', nowMs: Date.now() },
  });
  const sent = { method, headers, ...(body !== '' && { body }), ...(signal && { signal }) };
  return await fetch(url, sent).catch(() => undefined);
}
