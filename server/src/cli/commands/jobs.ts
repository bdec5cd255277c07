import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Operation } from '../../api/operation.ts';
import {
  cancelDisconnectJob,
  confirmDisconnectJob,
  getDisconnectJob,
  listDisconnectJobs,
  pauseDisconnectJob,
  resumeDisconnectJob,
  startDisconnectJob,
} from '../../api/own-operations/disconnect-jobs.ts';
import { systemClock } from '../../clock.ts';
import { printable } from '../../text.ts';
import { addSelector, type SelectorOptions, selectorOf } from '../connection-filters.ts';
import { addClientOptions, createClient, type ManagementClient, mayPass } from '../management-client.ts';
import { patiently } from '../patiently.ts';
import { listAt, nextTokenIn, textAt, valueAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import { parseCount, parseDurationSeconds } from '../times.ts';
import { CommandError, type World } from '../world.ts';

/** More connections than this are ended only with --yes. */
const MAX_UNCONFIRMED = 100;
const LOOK_PERIOD_MS = 1_000;
const MAX_SILENCE_MS = 60_000;

/** What leaves a job as it is, until somebody acts. */
const RESTING = ['AWAITING_CONFIRMATION', 'PAUSED', 'CANCELLED', 'COMPLETED', 'FAILED'];

interface Options extends SelectorOptions {
  readonly game: string;
  readonly stage: string;
  readonly id: string;
  readonly rate?: string;
  readonly returnWithin?: string;
  readonly confirmAbove?: string;
  readonly clientToken?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly evidence?: string;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly wait: boolean;
  /** Whether this command has begun it. */
  readonly isBegun?: boolean;
  readonly json?: true;
}

type Job = Readonly<Record<'JobId' | 'State' | 'Created' | 'StartedBy', string>> &
  Readonly<Record<'Connections' | 'Closed' | 'GoneAlready' | 'InFlight' | 'Unproven' | 'Players', number>> & {
    readonly Reason?: string;
    readonly Message?: string;
    readonly Messages?: Readonly<Record<string, string>>;
    readonly Failures?: readonly { readonly PlayerId: string; readonly ConnectionId: string; readonly Node: string }[];
    readonly SilentNodes?: readonly string[];
  };

const HEAD = ['ID', 'STATE', 'CLOSED', 'GONE', 'UNPROVEN', 'OF', 'BY', 'CREATED', 'REASON'];

export function jobsCommand(world: World): Command {
  const command = new Command('jobs').description(
    'Disconnect many players of a stage at a rate, watch how far that is, and stop it.',
  );
  for (const create of [start, list, show, confirm, pause, resume, cancel]) command.addCommand(create(world));
  return command.addHelpText(
    'after',
    `
Example: who is on an older runtime comes back within two minutes, on the current one
  $ respark jobs start --game Demo --stage Dev --runtime older --return-within 2m --dry-run
  $ respark jobs start --game Demo --stage Dev --runtime older --return-within 2m --rate 200 --yes`,
  );
}

function jobCommand(
  world: World,
  { name, description, example }: { name: string; description: string; example: string },
  act: (client: ManagementClient, options: Options) => Promise<void>,
): Command {
  const command = new Command(name)
    .description(description)
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--json', "print the server's last reply")
    .addHelpText('after', `\nExample:\n  $ respark jobs ${example}`)
    .action(async () => await act(await createClient(world, command), command.opts<Options>()));
  return addClientOptions(command);
}

function start(world: World): Command {
  const texts = {
    name: 'start',
    description:
      'Disconnect everybody who is connected to a stage, or those whom the options mean. Players who connect later are left alone.',
    example: 'start --game Demo --stage Dev --everybody --reason UPDATE --return-within 5m --yes',
  };
  const command = jobCommand(world, texts, async (client, options) => {
    const input = { ...placeOf(options), ...(await requestOf(options, world)) };
    if (options.dryRun || !options.yes) {
      const counted = await client.call(startDisconnectJob, { ...input, DryRun: true });
      if (options.dryRun) {
        world.stdout.write(options.json ? formatJson(counted) : describeCount(counted));
        return;
      }
      failWhenMany(counted);
    }
    const reply = await client.call(startDisconnectJob, input);
    const { JobId: id, State: state } = jobIn(reply);
    if (options.wait && state !== 'AWAITING_CONFIRMATION') {
      world.stderr.write(
        `job ${printable(id)} has begun; it goes on if you stop this command, and "respark jobs cancel" ends it\n`,
      );
      return await follow(world, client, { ...options, id, isBegun: true });
    }
    report(world, reply, options);
  });
  return addSelector(command)
    .option('--reason <code>', 'a code of the game’s for its client, 1-64 characters')
    .option('--message <text>', 'what players are shown, at most 500 characters')
    .option('--evidence <text>', 'what the staff know of the matter; only the audit record gets it')
    .option('--rate <number>', 'how many connections a second, on all nodes together (default: 500)')
    .option('--return-within <duration>', 'have the clients come back, each at a random time within 30s, 5m or 1h')
    .option('--confirm-above <number>', 'wait for another access key when more connections than this are meant')
    .option('--client-token <token>', '33-126 characters; the same command with the same token starts no second job')
    .option('--dry-run', 'end nothing, and count who is meant')
    .option('--yes', `end more than ${MAX_UNCONFIRMED} connections too`)
    .option('--no-wait', 'return when the job has begun');
}

function list(world: World): Command {
  const texts = {
    name: 'list',
    description: 'List the jobs of a stage, newest first.',
    example: 'list --game Demo --stage Dev',
  };
  return jobCommand(world, texts, async (client, options) => {
    const jobs: Job[] = [];
    let nextToken: unknown;
    do {
      const more = nextToken === undefined ? {} : { NextToken: nextToken };
      const reply = await patiently(() => client.call(listDisconnectJobs, { ...placeOf(options), ...more }));
      for (const job of listAt<Job>(reply, 'Jobs')) jobs.push(job);
      nextToken = nextTokenIn(reply, nextToken);
    } while (nextToken !== undefined);
    if (options.json) world.stdout.write(formatJson({ Jobs: jobs }));
    else if (jobs.length === 0) world.stdout.write('there are no jobs\n');
    else world.stdout.write(formatTable([HEAD, ...jobs.map(rowOf)]));
  });
}

function show(world: World): Command {
  const texts = {
    name: 'show',
    description: 'Show a job, and follow it until it ends or waits for somebody.',
    example: 'show --game Demo --stage Dev --id ID',
  };
  return withId(jobCommand(world, texts, (client, options) => follow(world, client, options))).option(
    '--no-wait',
    'show it as it is now',
  );
}

function decision(world: World, name: string, description: string, operation: Operation): Command {
  const texts = { name, description, example: `${name} --game Demo --stage Dev --id ID` };
  return withId(
    jobCommand(world, texts, async (client, options) => {
      report(world, await client.call(operation, inputOf(options)), options);
    }),
  );
}

const confirm = (world: World) =>
  decision(world, 'confirm', 'Let a job begin that another access key has started.', confirmDisconnectJob);
const pause = (world: World) => decision(world, 'pause', 'Have a job stop for the time being.', pauseDisconnectJob);
const resume = (world: World) => decision(world, 'resume', 'Have a paused job go on.', resumeDisconnectJob);
const cancel = (world: World) => decision(world, 'cancel', 'End a job for good.', cancelDisconnectJob);

function withId(command: Command): Command {
  return command.requiredOption('--id <id>', 'id of the job, as "respark jobs list" shows it');
}

const placeOf = ({ game, stage }: Options) => ({ GameName: game, StageName: stage });
const inputOf = (options: Options) => ({ ...placeOf(options), JobId: options.id });

async function requestOf(options: Options, world: World) {
  const { reason, message, evidence, clientToken, rate, returnWithin, confirmAbove } = options;
  return {
    Selector: await selectorOf(options, world),
    ...{ Reason: reason, Message: message, Evidence: evidence, ClientToken: clientToken },
    ...(rate !== undefined && { RatePerSecond: parseCount('--rate', rate, 10_000) }),
    ...(confirmAbove !== undefined && { ConfirmAbove: parseCount('--confirm-above', confirmAbove, 10_000_000) }),
    ...(returnWithin !== undefined && { ReturnWithinSeconds: parseDurationSeconds('--return-within', returnWithin) }),
  };
}

function jobIn(reply: unknown): Job {
  for (const name of ['JobId', 'State']) textAt(reply, 'Job', name);
  return valueAt(reply, ['Job']) as Job;
}

/**
 * Says every second how far the job is, on stderr, and in the end what has come of it. A server that was there may be away
 * for a minute, as when it is restarted; the job is then gone on with.
 */
async function follow(world: World, client: ManagementClient, options: Options): Promise<void> {
  let said = '';
  const say = (text: string, what = text) => {
    if (what !== said) world.stderr.write(`${printable(text)}\n`);
    said = what;
  };
  let answeredAt = options.isBegun ? systemClock.monotonic() : undefined;
  for (;;) {
    try {
      const reply = await patiently(() => client.call(getDisconnectJob, inputOf(options)));
      answeredAt = systemClock.monotonic();
      const job = jobIn(reply);
      if (!options.wait || RESTING.includes(job.State)) return report(world, reply, options);
      say(progressOf(job));
    } catch (error) {
      if (answeredAt === undefined || !mayPass(error)) throw error;
      const { message } = error as Error;
      if (systemClock.monotonic() - answeredAt >= MAX_SILENCE_MS) {
        const advice = `nobody could say for a minute how far job ${options.id} is; "respark jobs show" follows it again`;
        throw new CommandError(printable(`${message}; ${advice}`), { cause: error });
      }
      // Failures in a row are shown once, although each may have a request id of its own.
      say(`${message}; trying again`, 'failure');
    }
    await sleep(LOOK_PERIOD_MS);
  }
}

function progressOf({ State: state, Closed, GoneAlready, Connections }: Job): string {
  return `${state.toLowerCase().replaceAll('_', ' ')}: ${Closed + GoneAlready} of about ${Connections} connections have ended`;
}

/** Prints the job; fails for one that did not do all that was asked. */
function report(world: World, reply: unknown, { json, game, stage }: Options): void {
  const job = jobIn(reply);
  world.stdout.write(json ? formatJson(reply) : describe(job, `--game ${game} --stage ${stage}`));
  if (job.State !== 'FAILED') return;
  throw new CommandError(
    `${job.Unproven} connections could not be proven closed; "respark kick" tries again for a player`,
  );
}

function describe(job: Job, place: string): string {
  const { State: state, JobId: id, Failures = [], SilentNodes = [], Message, Messages = {} } = job;
  const told = Object.entries({ ...(Message !== undefined && { '': Message }), ...Messages });
  const texts = told.map(([locale, text]) => ['  tells players', ...(locale === '' ? [] : [locale]), `"${text}"`]);
  const failures = Failures.map(({ PlayerId, ConnectionId, Node }) => ['  unproven', PlayerId, ConnectionId, Node]);
  const silent = SilentNodes.map((node) => ['  did not answer', node]);
  const hint =
    state === 'AWAITING_CONFIRMATION'
      ? `It means ${job.Connections} connections of ${job.Players} players, and waits for another access key: respark jobs confirm ${place} --id ${id}\n`
      : '';
  const tables = [[HEAD, rowOf(job)], texts, [...failures, ...silent]];
  return tables.map(formatTable).join('') + printable(hint.trimEnd()) + (hint && '\n');
}

function describeCount(reply: unknown): string {
  const nodes = listAt<{ Node: string; Connections: number; Players: number }>(reply, 'Nodes');
  const counts = (of: unknown) =>
    `${plural(valueAt(of, ['Connections']), 'connection')} of ${plural(valueAt(of, ['Players']), 'player')}`;
  const rows = nodes.map((node) => [`  ${node.Node}`, counts(node)]);
  return `${printable(`${counts(reply)} would be disconnected`)}\n${formatTable(rows)}`;
}

function plural(count: unknown, noun: string): string {
  return `${count} ${count === 1 ? noun : `${noun}s`}`;
}

function failWhenMany(reply: unknown): void {
  const connections = valueAt(reply, ['Connections']);
  if (typeof connections !== 'number') {
    throw new CommandError('the reply has no number Connections; is the endpoint a Respark server?');
  }
  if (connections <= MAX_UNCONFIRMED) return;
  throw new CommandError(
    `nothing was done: ${connections} connections would be ended; add --yes to end more than ${MAX_UNCONFIRMED}`,
  );
}

function rowOf(job: Job): string[] {
  const { Closed, GoneAlready, Unproven, Connections, StartedBy, Created, Reason = '-' } = job;
  const counts = [Closed, GoneAlready, Unproven, Connections].map(String);
  return [job.JobId, job.State, ...counts, StartedBy, Created, Reason];
}
