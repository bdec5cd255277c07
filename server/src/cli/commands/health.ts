import { Command } from 'commander';
import { printable } from '../../text.ts';
import { askUnsigned } from '../ask-unsigned.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { CommandError, type World } from '../world.ts';

export function healthCommand(world: World): Command {
  const command = new Command('health')
    .description(
      'Ask the server that runs on the data directory whether it is alive, as health checks of containers do.',
    )
    .option('--ready', 'ask whether it should get traffic: not while it drains, or cannot use its store')
    .addHelpText(
      'after',
      '\nExample:\n  $ respark health --ready --data-dir /var/lib/respark\n\nExit codes: 0 it is; 1 it is not, or does not answer; 2 wrong usage.',
    )
    .action(async () => {
      const running = await world.localFiles.running(settingsOf(world, command).dataDir);
      if (running === undefined) throw new CommandError('no server is running on this data directory');
      const { status, text } = await askUnsigned(
        new URL(command.opts().ready === true ? '/readyz' : '/healthz', running.url),
      );
      if (status !== 200) throw new CommandError(printable(text));
      world.stdout.write(`${printable(text)}\n`);
    });
  return addSettingOptions(command, ['dataDir']);
}
