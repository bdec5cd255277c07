import type { Command } from 'commander';
import { createLog } from '../log.ts';
import { settingsOf } from './options.ts';
import type { World } from './world.ts';

type Main = Awaited<ReturnType<World['loadMain']>>;

export type Administration = Awaited<ReturnType<Main['openAdministration']>>;

/**
 * Runs `work` on the data directory that the command's settings name, and releases the directory however `work` ends.
 */
export async function administer<T>(
  world: World,
  command: Command,
  work: (administration: Administration) => Promise<T>,
): Promise<T> {
  const settings = settingsOf(world, command);
  const log = createLog({ level: 'error', destination: { write: (line) => void world.stderr.write(line) } });
  const { openAdministration } = await world.loadMain();
  const administration = await openAdministration({ settings, log });
  try {
    return await work(administration);
  } finally {
    await administration.close();
  }
}
