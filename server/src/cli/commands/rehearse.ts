import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { getPlayerConnectionStatus } from '../../api/operations/players.ts';
import { playRehearsedEnd } from '../../api/own-operations/rehearsals.ts';
import { systemClock } from '../../clock.ts';
import { printable } from '../../text.ts';
import { addClientOptions, createClient, type ManagementClient, mayPass } from '../management-client.ts';
import type { PlayerInput } from '../player-call.ts';
import {
  type Judgement,
  judgeRounds,
  type Played,
  REHEARSAL_RULES,
  type RehearsalRule,
  waitOf,
} from '../rehearsal-rules.ts';
import { listAt, textAt, valueAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import { CommandError, type World } from '../world.ts';

const DEFAULT_WINDOW_S = 30;
/** A client starts its back-off anew only after a connection that has lasted for ten seconds. */
const DEFAULT_SETTLE_S = 12;
const DEFAULT_WAIT_S = 120;
const MAX_S = 300;
const LOOK_MS = 200;
/** How many looks in a row may fail, and for how long: a call that gets no answer fails after half a minute. */
const MAX_LOOKS = 10;
const MAX_SILENCE_MS = 45_000;

const NAMES = REHEARSAL_RULES.map(({ name }) => name);

interface Options {
  readonly game: string;
  readonly stage: string;
  readonly player: string;
  readonly only?: readonly RehearsalRule[];
  readonly window: number;
  readonly settle: number;
  readonly wait: number;
  readonly yes?: true;
  readonly json?: true;
}

interface Connection {
  readonly Id: string;
  readonly Created: string;
}

interface Result {
  readonly rule: RehearsalRule;
  /** Undefined when it could not be played, because the client was not there. */
  readonly judgement: Judgement | undefined;
  readonly operationId?: string;
}

export function rehearseCommand(world: World): Command {
  const command = new Command('rehearse')
    .description("Play each kind of end to a player's client, and report whether it does what the protocol says.")
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .requiredOption('--player <id>', 'id of the player, whose client must have one connection')
    .option('--only <names>', `some of ${NAMES.join(', ')}, separated by commas (default: all)`, rulesOf)
    .option(
      '--window <seconds>',
      'how long a client has to come back, or is watched for staying away',
      secondsOf(1),
      DEFAULT_WINDOW_S,
    )
    .option('--settle <seconds>', 'how long it must be connected before the next end', secondsOf(0), DEFAULT_SETTLE_S)
    .option('--wait <seconds>', 'how long to wait until it is connected for the next end', secondsOf(1), DEFAULT_WAIT_S)
    .option('--yes', 'rehearse on a stage whose name does not begin with Dev or Test too')
    .option('--json', 'print the results as JSON')
    .addHelpText(
      'after',
      `
Example: the two ends that every release of a client should be tried with
  $ respark rehearse --game Demo --stage Dev --player demo-player --only draining,kicked

The player is disconnected for each end, and nothing else happens to them. After an end that is for good, have the client
connect again by hand: the command waits for it.
Exit codes: 0 the client did all as it should; 1 it did not, or an end could not be played; 2 wrong usage.`,
    )
    .action(async () => {
      const options = command.opts<Options>();
      checkStage(options);
      await rehearse(world, await createClient(world, command), options);
    });
  return addClientOptions(command);
}

/** On a stage with real players, a mistyped player is somebody who plays. */
function checkStage({ stage, yes }: Options): void {
  if (yes === true || /^(dev|test)/i.test(stage)) return;
  throw new CommandError(
    `stage ${stage} may have real players: add --yes to rehearse there all the same, or use one whose name begins with Dev or Test`,
    { exitCode: 2 },
  );
}

async function rehearse(world: World, client: ManagementClient, options: Options): Promise<void> {
  const { json, only = REHEARSAL_RULES } = options;
  const results: Result[] = [];
  for (const rule of only) {
    // The command does not wait ten times for a player who was not there to begin with, whose id may be a mistake.
    const isAbsent = results[0] !== undefined && results[0].judgement === undefined;
    const result = isAbsent ? { rule, judgement: undefined } : await playOne(world, client, options, rule);
    results.push(result);
    if (json !== true) world.stdout.write(`${printable(lineOf(result))}\n`);
  }
  const failed = results.filter(({ judgement }) => judgement?.hasPassed !== true);
  world.stdout.write(json === true ? formatJson({ Results: results.map(toJson) }) : describeFailures(failed));
  if (results[0]?.judgement === undefined) {
    const { player, game, stage } = options;
    throw new CommandError(
      `nothing was played: player ${player} had not one connection in time; "respark players --game ${game} --stage ${stage}" lists who is connected`,
    );
  }
  if (failed.length > 0) {
    throw new CommandError(
      `the client failed ${failed.length} of ${results.length}; docs/rehearsal.md says what to do`,
    );
  }
}

async function playOne(world: World, client: ManagementClient, options: Options, rule: RehearsalRule): Promise<Result> {
  const input = { GameName: options.game, StageName: options.stage, PlayerId: options.player };
  if (!(await untilConnected(world, client, input, options))) return { rule, judgement: undefined };
  const rounds: Played[] = [];
  let operationId = '';
  do {
    const reply = await client.call(playRehearsedEnd, { ...input, End: rule.end, WindowSeconds: options.window });
    operationId = textAt(reply, 'OperationId');
    rounds.push(await watch(client, input, reply, options.window * 1_000));
  } while (rounds.length < (rule.rounds ?? 1) && rounds.at(-1)?.backAt !== undefined);
  return { rule, judgement: judgeRounds(rule, rounds), operationId };
}

/** What the client does after the end that the reply tells of. */
async function watch(client: ManagementClient, input: PlayerInput, reply: unknown, windowMs: number): Promise<Played> {
  const numberAt = (name: string) => Number(valueAt(reply, [name]) ?? 0);
  const silentForMs = numberAt('SilentForMs');
  const played = {
    at: Date.parse(textAt(reply, 'At')),
    retryAfterMs: numberAt('RetryAfterMs'),
    noticeMs: silentForMs === 0 ? 0 : silentForMs - windowMs,
    windowMs,
  };
  return { ...played, backAt: await findReturn(client, input, textAt(reply, 'ConnectionId'), waitOf(played)) };
}

/** When the player was connected anew, by the server's clock; undefined when that does not happen in time. */
async function findReturn(
  client: ManagementClient,
  input: PlayerInput,
  endedId: string,
  forMs: number,
): Promise<number | undefined> {
  const deadline = systemClock.monotonic() + forMs;
  for (;;) {
    const isLast = systemClock.monotonic() >= deadline;
    const returned = (await look(client, input)).find(({ Id: id }) => id !== endedId);
    if (returned !== undefined) return Date.parse(returned.Created);
    if (isLast) return undefined;
    await sleep(LOOK_MS);
  }
}

/** Resolves with whether the client has had its one connection for long enough. */
async function untilConnected(
  { stderr }: Pick<World, 'stderr'>,
  client: ManagementClient,
  input: PlayerInput,
  { settle, wait }: Pick<Options, 'settle' | 'wait'>,
): Promise<boolean> {
  const start = systemClock.monotonic();
  let since: { readonly id: string; readonly at: number } | undefined;
  let isTold = false;
  for (;;) {
    const now = systemClock.monotonic();
    const connections = await look(client, input);
    const [only] = connections.length === 1 ? connections : [];
    if (only?.Id !== since?.id) since = only && { id: only.Id, at: now };
    if (since !== undefined && now - since.at >= settle * 1_000) return true;
    if (now - start > (wait + settle) * 1_000) return false;
    if (connections.length === 0 && !isTold) {
      stderr.write(`${printable(`player ${input.PlayerId} is not connected: have the client connect again`)}\n`);
      isTold = true;
    }
    await sleep(LOOK_MS);
  }
}

/**
 * A look that fails for a reason that may pass counts as one that saw nothing new, since the next comes soon. When the server
 * fails for longer, the client cannot be judged.
 */
async function look(client: ManagementClient, input: PlayerInput): Promise<readonly Connection[]> {
  const start = systemClock.monotonic();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return listAt<Connection>(await client.call(getPlayerConnectionStatus, input), 'Connections');
    } catch (error) {
      if (!mayPass(error)) throw error;
      const silentMs = systemClock.monotonic() - start;
      if (attempt === MAX_LOOKS || silentMs >= MAX_SILENCE_MS) {
        const silence = `${attempt} looks in ${Math.round(silentMs / 1_000)} s did not say whether the client is connected`;
        throw new CommandError(`${silence}: ${(error as Error).message}`, { cause: error });
      }
      await sleep(LOOK_MS);
    }
  }
}

