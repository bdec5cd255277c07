import { Command } from 'commander';
import { listPlayers } from '../../api/own-operations/online.ts';
import { addClientOptions, createClient } from '../management-client.ts';
import { addOnlineFilters, type OnlineOptions, printOnline } from '../online-listing.ts';
import type { World } from '../world.ts';

type Listed = Readonly<{ PlayerId: string; Connections: number; Since: string }>;

export function playersCommand(world: World): Command {
  const command = new Command('players')
    .description('List the players who are connected to a stage, or count them.')
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--json', 'print JSON, as the server replies with')
    .addHelpText(
      'after',
      `
Examples: how many there are, and who has been on an older runtime for a day
  $ respark players --game Demo --stage Dev --count
  $ respark players --game Demo --stage Dev --runtime older --before 1d`,
    )
    .action(async () => {
      await printOnline<Listed>(world, await createClient(world, command), command.opts<OnlineOptions>(), {
        ...{ operation: listPlayers, member: 'Players', none: 'no players are connected' },
        head: ['PLAYER', 'CONNECTIONS', 'SINCE'],
        rowOf: ({ PlayerId, Connections, Since }) => [PlayerId, String(Connections), Since],
      });
    });
  return addClientOptions(addOnlineFilters(command));
}
