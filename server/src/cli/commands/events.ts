import { Command } from 'commander';
import { listEvents, watchEvents } from '../../api/own-operations/events.ts';
import { systemClock } from '../../clock.ts';
import { printable } from '../../text.ts';
import { followEvents } from '../event-stream.ts';
import { addClientOptions, createClient } from '../management-client.ts';
import { listAt, valueAt } from '../reply.ts';
import { formatJsonLine } from '../table.ts';
import { parseSince } from '../times.ts';
import { CommandError, type World } from '../world.ts';

interface Options {
  readonly game: string;
  readonly stage?: string;
  readonly player?: string;
  readonly type?: string;
  readonly since?: string;
  readonly follow?: true;
  readonly json?: true;
}

/** An event as ListEvents and WatchEvents give it. */
interface ShownEvent {
  readonly time: string;
  readonly type: string;
  readonly stage: string | undefined;
  readonly player: string | undefined;
  readonly data: unknown;
}

export function eventsCommand(world: World): Command {
  const command = new Command('events')
    .description('Show what has happened in a game that has a webhook, or follow what happens; oldest first.')
    .requiredOption('--game <name>', 'name of the game')
    .option('--stage <name>', 'only events of this stage, and of the whole game')
    .option('--player <id>', 'only events of this player')
    .option('--type <types>', 'only events of these types, separated by commas, such as connection.closed')
    .option('--since <time>', 'only events since then: a duration such as 30m, 1h or 2d, or an ISO 8601 time')
    .option('--follow', 'go on with new events until Ctrl+C; without --since, from now on')
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'after',
      `
Example: watch who leaves the demo's stage, and why
  $ respark events --game Demo --type connection.closed --follow

Events are recorded while the game has a webhook, or while somebody follows them.`,
    )
    .action(async () => {
      const options = command.opts<Options>();
      const { game, stage, player, type, since } = options;
      const query = {
        ...{ GameName: game, StageName: stage, PlayerId: player, Types: type },
        Since: since === undefined ? undefined : new Date(parseSince(since, systemClock.now())).toISOString(),
      };
      const client = await createClient(world, command);
      const show = (event: ShownEvent, whole: unknown) =>
        world.stdout.write(options.json === true ? formatJsonLine(whole) : lineOf(event));
      if (options.follow !== true) return await showAll({ client, world, isJson: options.json === true }, query, show);
      world.goesOnForEver();
      await followEvents(client, watchEvents, query, ({ name, data }) => {
        const missed = valueAt(data, ['data', 'count']);
        const count = typeof missed === 'number' ? missed : 'some';
        if (name === 'events.lost') world.stderr.write(`${count} events were dropped before they could be shown\n`);
        else show(toShown(data as Readonly<Record<string, unknown>>), data);
      });
    });
  return addClientOptions(command);
}

async function showAll(
  { client, world, isJson }: { client: Awaited<ReturnType<typeof createClient>>; world: World; isJson: boolean },
  query: Readonly<Record<string, unknown>>,
  show: (event: ShownEvent, whole: unknown) => void,
): Promise<void> {
  let count = 0;
  for (let after: unknown; ; ) {
    const page = await client.call(listEvents, { ...query, After: after });
    for (const event of listAt<Readonly<Record<string, unknown>>>(page, 'Events')) {
      count += 1;
      show(toShown(event), event);
    }
    const cursor = valueAt(page, ['Cursor']);
    if (typeof cursor !== 'number')
      throw new CommandError('the reply has no Cursor; is the endpoint a Respark server?');
    if (valueAt(page, ['IsEnd']) === true) break;
    if (cursor === after)
      throw new CommandError('the reply has the same page again; is the endpoint a Respark server?');
    after = cursor;
  }
  if (count === 0 && !isJson) world.stdout.write('no events match\n');
}

/** Either form: replies have capital letters, streams what webhooks get. */
function toShown(event: Readonly<Record<string, unknown>>): ShownEvent {
  const text = (...names: string[]) => {
    const value = names.map((name) => valueAt(event, [name])).find((each) => each !== undefined);
    return value === undefined ? undefined : String(value);
  };
  return {
    time: text('Time', 'timestamp') ?? '-',
    type: text('Type', 'type') ?? '-',
    stage: text('Stage', 'stage'),
    player: text('Player', 'player'),
    data: valueAt(event, ['Data']) ?? valueAt(event, ['data']),
  };
}

function lineOf({ time, type, stage = '-', player = '-', data }: ShownEvent): string {
  const facts = Object.entries(Object(data)).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : formatJsonLine(value).trimEnd()}`,
  );
  return `${printable([time, type.padEnd(17), stage, player, ...facts].join(' '))}\n`;
}
