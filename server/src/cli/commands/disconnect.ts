import type { Command } from 'commander';
import { disconnectPlayer } from '../../api/operations/players.ts';
import { printable } from '../../text.ts';
import { type PlayerInput, playerCommand } from '../player-call.ts';
import { listAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import { CommandError, type World } from '../world.ts';

export function disconnectCommand(world: World): Command {
  return playerCommand('disconnect', world, async (client, player, isJson) => {
    const reply = await client.call(disconnectPlayer, player);
    const closed = listAt<string>(reply, 'DisconnectSuccesses');
    const open = listAt<string>(reply, 'DisconnectFailures');
    world.stdout.write(isJson ? formatJson(reply) : describe(player, closed, open));
    // The reply has been printed by now, so that scripts get it although the command fails.
    if (open.length === 0) return;
    throw new CommandError(
      `${count(open.length)} could not be proven closed in time; run the command again, which is safe`,
    );
  })
    .description('Close every connection of a player and report which ones closed. The player may reconnect at once.')
    .addHelpText(
      'after',
      `
Example:
  $ respark disconnect --game Demo --stage Dev --player demo-player
  closed 1 of 1 connection of player demo-player

Exit codes: 0 all closed, or there were none; 1 some could not be proven closed, or the call failed; 2 wrong usage.`,
    );
}

function describe({ PlayerId: player }: PlayerInput, closed: readonly string[], open: readonly string[]): string {
  const total = closed.length + open.length;
  if (total === 0) return `player ${player} has no connections\n`;
  const lines = [
    `closed ${closed.length} of ${count(total)} of player ${player}`,
    ...closed.map((id) => printable(`  closed  ${id}`)),
    ...open.map((id) => printable(`  failed  ${id}`)),
  ];
  return `${lines.join('\n')}\n`;
}

function count(connections: number): string {
  return `${connections} ${connections === 1 ? 'connection' : 'connections'}`;
}
