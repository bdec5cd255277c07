import { Command } from 'commander';
import type { Operation } from '../../api/operation.ts';
import {
  createWebhook,
  deleteWebhook,
  getWebhook,
  listWebhookDeliveries,
  listWebhooks,
  replayWebhook,
  testWebhook,
  updateWebhook,
} from '../../api/own-operations/webhooks.ts';
import { systemClock } from '../../clock.ts';
import { printable } from '../../text.ts';
import { addClientOptions, createClient } from '../management-client.ts';
import { listAt, textAt, valueAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import { parseSince } from '../times.ts';
import { CommandError, type World } from '../world.ts';

type Webhook = Readonly<Record<'Id' | 'Url' | 'State', string>> & {
  readonly Reason?: string;
  readonly EventTypes?: readonly string[];
  readonly Stages?: readonly string[];
};

interface Delivery {
  readonly Attempt: number;
  readonly DurationMillis: number;
  readonly Error?: string;
  readonly EventId: string;
  readonly EventType: string;
  readonly NextAttempt?: string;
  readonly Outcome: string;
  readonly Position: number;
  readonly Status?: number;
  readonly Time: string;
}

interface Options {
  readonly game: string;
  readonly id: string;
  readonly url?: string;
  readonly description?: string;
  readonly stage?: string;
  readonly type?: string;
  readonly enable?: true;
  readonly disable?: true;
  readonly rotateSecret?: true;
  readonly since: string;
  readonly json?: true;
}

const HEAD = ['ID', 'STATE', 'URL', 'STAGES', 'TYPES', 'REASON'];
const DELIVERY_HEAD = ['TIME', 'EVENT', 'TYPE', 'POSITION', 'ATTEMPT', 'STATUS', 'TOOK', 'OUTCOME', 'ERROR'];

export function webhooksCommand(world: World): Command {
  const command = new Command('webhooks').description(
    "Have what happens in a game posted to a URL: a game's webhooks.",
  );
  for (const create of [add, list, get, update, remove, replay, test, deliveries]) command.addCommand(create(world));
  return command.addHelpText(
    'after',
    `
Example: post each end of a connection of the demo game to a receiver, and see whether that works
  $ respark webhooks create --game Demo --url https://hooks.example/respark --type connection.closed
  $ respark webhooks list --game Demo
  $ respark webhooks test --game Demo --id ID
  $ respark webhooks deliveries --game Demo --id ID`,
  );
}

/** A command about one game; `act` gets the reply of the operation. */
function subcommand(
  world: World,
  { name, description, example }: { name: string; description: string; example: string },
  {
    operation,
    inputOf,
    act,
  }: {
    operation: Operation;
    inputOf?: (options: Options) => Readonly<Record<string, unknown>>;
    act: (reply: unknown, options: Options) => string;
  },
): Command {
  const command = new Command(name)
    .description(description)
    .requiredOption('--game <name>', 'name of the game')
    .option('--json', "print the server's reply")
    .addHelpText('after', `\nExample:\n  $ respark webhooks ${example}`)
    .action(async () => {
      const options = command.opts<Options>();
      const input = { GameName: options.game, ...inputOf?.(options) };
      const client = await createClient(world, command);
      const reply = await client.call(operation, input);
      world.stdout.write(options.json === true ? formatJson(reply) : act(reply, options));
      // Scripts go by the exit code, whatever is printed.
      if (valueAt(reply, ['IsAccepted']) === false) throw new CommandError('the receiver did not accept the test');
    });
  return addClientOptions(command);
}

const ofWebhook = ({ id }: Options) => ({ WebhookId: id });
const ID = ['--id <id>', 'id of the webhook, as "respark webhooks list" shows it'] as const;

function addTargetOptions(command: Command): Command {
  return command
    .option('--description <text>', 'what it is for')
    .option('--stage <names>', 'only events of these stages, separated by commas; an empty text for all')
    .option('--type <types>', 'only events of these types, separated by commas; an empty text for all');
}

const listOf = (text: string | undefined) => text?.split(',').filter((item) => item !== '');

function targetOf({ url, description, stage, type }: Options) {
  return { Url: url, Description: description, Stages: listOf(stage), EventTypes: listOf(type) };
}

function add(world: World): Command {
  const texts = {
    name: 'create',
    description: 'Post what happens from now on to a URL. Prints the secret by which the receiver knows the server.',
    example: 'create --game Demo --url https://hooks.example/respark',
  };
  const command = subcommand(world, texts, { operation: createWebhook, inputOf: targetOf, act: shownWithSecret });
  return addTargetOptions(command.requiredOption('--url <url>', 'where to post events'));
}

function list(world: World): Command {
  const texts = { name: 'list', description: "List a game's webhooks.", example: 'list --game Demo' };
  return subcommand(world, texts, {
    operation: listWebhooks,
    act(reply, { game }) {
      const webhooks = listAt<Webhook>(reply, 'Webhooks');
      return webhooks.length === 0 ? `game ${game} has no webhooks\n` : formatTable([HEAD, ...webhooks.map(rowOf)]);
    },
  });
}

function get(world: World): Command {
  const texts = { name: 'get', description: 'Show a webhook.', example: 'get --game Demo --id ID' };
  const act = (reply: unknown) => formatTable([HEAD, rowOf(valueAt(reply, ['Webhook']) as Webhook)]);
  return subcommand(world, texts, { operation: getWebhook, inputOf: ofWebhook, act }).requiredOption(...ID);
}

function update(world: World): Command {
  const texts = {
    name: 'update',
    description: 'Change a webhook, switch it on or off, or give it another secret.',
    example: 'update --game Demo --id ID --enable',
  };
  const inputOf = (options: Options) => {
    if (options.enable === true && options.disable === true) {
      throw new CommandError('--enable and --disable exclude each other', { exitCode: 2 });
    }
    const IsEnabled = options.enable === true ? true : options.disable === true ? false : undefined;
    return { ...ofWebhook(options), ...targetOf(options), IsEnabled, RotateSecret: options.rotateSecret };
  };
  const command = subcommand(world, texts, { operation: updateWebhook, inputOf, act: shownWithSecret });
  return addTargetOptions(command.requiredOption(...ID))
    .option('--url <url>', 'where to post events')
    .option('--enable', 'go on where it was')
    .option('--disable', 'send nothing; events wait as long as they are kept')
    .option('--rotate-secret', 'make another secret; for a day events are signed with both');
}

function remove(world: World): Command {
  const texts = { name: 'delete', description: 'Delete a webhook.', example: 'delete --game Demo --id ID' };
  const act = (_: unknown, { id }: Options) => `deleted webhook ${id}\n`;
  return subcommand(world, texts, { operation: deleteWebhook, inputOf: ofWebhook, act }).requiredOption(...ID);
}

function replay(world: World): Command {
  const texts = {
    name: 'replay',
    description: 'Send again everything that is kept since a time.',
    example: 'replay --game Demo --id ID --since 1h',
  };
  const inputOf = (options: Options) => ({
    ...ofWebhook(options),
    Since: new Date(parseSince(options.since, systemClock.now())).toISOString(),
  });
  const act = (_: unknown, { id, since }: Options) => `webhook ${id} gets everything since ${since} again\n`;
  return subcommand(world, texts, { operation: replayWebhook, inputOf, act })
    .requiredOption(...ID)
    .requiredOption('--since <time>', 'a duration such as 30m, 1h or 2d, or an ISO 8601 time');
}

function test(world: World): Command {
  const texts = {
    name: 'test',
    description: 'Send one event of type webhook.test, and say what the receiver answers.',
    example: 'test --game Demo --id ID',
  };
  const act = (reply: unknown) => `${printable(textAt(reply, 'Message'))}\n`;
  return subcommand(world, texts, { operation: testWebhook, inputOf: ofWebhook, act }).requiredOption(...ID);
}

function deliveries(world: World): Command {
  const texts = {
    name: 'deliveries',
    description: 'Show the latest attempts to send events to a webhook, the newest first, and how many events wait.',
    example: 'deliveries --game Demo --id ID',
  };
  const act = (reply: unknown) => {
    const attempts = listAt<Delivery>(reply, 'Deliveries');
    const waiting = valueAt(reply, ['Waiting']);
    const table =
      attempts.length === 0 ? 'no attempts are known\n' : formatTable([DELIVERY_HEAD, ...attempts.map(lineOf)]);
    const state = waiting === undefined ? 'no node delivers the webhook at the moment' : `events that wait: ${waiting}`;
    return `${table}${printable(state)}\n`;
  };
  return subcommand(world, texts, { operation: listWebhookDeliveries, inputOf: ofWebhook, act }).requiredOption(...ID);
}

function lineOf(attempt: Delivery): string[] {
  const { Time, EventId, EventType, Position, Attempt, Status = '-', DurationMillis, Error: why = '-' } = attempt;
  const facts = [Time, EventId, EventType, Position, Attempt, Status, `${DurationMillis} ms`, outcomeOf(attempt), why];
  return facts.map(String);
}

function outcomeOf({ Outcome, NextAttempt }: Delivery): string {
  if (NextAttempt !== undefined) return `again at ${NextAttempt}`;
  return String(Outcome).toLowerCase().replaceAll('_', ' ');
}

function shownWithSecret(reply: unknown): string {
  const table = formatTable([HEAD, rowOf(valueAt(reply, ['Webhook']) as Webhook)]);
  const secret = valueAt(reply, ['Secret']);
  if (typeof secret !== 'string') return table;
  return `${table}\nThe secret of the receiver, which is shown only now:\n${printable(secret)}\n`;
}

function rowOf(webhook: Webhook): string[] {
  const { Id, State, Url, Stages = [], EventTypes = [], Reason = '-' } = Object(webhook) as Webhook;
  const all = (items: readonly string[]) => (items.length === 0 ? 'all' : items.join(','));
  return [Id, State, Url, all(Stages), all(EventTypes), Reason];
}
