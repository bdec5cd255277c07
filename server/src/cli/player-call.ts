import { Command } from 'commander';
import { addClientOptions, createClient, type ManagementClient } from './management-client.ts';
import type { World } from './world.ts';

/** A player as the management API names it. */
export type PlayerInput = Readonly<Record<'GameName' | 'StageName' | 'PlayerId', string>>;

/** A command that makes one signed call about one player. */
export function playerCommand(
  name: string,
  world: World,
  action: (client: ManagementClient, player: PlayerInput, isJson: boolean) => Promise<void>,
): Command {
  const command = new Command(name)
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .requiredOption('--player <id>', 'id of the player')
    .option('--json', "print the server's reply")
    .action(async () => {
      const { game, stage, player, json } = command.opts<
        Record<'game' | 'stage' | 'player', string> & { json?: true }
      >();
      const input = { GameName: game, StageName: stage, PlayerId: player };
      await action(await createClient(world, command), input, json === true);
    });
  return addClientOptions(command);
}
