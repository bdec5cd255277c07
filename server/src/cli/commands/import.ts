import { stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { Command } from 'commander';
import { getGameConfiguration, importGameConfiguration } from '../../api/operations/configuration.ts';
import { createGame } from '../../api/operations/games.ts';
import { parseDocument, type Sections } from '../../domain/configuration/document.ts';
import { describeFault } from '../../domain/configuration/fault.ts';
import { printable } from '../../text.ts';
import { readInputText } from '../files.ts';
import { addClientOptions, createClient, type ManagementClient, ServiceRefusal } from '../management-client.ts';
import { entriesAt } from '../reply.ts';
import { formatTable } from '../table.ts';
import { CommandError, type World } from '../world.ts';

const PACKING = 'make one document of it with "respark pack", and import that; "respark dev" deploys a folder as it is';

export function importCommand(world: World): Command {
  const command = new Command('import')
    .description("Replace a game's whole configuration with an exported document. Only snapshots keep the old one.")
    .argument('<file>', 'the document, or - for stdin')
    .requiredOption('--game <name>', 'name of the game')
    .option('--create', 'create the game; one that exists is changed only if nothing is lost by that')
    .option('--yes', 'with --create: replace what a game that exists has')
    .addHelpText(
      'after',
      `
Example: import a document into a game, then deploy it to a stage
  $ respark import demo.json --game Demo --create
  $ respark deploy --game Demo --stage Dev
Faults in the configuration are warnings here, but make a deployment fail.`,
    )
    .action(async (path: string) => {
      const { game, create, yes } = command.opts<{ game: string; create?: true; yes?: true }>();
      const isFolder = path !== '-' && (await stat(path).catch(() => undefined))?.isDirectory() === true;
      if (isFolder) throw new CommandError(`${printable(`<file> "${path}" is a folder`)}: ${PACKING}`, { exitCode: 2 });
      const file = Buffer.from(await readInputText(world, path, '<file>'));
      const document = parseDocument(file);
      await warnOfFaults(world, document);
      const client = await createClient(world, command);
      const input = { GameName: game, ImportSource: { File: file.toString('base64') } };
      if (create === true && yes !== true) await createOrCompare(client, game, document);
      const reply = await importInto(client, input, { mayCreate: create === true && yes === true });
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

const isMissing = (error: unknown) =>
  error instanceof ServiceRefusal && error.errorName === 'ResourceNotFoundException';

/**
 * Imports, and if the game does not exist and may be created, creates it and imports again. A key that may do both need not be
 * allowed to read what there is.
 */
async function importInto(
  client: ManagementClient,
  input: ImportInput,
  { mayCreate }: { readonly mayCreate: boolean },
): Promise<unknown> {
  try {
    return await client.call(importGameConfiguration, input);
  } catch (error) {
    if (!mayCreate || !isMissing(error)) throw error;
  }
  await client.call(createGame, { GameName: input.GameName });
  return await client.call(importGameConfiguration, input);
}

/**
 * Creates the game if there is none. To create a game does not mean to change one that is there, so that may have nothing but
 * what the document has.
 */
async function createOrCompare(client: ManagementClient, game: string, document: Sections): Promise<void> {
  let found: unknown;
  try {
    found = await client.call(getGameConfiguration, { GameName: game });
  } catch (error) {
    if (!isMissing(error)) throw error;
    await client.call(createGame, { GameName: game });
    return;
  }
  const sections = entriesAt<{ Attributes?: unknown }>(found, 'GameConfiguration', 'Sections');
  if (sections.length === 0) return;
  const there = Object.fromEntries(sections.map(([name, { Attributes }]) => [name, Attributes]));
  if (isDeepStrictEqual(there, document)) return;
  throw new CommandError(
    `nothing was done: game "${game}" exists, and its configuration would be replaced; add --yes to replace it, or give another name`,
  );
}
