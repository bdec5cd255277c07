import { Command } from 'commander';
import { parseDocument } from '../../domain/configuration/document.ts';
import { toFolder } from '../../domain/configuration/folder.ts';
import { readInputText } from '../files.ts';
import { hasConfiguration, writeFolder, writeProjectFile } from '../folders.ts';
import { CommandError, type World } from '../world.ts';

export function unpackCommand(world: World): Command {
  const command = new Command('unpack')
    .description(
      'Make a folder of an exported document: a file for each message and script, for people and git to read.',
    )
    .argument('<file>', 'the document, or - for stdin')
    .argument('<folder>', 'where to write it')
    .option('--force', 'replace the configuration that is in the folder already')
    .addHelpText(
      'after',
      `
Example: unpack the example, change a handler, and put it together again
  $ respark unpack examples/game.json my-game
  $ respark pack my-game game.json`,
    )
    .action(async (file: string, folder: string) => {
      const { force } = command.opts<{ force?: true }>();
      const files = toFolder(parseDocument(Buffer.from(await readInputText(world, file, '<file>'))));
      if (force !== true && (await hasConfiguration(folder))) {
        throw new CommandError(`the folder "${folder}" has a configuration already: --force replaces it`);
      }
      await writeFolder(folder, files);
      await writeProjectFile(folder);
      world.stdout.write(`wrote ${files.size} files to ${folder}\n`);
    });
  return command;
}
