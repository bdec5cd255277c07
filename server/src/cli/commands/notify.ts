import { Command } from 'commander';
import { sendNotificationToPlayer, sendNotificationToStage } from '../../api/own-operations/notifications.ts';
import { printable } from '../../text.ts';
import { addSelector, hasSelector, type SelectorOptions, selectorOf } from '../connection-filters.ts';
import { readJsonObject } from '../json-object.ts';
import { addClientOptions, createClient, type ManagementClient } from '../management-client.ts';
import { listAt, textAt, valueAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import { CommandError, type World } from '../world.ts';

/** More connections than this are written to only with --yes. */
const MAX_UNCONFIRMED = 100;

interface Options extends SelectorOptions {
  readonly game: string;
  readonly stage: string;
  readonly player?: string;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly json?: true;
}

interface NodeOutcome {
  readonly Node: string;
  readonly Outcome: string;
  readonly Connections?: number;
}

interface Message {
  readonly Type: string;
  readonly Payload: Readonly<Record<string, unknown>>;
}

export function notifyCommand(world: World): Command {
  const command = new Command('notify')
    .description('Send a notification to everybody who is connected to a stage, or to one player.')
    .argument('<type>', 'a notification of what is deployed to the stage, such as Custom.Game.EventStarts')
    .argument('[payload]', 'its payload: a JSON object, @FILE for a file with one, or - for stdin', '{}')
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--player <id>', 'id of the player (default: everybody in the stage, or those whom the filters mean)')
    .option('--dry-run', 'send nothing, and count the connections that would get it')
    .option('--yes', `send it to more than ${MAX_UNCONFIRMED} connections too`)
    .option('--json', "print the server's reply")
    .addHelpText(
      'after',
      `
Example: how many would hear it, and then tell them
  $ respark notify Custom.Game.EventStarts '{"Minutes": 10}' --game Demo --stage Dev --dry-run
  $ respark notify Custom.Game.EventStarts '{"Minutes": 10}' --game Demo --stage Dev --yes

Exit codes: 0 every node has sent it; 1 some did not say whether they have, or the call failed; 2 wrong usage.`,
    )
    .action(async (type: string, text: string) => {
      const message = { Type: type, Payload: await readJsonObject(world, text, '<payload>') };
      await notify(world, await createClient(world, command), message, command.opts<Options>());
    });
  return addClientOptions(addSelector(command));
}

async function notify(world: World, client: ManagementClient, message: Message, options: Options): Promise<void> {
  const { game, stage, player, dryRun, yes, json } = options;
  const isSelected = hasSelector(options);
  if (player !== undefined && isSelected) {
    throw new CommandError('--player sends it to one player: leave out the other options that say whom', {
      exitCode: 2,
    });
  }
  const selected = isSelected ? { Selector: await selectorOf(options, world) } : {};
  const send = async (isDryRun: boolean) => {
    const input = { GameName: game, StageName: stage, ...message, ...(isDryRun && { DryRun: true }) };
    if (player === undefined) return await client.call(sendNotificationToStage, { ...input, ...selected });
    return await client.call(sendNotificationToPlayer, { ...input, PlayerId: player });
  };
  if (player === undefined && dryRun !== true && yes !== true) failWhenMany(await send(true));
  const reply = await send(dryRun === true);
  world.stdout.write(json === true ? formatJson(reply) : describe(reply, dryRun === true));
  const unknown = listAt<NodeOutcome>(reply, 'Nodes').filter(({ Outcome: outcome }) => outcome !== 'REACHED').length;
  // The reply has been printed by now, so that scripts get it although the command fails.
  if (unknown === 0) return;
  throw new CommandError(
    `${unknown} ${unknown === 1 ? 'node' : 'nodes'} did not say whom they sent it; running the command again sends it to everybody again`,
  );
}

function connectionsOf(reply: unknown): number {
  const connections = valueAt(reply, ['Connections']);
  if (typeof connections === 'number') return connections;
  throw new CommandError('the reply has no number Connections; is the endpoint a Respark server?');
}

function failWhenMany(reply: unknown): void {
  const connections = connectionsOf(reply);
  if (connections <= MAX_UNCONFIRMED) return;
  throw new CommandError(
    `nothing was sent: ${connections} connections would get it; add --yes to send it to more than ${MAX_UNCONFIRMED}`,
  );
}

function describe(reply: unknown, isDryRun: boolean): string {
  const nodes = listAt<NodeOutcome>(reply, 'Nodes');
  const connections = connectionsOf(reply);
  const noun = connections === 1 ? 'connection' : 'connections';
  const what = isDryRun ? `${connections} ${noun} would get it` : `sent to ${connections} ${noun}`;
  const rows = nodes.map(({ Node: node, Outcome: outcome, Connections: count }) => [
    `  ${node}`,
    outcome === 'REACHED' ? String(count ?? 0) : 'unknown: it did not say',
  ]);
  return `${printable(`${what} (on record as ${textAt(reply, 'OperationId')})`)}\n${formatTable(rows)}`;
}
