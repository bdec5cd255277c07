import { Command } from 'commander';
import { createLog } from '../../log.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import type { World } from '../world.ts';

export function migrateCommand(world: World): Command {
  const command = new Command('migrate')
    .description('Bring the database, or a data directory on which no server runs, up to this version of Respark.')
    .addHelpText(
      'after',
      `
Example: upgrade the database before the first node of a new version starts
  $ RESPARK_DATABASE_URL=postgres://respark@db.example/respark respark migrate

The start of a server does the same, so nobody has to run this. Servers of the version before may go on meanwhile, but do not start again.`,
    )
    .action(async () => {
      const settings = settingsOf(world, command);
      const log = createLog({ level: 'warn', destination: { write: (line) => void world.stderr.write(line) } });
      const { migrateData } = await world.loadMain();
      for (const { name, from, to } of await migrateData({ settings, log })) {
        world.stdout.write(from === to ? `${name}: is at version ${to}\n` : `${name}: from version ${from} to ${to}\n`);
      }
    });
  return addSettingOptions(command, ['dataDir']);
}
