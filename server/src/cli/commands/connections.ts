import type { Command } from 'commander';
import { getPlayerConnectionStatus } from '../../api/operations/players.ts';
import { playerCommand } from '../player-call.ts';
import { listAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import type { World } from '../world.ts';

export function connectionsCommand(world: World): Command {
  return playerCommand('connections', world, async (client, player, isJson) => {
    const reply = await client.call(getPlayerConnectionStatus, player);
    const connections = listAt<{ Id: string; Created: string }>(reply, 'Connections');
    if (isJson) world.stdout.write(formatJson(reply));
    else if (connections.length === 0) world.stdout.write(`player ${player.PlayerId} has no connections\n`);
    else world.stdout.write(formatTable([['ID', 'CREATED'], ...connections.map(({ Id, Created }) => [Id, Created])]));
  })
    .description("List a player's current connections.")
    .addHelpText(
      'after',
      `
Example:
  $ respark connections --game Demo --stage Dev --player demo-player --json`,
    );
}
