import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../clock.ts';
import { printable } from '../printable.ts';
import { CommandError, type World } from './world.ts';

const DEFAULT_TIMEOUT_S = 300;
const MAX_TIMEOUT_S = 86_400;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;

/** The option that `waitForEnd` takes as `timeout`. */
export function addTimeoutOption(command: Command): Command {
  return command.option(
    '--timeout <seconds>',
    `how long to wait for the end (0-${MAX_TIMEOUT_S})`,
    (text) => {
      const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
      if (seconds <= MAX_TIMEOUT_S) return seconds;
      throw new InvalidArgumentError(`It must be 0-${MAX_TIMEOUT_S}.`);
    },
    DEFAULT_TIMEOUT_S,
  );
}

/**
 * Looks at what the service does in the background until it has ended, and tells each new state on stderr. The last reply.
 * Throws a CommandError when that takes longer than `timeout` seconds; the service goes on even so.
 */
export async function waitForEnd({
  world,
  title,
  timeout,
  look,
  stateOf,
}: {
  world: World;
  title: string;
  timeout: number;
  look: () => Promise<unknown>;
  stateOf: (reply: unknown) => string;
}): Promise<unknown> {
  const deadlineMs = systemClock.monotonic() + timeout * 1_000;
  let shown: string | undefined;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    const reply = await look();
    const state = stateOf(reply);
    if (state !== shown) world.stderr.write(`${printable(`${title}: ${state}`)}\n`);
    shown = state;
    if (!['PENDING', 'IN_PROGRESS'].includes(state)) return reply;
    if (systemClock.monotonic() + pauseMs > deadlineMs) {
      throw new CommandError(printable(`${title}: no end within ${timeout} s; the server goes on with it`));
    }
    await sleep(pauseMs);
  }
}
