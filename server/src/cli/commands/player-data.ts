import { Command } from 'commander';
import { deletePlayerData, getPlayerData } from '../../api/own-operations/player-data.ts';
import { printable } from '../../text.ts';
import { saysYes } from '../ask.ts';
import { type ManagementClient, ServiceRefusal } from '../management-client.ts';
import { patiently } from '../patiently.ts';
import { type PlayerInput, playerCommand } from '../player-call.ts';
import { entriesAt, nextTokenIn, valueAt } from '../reply.ts';
import { formatJson, formatJsonLine, formatTable } from '../table.ts';
import { CommandError, type World } from '../world.ts';

/** How often the pages are read anew because the data has changed between them. */
const MAX_ATTEMPTS = 5;

export function playerDataCommand(world: World): Command {
  return new Command('player-data')
    .description('Show or delete what the scripts of a stage keep about a player.')
    .addCommand(getCommand(world))
    .addCommand(deleteCommand(world))
    .addHelpText(
      'after',
      `
Example:
  $ respark player-data get --game Demo --stage Dev --player demo-player

docs/live-operations.md says what else there is of a player, and for how long.`,
    );
}

function getCommand(world: World): Command {
  return playerCommand('get', world, async (client, player, isJson) => {
    const { values, size } = await readAnew(client, player);
    if (isJson) world.stdout.write(formatJson({ ...size, Values: Object.fromEntries(values) }));
    else if (values.length === 0)
      world.stdout.write(`${printable(`nothing is kept about player ${player.PlayerId}`)}\n`);
    else {
      const rows = values.map(([key, value]) => [key, formatJsonLine(value).trimEnd()]);
      world.stdout.write(formatTable([['KEY', 'VALUE'], ...rows]));
      const { Keys, Bytes, ChargedBytes } = size;
      world.stdout.write(`${printable(`keys: ${Keys}; bytes: ${Bytes}; of the room of the stage: ${ChargedBytes}`)}\n`);
    }
  })
    .description('Show everything that scripts keep about the player.')
    .addHelpText(
      'after',
      `
Example: a file for a player who asks what is kept about them
  $ respark player-data get --game Demo --stage Dev --player demo-player --json > demo-player.json`,
    );
}

function deleteCommand(world: World): Command {
  const command = playerCommand('delete', world, async (client, player, isJson) => {
    const { PlayerId, StageName, GameName } = player;
    const { yes } = command.opts<{ yes?: true }>();
    // A script is not asked: its writer has read the help.
    if (!yes && world.stdin.isTTY === true) {
      const what = `Everything that scripts keep about player ${PlayerId} in stage ${StageName} of game ${GameName} is deleted for good.`;
      const question = `${printable(what)}\n${WRITTEN_AGAIN}\n\nDelete it?`;
      if (!(await saysYes(world, question))) throw new CommandError('nothing was deleted');
    }
    const reply = await client.call(deletePlayerData, player);
    const [keys, bytes] = [valueAt(reply, ['DeletedKeys']), valueAt(reply, ['DeletedBytes'])];
    const text = keys === 0 ? `nothing was kept about player ${PlayerId}` : `deleted ${keys} keys with ${bytes} bytes`;
    world.stdout.write(isJson ? formatJson(reply) : `${printable(text)}\n`);
  })
    .description('Delete everything that scripts keep about the player, for good and on record.')
    .option('--yes', 'do not ask first on a terminal')
    .addHelpText(
      'after',
      `
On a terminal the command asks first; a script is not asked.
${WRITTEN_AGAIN}

Example: keep the player away, and delete
  $ respark block --game Demo --stage Dev --player demo-player
  $ respark player-data delete --game Demo --stage Dev --player demo-player`,
    );
  return command;
}

const WRITTEN_AGAIN =
  'Scripts may write about the player again: block the player first, or disconnect them ("respark block", "respark kick").';

interface Kept {
  readonly values: readonly (readonly [key: string, value: unknown])[];
  readonly size: Readonly<Record<'Keys' | 'Bytes' | 'ChargedBytes' | 'Version', unknown>>;
}

/** Reads all pages of one version, from the beginning where it changes meanwhile. */
async function readAnew(client: ManagementClient, player: PlayerInput): Promise<Kept> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await readPages(client, player);
    } catch (error) {
      const hasChanged = error instanceof ServiceRefusal && error.errorName === 'ConflictException';
      if (!hasChanged || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function readPages(client: ManagementClient, player: PlayerInput): Promise<Kept> {
  const values: [string, unknown][] = [];
  let nextToken: unknown;
  for (;;) {
    const more = nextToken === undefined ? {} : { NextToken: nextToken };
    const page = await patiently(() => client.call(getPlayerData, { ...player, ...more }));
    for (const entry of entriesAt<unknown>(page, 'Values')) values.push(entry);
    nextToken = nextTokenIn(page, nextToken);
    if (nextToken !== undefined) continue;
    const of = (name: keyof Kept['size']) => valueAt(page, [name]);
    return {
      values,
      size: { Keys: of('Keys'), Bytes: of('Bytes'), ChargedBytes: of('ChargedBytes'), Version: of('Version') },
    };
  }
}
