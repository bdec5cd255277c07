import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ServiceError } from '../errors.ts';
import { describeFileFault, findFileFault } from '../file-fault.ts';
import { createLog } from '../log.ts';
import { settingsOf } from './options.ts';
import { CommandError, type World } from './world.ts';

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
  const logged: string[] = [];
  const log = createLog({ level: 'error', destination: { write: (line) => void logged.push(line) } });
  const { openAdministration } = await world.loadMain();
  const administration = await openAdministration({ settings, log });
  try {
    return await work(administration);
  } catch (error) {
    // A change that could not be put on record was refused because of a fault of the disk, perhaps.
    const cause = error instanceof ServiceError ? error.cause : error;
    if (findFileFault(cause) === undefined) throw error;
    logged.length = 0;
    const dataDir = resolve(settings.dataDir);
    throw new CommandError(`cannot use the data directory ${dataDir}: ${describeFileFault(cause)}`, { cause: error });
  } finally {
    await administration.close();
    for (const line of logged) world.stderr.write(line);
  }
}
