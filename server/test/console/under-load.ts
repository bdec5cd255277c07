// Measures what pages of the console cost a browser while a stage is busy:
//   node server/dist/test/console/under-load.js --data-dir FOLDER [--seconds 20] [--players 600]
// The server is one that runs on the folder with a demo. Players come beside those whom it has; the list of players is
// looked at first, then the log while a handler writes 1,000 lines a second. A row of JSON for each page says how long the
// page's own thread was busy for one task, in ms of its CPU time, and how much memory it took. The exit code is 0 when no
// more than one task in a thousand took longer than a frame of 16 ms, and the page less than 150 MB.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ResparkClient } from '@respark/client';
import { readLocalFile } from '../../src/data-directory/local-files.ts';
import { openSdk } from '../support/aws-sdk.ts';
import { type ConsolePage, signIn } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';

const { values } = parseArgs({
  options: {
    'data-dir': { type: 'string', default: 'respark-data' },
    seconds: { type: 'string', default: '20' },
    players: { type: 'string', default: '600' },
  },
  // The test runner has its own.
  strict: false,
});

const DATA_DIR = String(values['data-dir']);
const SECONDS = Number(values.seconds);
const LINES_PER_MESSAGE = 50;
const MESSAGES_PER_SECOND = 20;
const FRAME_MS = 16;
const MAX_BYTES = 150_000_000;
const PLACE = 'game=Demo&stage=Dev';

const TALK = `for (var n = 0; n < ${LINES_PER_MESSAGE}; n += 1) {
  GameSparks().Logging().Info('a line of the usual length, as handlers write them when they tell what they do, ' + n);
}
return GameSparks().Messaging().Response({});`;

test('pages of the console under load', async (t) => {
  const addresses = await readLocalFile.running(DATA_DIR);
  const root = await readLocalFile.rootCredentials(DATA_DIR);
  const demo = await readLocalFile.demo(DATA_DIR);
  assert(addresses && root && demo, `no server with a demo runs on ${DATA_DIR}; start "respark serve --demo" there`);
  const sdk = () => openSdk({ endpoint: addresses.url, credentials: { ...root }, region: 'us-east-1' });
  await deploy({ sdk }, await createSnapshot({ sdk }, fileOf(scriptedGame({ requests: { Talk: { script: TALK } } }))));
  const players = await connect(t, { url: addresses.playerUrl, gameKey: demo.gameKey });
  const page = await signIn(addresses.url, root, { hash: `#/players?${PLACE}` });

  await page.shows(/online/);
  await measure(page, 'players', async () => {
    // Somebody looks at one page after the other, and then for some.
    for (let more = 0; more < 5; more += 1) {
      // To look for the button by its name would cost the page more than what is measured.
      await page.page.waitForSelector('.more button:not([disabled])');
      await page.page.click('.more button');
      await sleep(200);
    }
    await page.fill('Player id begins with', '1');
    await sleep((SECONDS * 1_000) / 2);
    await page.fill('Player id begins with', '');
    await sleep((SECONDS * 1_000) / 2);
  });

  let isOver = false;
  let lines = 0;
  const talking = (async () => {
    while (!isOver) {
      void players[0]?.request('Custom.Game.Talk', {}).then(() => {
        lines += LINES_PER_MESSAGE;
      });
      await sleep(1_000 / MESSAGES_PER_SECOND);
    }
  })();
  await page.page.evaluate(`location.hash = '#/logs?${PLACE}'`);
  await page.shows('a line of the usual length');
  const startedAt = performance.now();
  lines = 0;
  await measure(page, 'logs', () => sleep(SECONDS * 1_000));
  const perSecond = Math.round(lines / ((performance.now() - startedAt) / 1_000));
  isOver = true;
  await talking;
  process.stdout.write(`${JSON.stringify({ linesPerSecond: perSecond })}\n`);
  assert(perSecond >= 0.8 * LINES_PER_MESSAGE * MESSAGES_PER_SECOND, `only ${perSecond} lines were written a second`);
  await page.assertSound();
});

async function connect(t: TestContext, place: ConstructorParameters<typeof ResparkClient>[0]) {
  const players = Array.from({ length: Number(values.players) }, () => new ResparkClient(place));
  t.after(() => {
    for (const player of players) player.close();
  });
  for (const player of players) await player.connect();
  return players;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds: of the clock, and of the thread's CPU. */
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** Has the browser note what the page's main thread does meanwhile. */
async function measure({ page }: ConsolePage, name: string, use: () => Promise<void>): Promise<void> {
  await page.tracing.start({ categories: ['toplevel', '__metadata'] });
  await use();
  const trace = await page.tracing.stop();
  const { traceEvents } = JSON.parse(Buffer.from(trace ?? []).toString()) as { traceEvents: TraceEvent[] };
  const mains = traceEvents.filter((event) => event.name === 'thread_name' && event.args?.name === 'CrRendererMain');
  const tasksOf = (main: TraceEvent) =>
    traceEvents.filter(
      ({ ph, pid, tid, name: what }) => ph === 'X' && what.endsWith('RunTask') && pid === main.pid && tid === main.tid,
    );
  const all = mains.map((main) => ({ pid: main.pid, tasks: tasksOf(main) }));
  const busiest = all.reduce((most, each) => (each.tasks.length > most.tasks.length ? each : most));
  const ms = busiest.tasks.map(({ tdur = 0 }) => tdur / 1_000).sort((one, other) => one - other);
  const at = (share: number) => Number((ms[Math.floor(share * (ms.length - 1))] ?? 0).toFixed(2));
  const { JSHeapUsedSize: heapBytes = 0 } = await page.metrics();
  const bytes = privateBytes(busiest.pid);
  const long = ms.filter((each) => each > FRAME_MS).length;
  const row = {
    page: name,
    tasks: ms.length,
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    longerThanAFrame: long,
  };
  process.stdout.write(`${JSON.stringify({ ...row, heapBytes, privateBytes: bytes })}\n`);
  assert(ms.length > 100, 'the browser noted next to nothing');
  assert(long <= ms.length / 1_000, `${long} of ${ms.length} tasks of the page ${name} took longer than a frame`);
  assert(bytes < MAX_BYTES, `the page ${name} takes ${bytes} bytes`);
}

/** The memory that a process has for itself. */
function privateBytes(pid: number): number {
  const found = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').matchAll(/^Private_\w+:\s+(\d+) kB$/gm);
  return [...found].reduce((sum, [, kilobytes]) => sum + Number(kilobytes) * 1_024, 0);
}
