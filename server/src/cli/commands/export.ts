import { Command, Option } from 'commander';
import { getGameConfiguration } from '../../api/operations/configuration.ts';
import { exportSnapshot } from '../../api/operations/snapshots.ts';
import { type Json, writeDocument } from '../../domain/configuration/document.ts';
import { printable } from '../../text.ts';
import { writeOutputFile } from '../files.ts';
import { addClientOptions, createClient, type ManagementClient } from '../management-client.ts';
import { entriesAt, textAt } from '../reply.ts';
import { getNewestSnapshot } from '../snapshots.ts';
import { escapeJson } from '../table.ts';
import type { World } from '../world.ts';

export function exportCommand(world: World): Command {
  const command = new Command('export')
    .description('Write a snapshot of a game as a document that can be imported, or kept under version control.')
    .requiredOption('--game <name>', 'name of the game')
    .option('--snapshot <id>', 'which snapshot (default: the newest)')
    .addOption(
      new Option('--working-copy', 'write the current configuration instead of a snapshot').conflicts('snapshot'),
    )
    .option('--output <file>', 'the file to write (default: stdout)')
    .addHelpText(
      'after',
      `
Example: copy the current configuration of a game into another game
  $ respark export --game Demo --working-copy --output demo.json
  $ respark import demo.json --game Other --create`,
    )
    .action(async () => {
      const { game, snapshot, workingCopy, output } = command.opts<{
        game: string;
        snapshot?: string;
        workingCopy?: true;
        output?: string;
      }>();
      const client = await createClient(world, command);
      const id = workingCopy === true ? undefined : (snapshot ?? (await getNewestSnapshot(world, client, game)));
      const file = id === undefined ? await readWorkingCopy(client, game) : await readSnapshot(client, game, id);
      if (output === undefined) world.stdout.write(escapeJson(new TextDecoder().decode(file)));
      else await writeOutputFile(output, file);
      world.stderr.write(`${printable(`exported ${id ?? 'the working copy'} of game ${game}`)}\n`);
    });
  return addClientOptions(command);
}

/** The current configuration as a document of the form that ExportSnapshot gives. */
async function readWorkingCopy(client: ManagementClient, game: string): Promise<Uint8Array> {
  const reply = await client.call(getGameConfiguration, { GameName: game });
  const sections = entriesAt<{ Attributes: Json }>(reply, 'GameConfiguration', 'Sections');
  return writeDocument(Object.fromEntries(sections.map(([name, { Attributes }]) => [name, Attributes])));
}

async function readSnapshot(client: ManagementClient, game: string, id: string): Promise<Uint8Array> {
  const reply = await client.call(exportSnapshot, { GameName: game, SnapshotId: id });
  return await client.download(textAt(reply, 'S3Url'));
}
