import { Command } from 'commander';
import { importGameConfiguration } from '../../api/operations/configuration.ts';
import { createGame } from '../../api/operations/games.ts';
import { parseDocument, type Sections } from '../../domain/configuration/document.ts';
import { describeFault } from '../../domain/configuration/fault.ts';
import { printable } from '../../text.ts';
import { readInputText } from '../files.ts';
import { addClientOptions, createClient, type ManagementClient, ServiceRefusal } from '../management-client.ts';
import { entriesAt } from '../reply.ts';
import { formatTable } from '../table.ts';
import type { World } from '../world.ts';

export function importCommand(world: World): Command {
  const command = new Command('import')
    .description("Replace a game's whole configuration with an exported document. Only snapshots keep the old one.")
    .argument('<file>', 'the document, or - for stdin')
    .requiredOption('--game <name>', 'name of the game')
    .option('--create', 'create the game if it does not exist')
    .addHelpText(
      'after',
      `
Example: import a document into a game, then deploy it to a stage
  $ respark import demo.json --game Demo --create
  $ respark deploy --game Demo --stage Dev
Faults in the configuration are warnings here, but make a deployment fail.`,
    )
    .action(async (path: string) => {
      const { game, create } = command.opts<{ game: string; create?: true }>();
      const file = Buffer.from(await readInputText(world, path, '<file>'));
      await warnOfFaults(world, parseDocument(file));
      const client = await createClient(world, command);
      const input = { GameName: game, ImportSource: { File: file.toString('base64') } };
      const reply = await importInto(client, input, create === true);
      const sections = entriesAt<{ Size: number }>(reply, 'GameConfiguration', 'Sections');
      const rows = sections.map(([name, { Size }]) => [name, String(Size)]);
      world.stdout.write(
        `${printable(`imported into game "${game}"`)}\n${formatTable([['SECTION', 'BYTES'], ...rows])}`,
      );
    });
  return addClientOptions(command);
}

async function warnOfFaults(world: World, sections: Sections): Promise<void> {
  // The check is loaded only here, because it brings schemas and a parser with it, and commands should start quickly.
  const { findFaults } = await import('../../domain/configuration/faults.ts');
  for (const fault of findFaults(sections)) world.stderr.write(`${printable(`warning: ${describeFault(fault)}`)}\n`);
}

type ImportInput = Readonly<{ GameName: string; ImportSource: { readonly File: string } }>;

/** Imports, and if the game does not exist and may be created, creates it and imports again. */
async function importInto(client: ManagementClient, input: ImportInput, mayCreate: boolean): Promise<unknown> {
  try {
    return await client.call(importGameConfiguration, input);
  } catch (error) {
    const isMissing = error instanceof ServiceRefusal && error.errorName === 'ResourceNotFoundException';
    if (!mayCreate || !isMissing) throw error;
  }
  await client.call(createGame, { GameName: input.GameName });
  return await client.call(importGameConfiguration, input);
}
