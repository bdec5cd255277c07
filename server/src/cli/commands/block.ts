import type { Command } from 'commander';
import { blockPlayer, blockPlayerInGame } from '../../api/own-operations/blocks.ts';
import { printable } from '../../text.ts';
import { addDuration, addWording, durationInput, placeCommand, placeInput, wordingInput } from '../place-options.ts';
import { listAt, valueAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import { CommandError, type World } from '../world.ts';

export function blockCommand(world: World): Command {
  const command = placeCommand('block', world, async (client, options) => {
    const input = { ...placeInput(options), ...wordingInput(options), ...durationInput(options) };
    const reply = await client.call(options.stage === undefined ? blockPlayerInGame : blockPlayer, input);
    world.stdout.write(options.json ? formatJson(reply) : `blocked player ${options.player}${describeEnd(reply)}\n`);
    failUnlessEnded(reply);
  });
  return addWording(addDuration(command))
    .description('Keep a player from connecting, to one stage or to all stages of a game, and close their connections.')
    .option('--stage <name>', 'name of the stage (default: all stages of the game)')
    .requiredOption('--player <id>', 'id of the player')
    .addHelpText(
      'after',
      `
Example: for two hours, or without --for until "respark unblock"
  $ respark block --game Demo --stage Dev --player demo-player --for 2h --reason cheating --message "See you in two hours"

Exit codes: 0 blocked, and every connection closed; 1 some could not be proven closed, or the call failed; 2 wrong usage.`,
    );
}

/** When the block ends, and what has become of the player's connections. */
function describeEnd(reply: unknown): string {
  const until = valueAt(reply, ['Block', 'Until']);
  const closed = listAt<string>(reply, 'DisconnectSuccesses').length;
  return printable(`${until === undefined ? ' for good' : ` until ${until}`}; closed ${closed} of their connections`);
}

/** Throws after the reply has been printed, so that scripts get it although the command fails. */
export function failUnlessEnded(reply: unknown): void {
  const open = listAt<string>(reply, 'DisconnectFailures').length;
  if (open === 0) return;
  throw new CommandError(
    `${open} of the player's connections could not be proven closed in time; the server goes on, and running the command again is safe`,
  );
}
