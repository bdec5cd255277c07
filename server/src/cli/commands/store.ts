import { resolve } from 'node:path';
import { Command } from 'commander';
import { parseDatabaseAddress } from '../../database-address.ts';
import { createLog } from '../../log.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { CommandError, type World } from '../world.ts';

const PERIOD_MS = 2_000;

export function storeCommand(world: World): Command {
  return new Command('store')
    .description('Move what a server keeps.')
    .addHelpText('after', '\nExample:\n  $ respark store copy --to postgres://respark@db.example/respark')
    .addCommand(copyCommand(world));
}

function copyCommand(world: World): Command {
  const command = new Command('copy')
    .description(
      'Copy all that a data directory keeps, on which no server may be running, into an empty PostgreSQL database: the store, the data of players, the logs and the audit log.',
    )
    .option('--to <url>', 'the database, as in RESPARK_DATABASE_URL, which is the default')
    .addHelpText(
      'after',
      `
Example: move a server to a database
  $ createdb -E UTF8 respark
  $ respark store copy --data-dir /var/lib/respark --to postgres://respark@db.example/respark

Everything is copied and counted, or nothing is, and the data directory stays as it is. Other users of this machine may see a password on the command line: leave it to RESPARK_DATABASE_URL, or to PGPASSWORD.
The copy needs the same secret key: servers on it get it from RESPARK_SECRET_KEY.`,
    )
    .action(async () => {
      const settings = settingsOf(world, command);
      const { to: url = settings.databaseUrl } = command.opts<{ to?: string }>();
      const log = createLog({ level: 'warn', destination: { write: (line) => void world.stderr.write(line) } });
      const { copyData } = await world.loadMain();
      const counts = await copyData({ settings, log, url: checked(url), progress: reportRows(world) });
      for (const [name, rows] of Object.entries(counts)) world.stdout.write(`${name}: ${rows}\n`);
      const keyOf = resolve(settings.dataDir, 'secret.key');
      world.stderr.write(
        settings.secretKey === undefined
          ? `Everything was copied. Set RESPARK_SECRET_KEY of every server on the database to what is in ${keyOf}.\n`
          : 'Everything was copied. Keep RESPARK_SECRET_KEY as it is.\n',
      );
    });
  return addSettingOptions(command, ['dataDir']);
}

function checked(url: string | undefined): string {
  if (url === undefined) {
    throw new CommandError('name the database to copy to: --to URL, or RESPARK_DATABASE_URL', { exitCode: 2 });
  }
  const address = parseDatabaseAddress(url);
  if (typeof address === 'string') throw new CommandError(`the URL of the database: ${address}`, { exitCode: 2 });
  return url;
}

/** Says on stderr how far the copy has come, every two seconds; a short copy says nothing. */
function reportRows({ stderr }: Pick<World, 'stderr'>): (name: string, rows: number) => void {
  let nextAt = performance.now() + PERIOD_MS;
  return (name, rows) => {
    if (performance.now() < nextAt) return;
    nextAt = performance.now() + PERIOD_MS;
    stderr.write(`copied ${rows} ${name}\n`);
  };
}
