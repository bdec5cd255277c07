import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../clock.ts';
import { printable } from '../text.ts';
import { mayPass } from './management-client.ts';
import { CommandError, type World } from './world.ts';

const DEFAULT_TIMEOUT_S = 300;
const MAX_TIMEOUT_S = 86_400;
/** The pause between polls doubles from the first to the longest: most work takes milliseconds, some takes minutes. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
/** However little time is left, the server has so long to answer a poll. */
const MIN_ANSWER_MS = 1_000;

/** The option that `waitForEnd` takes as `timeout`. */
export function addTimeoutOption(command: Command): Command {
  return command.option(
    '--timeout <seconds>',
    `how long to wait until it has ended (0-${MAX_TIMEOUT_S})`,
    (text) => {
      const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
      if (seconds <= MAX_TIMEOUT_S) return seconds;
      throw new InvalidArgumentError(`It must be 0-${MAX_TIMEOUT_S}.`);
    },
    DEFAULT_TIMEOUT_S,
  );
}

/**
 * Polls work that the server does in the background until it has ended, and reports each new state on stderr. Resolves
 * to the last reply. A poll that fails is repeated if that may help. Throws a CommandError after `timeout` seconds; the
 * server continues the work all the same.
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
  /** Asks once, and gives up after `timeoutMs`. */
  look: (timeoutMs: number) => Promise<unknown>;
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
      const reply = await look(Math.max(Math.ceil(deadlineMs - systemClock.monotonic()), MIN_ANSWER_MS));
      const state = stateOf(reply);
      show(state);
      if (!['PENDING', 'IN_PROGRESS'].includes(state)) return reply;
    } catch (error) {
      if (!mayPass(error)) throw error;
      // Failures in a row are shown once, although each may have a request id of its own.
      show('failure', `${(error as Error).message}; trying again`);
      failure = error;
    }
    if (systemClock.monotonic() + pauseMs > deadlineMs) {
      const text = printable(`${title}: not ended within ${timeout} s; the server continues with it`);
      throw new CommandError(text, { cause: failure });
    }
    await sleep(pauseMs);
  }
}
