import { listSnapshots } from '../api/operations/snapshots.ts';
import type { ManagementClient } from './management-client.ts';
import { listAt, textAt } from './reply.ts';
import { quoteForShell } from './shell.ts';
import { CommandError, type World } from './world.ts';

/** The id of a game's newest snapshot. Throws a CommandError when it has none. */
export async function getNewestSnapshot(world: World, client: ManagementClient, game: string): Promise<string> {
  const reply = await client.call(listSnapshots, { GameName: game, MaxResults: 1 });
  const [newest] = listAt(reply, 'Snapshots');
  if (newest !== undefined) return textAt(newest, 'Id');
  const input = quoteForShell(JSON.stringify({ GameName: game }), world.platform);
  throw new CommandError(`game ${game} has no snapshot; make one: respark api create-snapshot --json ${input}`);
}
