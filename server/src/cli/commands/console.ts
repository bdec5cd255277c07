import { resolve } from 'node:path';
import { Command } from 'commander';
import { createLog } from '../../log.ts';
import { askUnsigned } from '../ask-unsigned.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { CommandError, type World } from '../world.ts';

export function consoleCommand(world: World): Command {
  const command = new Command('console')
    .description('Print a link that signs in to the console of the server that runs on the data directory.')
    .addHelpText(
      'after',
      `
Example: open the console of a server that was started long ago
  $ respark console

The link works once, within a minute, in a browser on this machine. It gives a key of the role developer, which may also
disconnect and block the players of the demo game; the next link revokes that key. Who made a link is on record.`,
    )
    .action(async () => {
      const settings = settingsOf(world, command);
      const running = await world.localFiles.running(settings.dataDir);
      if (running === undefined) {
        throw new CommandError(
          `no server is running on the data directory ${resolve(settings.dataDir)}: start one with "respark serve", or name another directory with --data-dir`,
        );
      }
      const { status } = await askUnsigned(new URL('/console/sign-in', running.url));
      if (status !== 200)
        throw new CommandError(`the server at ${running.url} has no console: ask a node of another role`);
      const log = createLog({ level: 'error', destination: { write: (line) => void world.stderr.write(line) } });
      const { makeConsoleLink } = await world.loadMain();
      world.stdout.write(`${await makeConsoleLink({ settings, log, url: running.url })}\n`);
      world.stderr.write('The link works once, within a minute, in a browser on this machine.\n');
    });
  return addSettingOptions(command, ['dataDir']);
}
