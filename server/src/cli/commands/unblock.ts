import type { Command } from 'commander';
import { unblockPlayer, unblockPlayerInGame } from '../../api/own-operations/blocks.ts';
import { placeCommand, placeInput } from '../place-options.ts';
import { valueAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import type { World } from '../world.ts';

export function unblockCommand(world: World): Command {
  return placeCommand('unblock', world, async (client, options) => {
    const operation = options.stage === undefined ? unblockPlayerInGame : unblockPlayer;
    const reply = await client.call(operation, placeInput(options));
    const text = valueAt(reply, ['WasBlocked']) === true ? 'may connect again' : 'was not blocked';
    world.stdout.write(options.json ? formatJson(reply) : `player ${options.player} ${text}\n`);
  })
    .description('End the block of a player, in one stage or in the whole game.')
    .option('--stage <name>', 'name of the stage (default: the block in the whole game)')
    .requiredOption('--player <id>', 'id of the player')
    .addHelpText('after', '\nExample:\n  $ respark unblock --game Demo --stage Dev --player demo-player');
}
