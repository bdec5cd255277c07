import type { Command } from 'commander';
import { revokePlayerTokens, revokePlayerTokensInGame } from '../../api/own-operations/blocks.ts';
import { printable } from '../../text.ts';
import { addWording, placeCommand, placeInput, wordingInput } from '../place-options.ts';
import { textAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import type { World } from '../world.ts';
import { failUnlessEnded } from './block.ts';

export function revokeTokensCommand(world: World): Command {
  const command = placeCommand('revoke-tokens', world, async (client, options) => {
    const keeps = options.keepConnections === undefined ? {} : { KeepConnections: true };
    const operation = options.stage === undefined ? revokePlayerTokensInGame : revokePlayerTokens;
    const reply = await client.call(operation, { ...placeInput(options), ...wordingInput(options), ...keeps });
    const text = printable(
      `tokens of player ${options.player} from before ${textAt(reply, 'IssuedBefore')} are refused`,
    );
    world.stdout.write(options.json ? formatJson(reply) : `${text}\n`);
    failUnlessEnded(reply);
  });
  return addWording(command)
    .description('Refuse the tokens that a player has been given until now, and close their connections.')
    .option('--stage <name>', 'name of the stage (default: all stages of the game)')
    .requiredOption('--player <id>', 'id of the player')
    .option('--keep-connections', 'let those who are connected go on, without new tokens')
    .addHelpText('after', '\nExample:\n  $ respark revoke-tokens --game Demo --stage Dev --player demo-player');
}
