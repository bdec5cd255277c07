import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../clock.ts';
import { printable } from '../text.ts';
import { mayPass } from './management-client.ts';
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
 * A look that fails is tried again where that may help. Throws a CommandError when all that takes longer than `timeout`
 * seconds; the service goes on even so.
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
  const show = (state: string, text = state) => {
    if (state !== shown) world.stderr.write(`${printable(`${title}: ${text}`)}\n`);
    shown = state;
  };
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    let failure: unknown;
    try {
      const reply = await look();
      const state = stateOf(reply);
      show(state);
      if (!['PENDING', 'IN_PROGRESS'].includes(state)) return reply;
    } catch (error) {
      if (!mayPass(error)) throw error;
      // Once, though each failure may have an id of its own.
      show('failure', `${(error as Error).message}; trying again`);
      failure = error;
    }
    if (systemClock.monotonic() + pauseMs > deadlineMs) {
      const text = printable(`${title}: no end within ${timeout} s; the server goes on with it`);
      throw new CommandError(text, { cause: failure });
    }
    await sleep(pauseMs);
  }
}
