// Measures one guest, without a server: how long its memory takes to be put back, and scripts to be loaded. Prints JSON.
import { fromServer } from '../respark-build.ts';
import { median } from '../statistics.ts';

const { compileEngine } = await fromServer<typeof import('../../../server/src/sandbox/engine.ts')>('sandbox/engine');
const { Guest } = await fromServer<typeof import('../../../server/src/sandbox/guest.ts')>('sandbox/guest');
const { systemClock: clock } = await fromServer<typeof import('../../../server/src/clock.ts')>('clock');

const [rounds = 0, loads = 0] = process.argv.slice(2).map(Number);
/** As many handlers as a game of some size has, of about a kilobyte each. */
const HANDLERS = 20;
const BODY = `let sum = 0;\n${'for (let i = 0; i < 9; i += 1) sum += i * (i - 1);\n'.repeat(20)}return sum;`;
const SEEDS = [1, 2, 3, 4] as const;
const INPUT = '{"playerId":"p","message":{"Text":"move to 12,34"}}';

const limits = { maxTicks: 500, maxBusyMs: 1_000, maxGrowthBytes: 4_194_304 };
const host = { call: () => '{"result":null}', log: () => {} };
const guest = await Guest.create({ engine: await compileEngine(), host, limits, clock });
const scripts = new Map(Array.from({ length: HANDLERS }, (_, index) => [`Handler${index}`, BODY]));
scripts.set('Small', 'return GameSparks().Messaging().Response({ Text: message.Text });');
scripts.set('Large', 'return GameSparks().Messaging().Response(new Uint8Array(262144).fill(1).length);');

function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

const loadMs = Array.from({ length: loads }, () => timed(() => guest.load(scripts)));
const set = guest.load(scripts);

function restoreMicros(handler: string): number {
  const micros: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const finished = guest.invoke(set, handler, INPUT, SEEDS);
    if (finished.kind !== 'returned' || finished.text[0] !== 'r') throw new Error(`${handler} ended otherwise`);
    const micro = timed(() => guest.rest(set)) * 1_000;
    // The first ones run before V8 has compiled the code.
    if (round >= rounds / 4) micros.push(micro);
  }
  return median(micros);
}

const figures = {
  'restore after a small handler, µs': restoreMicros('Small'),
  'restore after one that used 256 KiB, µs': restoreMicros('Large'),
  'snapshot, KiB': set.snapshot.bytes / 1_024,
  'script set loaded, first time, ms': loadMs[0],
  'script set loaded, median, ms': median(loadMs),
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
