import type { Clock } from '../clock.ts';
import { type Elsewhere, LONG, type LongWork } from '../domain/long-work.ts';
import { JOBS } from './jobs.ts';
import { createOwnerTurns } from './owner-turns.ts';
import { createPool } from './pool.ts';

/** A job takes all of a processor while it runs, and there may be only two. */
const THREADS = 2;

/** Whatever waits may hold a document of a megabyte. */
const MAX_OF_OWNER = 16;
const MAX_IN_ALL = 64;

type Jobs = typeof JOBS;

export interface Threads extends LongWork<Jobs> {
  /** Ends all threads. Jobs under way, and all later ones, reject with `Interrupted`. */
  close(): Promise<void>;
}

export function createThreads({ clock }: { clock: Clock }): Threads {
  const pool = createPool({ size: THREADS, clock });
  const turns = createOwnerTurns({ maxOfOwner: MAX_OF_OWNER, maxInAll: MAX_IN_ALL });
  const here = jobsThat(async (job, argument) => JOBS[job](argument as never));
  const inThreads = jobsThat((job, argument) => pool.run({ job, argument }));
  return {
    run: ({ owner, length }, work) => (length <= LONG ? work(here) : turns.take(owner, () => work(inThreads))),
    close: pool.close,
  };
}

function jobsThat(perform: (job: keyof Jobs, argument: unknown) => Promise<unknown>): Elsewhere<Jobs> {
  const names = Object.keys(JOBS) as (keyof Jobs)[];
  return Object.fromEntries(
    names.map((job) => [job, (argument: unknown) => perform(job, argument)]),
  ) as Elsewhere<Jobs>;
}
