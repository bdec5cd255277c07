// Runs a cluster of real processes, lets players and operators loose on it, and brings one fault after another over it, each
// at a named point of a disconnect in flight. Then the checker of the simulation judges what the clients have seen. Exits
// with 1 if anything is not as promised, and leaves no process behind.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { judge, type Recorded } from './judge.ts';
import { findMissing, type Times } from './rig.ts';
import { runStorm } from './run.ts';
import { Scope } from './scope.ts';

const HELP = `npm run test:cluster -- [--seed N] [--runs 1] [--quick]

Starts PostgreSQL, redis-server, haproxy and three nodes, all of them real and on free ports. A few hundred players come and
go through haproxy, and signed DisconnectPlayer and status calls go to any node at a steady rate. The seed chooses the order
of the faults, their nodes and the points of a disconnect at which they strike: nodes, Redis and PostgreSQL are killed, held
up and cut off. After each, all must work again by itself. A run takes about three minutes, with --quick a bit more than one,
in which the lease and the recovery are shorter.

Each of --runs has a seed of its own, which is printed; --seed is that of the first, and the others follow it. What a failed
run has seen and logged is kept, and --check FILE judges its history again.
`;

const WHOLE: Times = {
  ...{ leaseMs: 15_000, marginMs: 1_500, renewMs: 500, recoveryMs: 15_000 },
  ...{ redisTimeoutMs: 1_000, deadlineMs: 2_000, pauseMs: 10_000, databaseCutMs: 5_000 },
};
const QUICK: Times = {
  ...{ leaseMs: 6_000, marginMs: 1_000, renewMs: 500, recoveryMs: 6_000 },
  ...{ redisTimeoutMs: 1_500, deadlineMs: 2_000, pauseMs: 2_000, databaseCutMs: 3_000 },
};
const MAX_SHOWN = 30;
const MAX_RUN_MS = 8 * 60_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    runs: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
    check: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const say = (text: string) => void process.stderr.write(`${text}\n`);
let scope = new Scope();

if (values.help) process.stdout.write(HELP);
else if (values.check !== undefined) process.exitCode = report(judge(JSON.parse(readFileSync(values.check, 'utf8'))));
// What fetch and the agents keep open must not keep this process.
else process.exit(await runAll(Number(values.runs), Number(values.seed ?? Math.floor(Math.random() * 1e6))));

async function runAll(runs: number, firstSeed: number): Promise<number> {
  if (!Number.isInteger(runs) || !Number.isInteger(firstSeed))
    throw new Error('--runs and --seed must be whole numbers');
  const missing = findMissing();
  if (missing !== undefined) {
    say(`the cluster cannot be tested: ${missing}`);
    return 1;
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => void leave(`got ${signal}`));
  process.once('uncaughtException', (error) => void leave(error.stack ?? String(error)));
  process.once(
    'unhandledRejection',
    (error) => void leave(error instanceof Error ? (error.stack ?? '') : String(error)),
  );
  const failed: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const seed = firstSeed + run;
    say(`== run ${run + 1} of ${runs}, seed ${seed}`);
    if (!(await runOnce(seed))) failed.push(seed);
  }
  say(failed.length === 0 ? `${runs} passed` : `${failed.length} of ${runs} failed: seeds ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

async function runOnce(seed: number): Promise<boolean> {
  scope = new Scope();
  const startedAt = performance.now();
  const tooLate = setTimeout(() => void leave(`the run took more than ${MAX_RUN_MS} ms`), MAX_RUN_MS);
  const directory = mkdtempSync(join(tmpdir(), 'respark-storm-'));
  scope.after(() => rmSync(directory, { recursive: true, force: true }));
  try {
    const times = values.quick ? QUICK : WHOLE;
    const { faults, recorded } = await runStorm({ scope, directory, seed, times, say });
    report(faults);
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    say(`seed ${seed}: ${faults.length === 0 ? 'passed' : 'FAILED'} after ${seconds} s`);
    if (faults.length > 0) keep(seed, directory, recorded);
    return faults.length === 0;
  } catch (error) {
    say(`seed ${seed}: FAILED: ${error instanceof Error ? error.stack : error}`);
    keep(seed, directory);
    return false;
  } finally {
    clearTimeout(tooLate);
    await scope.close();
  }
}

function keep(seed: number, directory: string, recorded?: Recorded): void {
  const kept = join(tmpdir(), `respark-storm-failed-${seed}`);
  mkdirSync(kept, { recursive: true });
  cpSync(directory, kept, { recursive: true, filter: (source) => source === directory || source.endsWith('.log') });
  say(`what the programs have logged is in ${kept}`);
  if (recorded === undefined) return;
  const file = join(kept, 'history.json');
  writeFileSync(file, JSON.stringify(recorded));
  say(`to judge the history again: --check ${file}`);
}

function report(faults: readonly string[]): number {
  for (const fault of faults.slice(0, MAX_SHOWN)) say(`FAULT: ${fault}`);
  if (faults.length > MAX_SHOWN) say(`FAULT: ${faults.length - MAX_SHOWN} more`);
  return faults.length === 0 ? 0 : 1;
}

async function leave(why: string): Promise<void> {
  say(`leaving: ${why}`);
  await scope.close();
  process.exit(1);
}