const NOT_PLAYED = 'not played: the client was not connected in time, or not with one connection';

function lineOf({ rule, judgement }: Result): string {
  const word = judgement === undefined ? '-' : judgement.hasPassed ? 'pass' : 'FAIL';
  return `${word.padEnd(4)}  ${rule.name.padEnd(16)}  ${judgement?.seen ?? NOT_PLAYED}`;
}

function describeFailures(failed: readonly Result[]): string {
  const rows = failed.flatMap(({ rule, judgement }) =>
    judgement === undefined ? [] : [[rule.name, `the protocol says: ${rule.sentence}`]],
  );
  return rows.length === 0 ? '' : `\n${formatTable(rows)}`;
}

function toJson({ rule, judgement, operationId }: Result) {
  return {
    Name: rule.name,
    Expected: rule.expected === 'back' ? 'COMES_BACK' : 'STAYS_AWAY',
    Outcome: judgement === undefined ? 'NOT_PLAYED' : judgement.hasPassed ? 'PASSED' : 'FAILED',
    Seen: judgement?.seen ?? NOT_PLAYED,
    Rule: rule.sentence,
    ...(operationId !== undefined && { OperationId: operationId }),
  };
}

function rulesOf(text: string): readonly RehearsalRule[] {
  const names = new Set(text.split(','));
  for (const name of names) {
    if (!NAMES.includes(name)) throw new InvalidArgumentError(`It must be some of ${NAMES.join(', ')}.`);
  }
  return REHEARSAL_RULES.filter(({ name }) => names.has(name));
}

function secondsOf(min: number): (text: string) => number {
  return (text) => {
    const seconds = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
    if (seconds >= min && seconds <= MAX_S) return seconds;
    throw new InvalidArgumentError(`It must be ${min}-${MAX_S}.`);
  };
}
