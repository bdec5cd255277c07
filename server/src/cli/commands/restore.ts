import { resolve } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../../clock.ts';
import { createLog } from '../../log.ts';
import { createSystemRandom } from '../../random.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { reportProgress } from '../progress.ts';
import type { World } from '../world.ts';

export function restoreCommand(world: World): Command {
  const command = new Command('restore')
    .description('Put a backup into the data directory, on which no server may be running, and verify all of it.')
    .argument('<file>', 'a file that "respark backup" has written')
    .option('--force', 'use a directory that holds data, which is set aside in a directory replaced-… in it')
    .addHelpText(
      'after',
      `
Example: move a server to this machine
  $ respark restore respark-2026-11-26.tar.gz --data-dir /var/lib/respark
  $ respark serve --data-dir /var/lib/respark

Nothing is changed unless the whole file is a backup that this version knows, undamaged, with the right secret key.`,
    )
    .action(async (file: string) => {
      const settings = settingsOf(world, command);
      const log = createLog({ level: 'error', destination: { write: (line) => void world.stderr.write(line) } });
      const { restoreData } = await world.loadMain();
      const { manifest, setAside } = await restoreData({
        ...{ settings, file, log, clock: systemClock, random: createSystemRandom() },
        isForced: command.opts().force === true,
        progress: reportProgress(world, 'unpacked'),
      });
      const { madeAt, version } = manifest;
      world.stdout.write(
        `restored the backup of ${madeAt}, made by respark ${version}, into ${resolve(settings.dataDir)}\n`,
      );
      if (setAside !== undefined) {
        world.stderr.write(`What was there before is in ${setAside}: remove it when it is not needed any more.\n`);
      }
    });
  return addSettingOptions(command, ['dataDir']);
}
