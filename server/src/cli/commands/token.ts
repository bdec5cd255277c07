import type { Command } from 'commander';
import { createPlayerToken } from '../../api/own-operations/player-tokens.ts';
import { printable } from '../../text.ts';
import { readJsonObject } from '../json-object.ts';
import { playerCommand } from '../player-call.ts';
import { textAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import { parseDurationSeconds } from '../times.ts';
import type { World } from '../world.ts';

export function tokenCommand(world: World): Command {
  const command = playerCommand('token', world, async (client, player, isJson) => {
    const { lifetime, claims } = command.opts<{ lifetime?: string; claims?: string }>();
    const reply = await client.call(createPlayerToken, {
      ...player,
      LifetimeSeconds: lifetime === undefined ? undefined : parseDurationSeconds('--lifetime', lifetime),
      Claims: claims === undefined ? undefined : await readJsonObject(world, claims, '--claims'),
    });
    const [token, gameKey] = [textAt(reply, 'AuthenticationToken'), textAt(reply, 'GameKey')];
    world.stdout.write(isJson ? formatJson({ token, gameKey }) : `${printable(token)}\n`);
  })
    .description('Make a token with which a client connects as this player. It is like a password of the player.')
    .option(
      '--lifetime <duration>',
      'how long it is valid, such as 30m, 1h or 2d (default: as long as the server lets it)',
    )
    .option(
      '--claims <json>',
      'what handlers may read with CurrentPlayer().Claims(): a JSON object, @FILE for a file with one, or - for stdin',
    )
    .addHelpText(
      'after',
      `
Example: a tester's token for an hour
  $ respark token --game Demo --stage Dev --player tester-7 --lifetime 1h --claims '{"role":"tester"}'

With --json it prints { token, gameKey }: a client needs the game key too.`,
    );
  return command;
}
