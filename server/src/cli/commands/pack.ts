import { Command } from 'commander';
import { writeDocument } from '../../domain/configuration/document.ts';
import { fromFolder } from '../../domain/configuration/folder.ts';
import { writeOutputFile } from '../files.ts';
import { readFolder } from '../folders.ts';
import { escapeJson } from '../table.ts';
import type { World } from '../world.ts';

export function packCommand(world: World): Command {
  return new Command('pack')
    .description('Put the folder of a configuration together as the one document that "respark import" takes.')
    .argument('<folder>', 'a folder that "respark unpack" has made')
    .argument('[file]', 'where to write the document (default: to stdout)')
    .addHelpText(
      'after',
      `
Example: import a folder into a game
  $ respark pack my-game | respark import - --game Mine --create`,
    )
    .action(async (folder: string, file: string | undefined) => {
      const document = writeDocument(fromFolder(await readFolder(folder)));
      if (file === undefined) world.stdout.write(escapeJson(Buffer.from(document).toString()));
      else await writeOutputFile(file, document);
    });
}
