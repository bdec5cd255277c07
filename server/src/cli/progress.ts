import type { World } from './world.ts';

const PERIOD_MS = 2_000;
const MEBIBYTE = 1_048_576;

/** Says on stderr how far long work on files has come, every two seconds; short work says nothing. */
export function reportProgress({ stderr }: Pick<World, 'stderr'>, what: string): (done: number, all: number) => void {
  let nextAt = performance.now() + PERIOD_MS;
  return (done, all) => {
    if (performance.now() < nextAt) return;
    nextAt = performance.now() + PERIOD_MS;
    const [doneMebibytes, allMebibytes] = [done, all].map((bytes) => Math.round(bytes / MEBIBYTE));
    stderr.write(`${what} ${doneMebibytes} of ${allMebibytes} MiB\n`);
  };
}
