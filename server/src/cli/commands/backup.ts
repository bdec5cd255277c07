import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../../clock.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { reportProgress } from '../progress.ts';
import { CommandError, type World } from '../world.ts';

export function backupCommand(world: World): Command {
  const command = new Command('backup')
    .description('Write everything that a server keeps into one file, also while the server is running.')
    .argument('<file>', 'the file to write, which must not exist')
    .option('--without-secrets', 'leave secret.key out; keep it elsewhere, for nothing can be restored without it')
    .addHelpText(
      'after',
      `
Example: keep a backup of each day
  $ respark backup /var/backups/respark/$(date +%F).tar.gz --data-dir /var/lib/respark

The file contains the secret key, with which a reader can act as any key and any player: it is readable by its owner only (mode 600).
Every change that was answered before the command began is in it.`,
    )
    .action(async (file: string) => await writeBackup(world, command, file));
  return addSettingOptions(command, ['dataDir']);
}

/** Every server on a data directory makes these at its start. */
const DATABASES = ['audit.sqlite', 'events.sqlite', 'player-data.sqlite', 'stage-logs.sqlite'];

async function writeBackup(world: World, command: Command, file: string): Promise<void> {
  const settings = settingsOf(world, command);
  const isWithoutSecrets = command.opts().withoutSecrets === true;
  const { backUpData } = await world.loadMain();
  const controller = new AbortController();
  const release = world.onSignal((signal) =>
    controller.abort(new CommandError(`stopped by ${signal}; no backup was written`)),
  );
  try {
    const { parts } = await backUpData({
      ...{ settings, file, clock: systemClock },
      hasSecretKey: !isWithoutSecrets,
      progress: reportProgress(world, 'packed'),
      signal: controller.signal,
    });
    const { size } = await stat(file);
    world.stdout.write(`wrote ${resolve(file)} (${size} bytes)\n`);
    const missing = DATABASES.filter((database) => parts.every(({ name }) => name !== database));
    if (missing.length > 0) {
      world.stderr.write(
        `It lacks what the data directory lacks: ${missing.join(', ')}. If that was there before, put it back from where the other files came, and make the backup again.\n`,
      );
    }
    if (parts.some(({ name }) => name === 'secret.key')) {
      world.stderr.write('It contains the secret key: keep it as safe as the server.\n');
    } else {
      const place = isWithoutSecrets && settings.secretKey === undefined ? 'secret.key' : 'RESPARK_SECRET_KEY';
      world.stderr.write(`It does not contain the secret key (${place}): keep that too, to be able to restore.\n`);
    }
  } finally {
    release();
  }
}
