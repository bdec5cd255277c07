import { Command } from 'commander';
import { settingsForDisplay } from '../../config/config.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { formatJson, formatTable } from '../table.ts';
import type { World } from '../world.ts';

export function configCommand(world: World): Command {
  return new Command('config')
    .description('Show or check the settings that "serve" would use.')
    .addCommand(printCommand(world))
    .addCommand(checkCommand(world))
    .addHelpText(
      'after',
      `
Example: see which ports the server would use, and why
  $ respark config print | grep PORT`,
    );
}

function printCommand(world: World): Command {
  const command = new Command('print')
    .description(
      'Print every setting, its value and where the value comes from. Secrets are shown only as set or not set.',
    )
    .option('--json', 'print a JSON array of { key, env, value, source }')
    .action(() => {
      const settings = settingsForDisplay(settingsOf(world, command));
      if (command.opts().json === true) {
        world.stdout.write(formatJson(settings));
        return;
      }
      const rows = settings.map(({ env, value, source }) => [env, describeValue(value), source]);
      world.stdout.write(formatTable([['SETTING', 'VALUE', 'FROM'], ...rows]));
    })
    .addHelpText('after', '\nExample:\n  $ RESPARK_PORT=9000 respark config print --json');
  return addSettingOptions(command);
}

function checkCommand(world: World): Command {
  const command = new Command('check')
    .description('Check the settings without starting anything. Exits with 0, or with 2 and one line for each fault.')
    .action(() => {
      settingsOf(world, command);
      world.stdout.write('the settings are valid\n');
    })
    .addHelpText('after', '\nExample:\n  $ RESPARK_PORT=80a respark config check');
  return addSettingOptions(command);
}

/** A value in a table; an empty one is a dash, so that its column is not blank. */
function describeValue(value: unknown): string {
  return value === null || String(value) === '' ? '-' : String(value);
}
