import { Command } from 'commander';
import { getPlayerConnectionStatus } from '../../api/operations/players.ts';
import { listConnections } from '../../api/own-operations/online.ts';
import { addClientOptions, createClient, type ManagementClient } from '../management-client.ts';
import { addOnlineFilters, hasFilter, type OnlineOptions, printOnline } from '../online-listing.ts';
import { listAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import { CommandError, type World } from '../world.ts';

type Listed = Readonly<Record<'PlayerId' | 'Id' | 'Created' | 'Node' | 'RuntimeId', string>> & {
  AddressGroup?: string;
};

export function connectionsCommand(world: World): Command {
  const command = new Command('connections')
    .description("List a player's current connections, or all of a stage.")
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--player <id>', 'id of the player (default: everybody in the stage)')
    .option('--json', "print the server's reply")
    .addHelpText(
      'after',
      `
Examples: those of one player, and those from one network
  $ respark connections --game Demo --stage Dev --player demo-player --json
  $ respark connections --game Demo --stage Dev --address 198.51.100.0/24`,
    )
    .action(async () => {
      const { player, ...options } = command.opts<OnlineOptions & { player?: string }>();
      if (player !== undefined && (options.count || hasFilter(options))) {
        throw new CommandError('--player lists all connections of one player: leave out --count and filters', {
          exitCode: 2,
        });
      }
      const client = await createClient(world, command);
      if (player !== undefined) return await printPlayer(world, client, player, options);
      await printOnline<Listed>(world, client, options, {
        ...{ operation: listConnections, member: 'Connections', none: 'there are no connections' },
        head: ['PLAYER', 'ID', 'CREATED', 'FROM', 'RUNTIME', 'NODE'],
        rowOf: ({ PlayerId, Id, Created, AddressGroup = '-', RuntimeId, Node }) => {
          return [PlayerId, Id, Created, AddressGroup, RuntimeId, Node];
        },
      });
    });
  return addClientOptions(addOnlineFilters(command));
}

async function printPlayer(
  world: World,
  client: ManagementClient,
  player: string,
  { game, stage, json }: OnlineOptions,
): Promise<void> {
  const reply = await client.call(getPlayerConnectionStatus, { GameName: game, StageName: stage, PlayerId: player });
  const connections = listAt<{ Id: string; Created: string }>(reply, 'Connections');
  if (json) world.stdout.write(formatJson(reply));
  else if (connections.length === 0) world.stdout.write(`player ${player} has no connections\n`);
  else world.stdout.write(formatTable([['ID', 'CREATED'], ...connections.map(({ Id, Created }) => [Id, Created])]));
}
