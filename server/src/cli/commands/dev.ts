import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { importGameConfiguration } from '../../api/operations/configuration.ts';
import { getStageDeployment, startStageDeployment } from '../../api/operations/deployments.ts';
import { createSnapshot } from '../../api/operations/snapshots.ts';
import { systemClock } from '../../clock.ts';
import { type Sections, writeDocument } from '../../domain/configuration/document.ts';
import { FolderFault, type FolderFiles, fromFolder, scriptFile } from '../../domain/configuration/folder.ts';
import { readModel } from '../../domain/configuration/model.ts';
import { ServiceError } from '../../errors.ts';
import { printable } from '../../text.ts';
import { type AwaitedServer, createAwaitedServer } from '../awaited-server.ts';
import { readInFolder, writeInFolder } from '../folder-files.ts';
import { watchFolder } from '../folder-watch.ts';
import { readFolder, stampOfFolder, writeProjectFile } from '../folders.ts';
import { followLines, type LogLine, lineText, newestLines } from '../log-lines.ts';
import {
  addClientOptions,
  createClient,
  type ManagementClient,
  mayPass,
  ServiceRefusal,
} from '../management-client.ts';
import { textAt, valueAt } from '../reply.ts';
import { createSnapshotCleaning, type SnapshotCleaning } from '../snapshot-cleaning.ts';
import { CommandError, type World } from '../world.ts';

/** How often the folder is looked at. */
const LOOK_MS = 150;
const DEPLOYMENT_LOOK_MS = 30;
const MAX_DEPLOYMENT_MS = 60_000;
/** What this command calls its snapshots, which it deletes when they are no longer needed. */
const DESCRIPTION = 'respark dev';
const TYPES_FILE = 'handlers/cloud-code.d.ts';

interface Options {
  readonly game: string;
  readonly stage: string;
}

export function devCommand(world: World): Command {
  const command = new Command('dev')
    .description(
      'Deploy the folder of a configuration to a stage, again at every change of a file, and show what its scripts write. Ctrl-C ends it.',
    )
    .argument(
      '<folder>',
      'a folder that "respark unpack" has made, or one that you have begun yourself (docs/cloud-code.md)',
    )
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .addHelpText(
      'after',
      `
Example: work on the example, as the game of the demo
  $ respark unpack examples/game.json my-game
  $ respark dev my-game --game Demo --stage Dev
A player stays on what was deployed when they connected: connect again to get a change.
The snapshots that it makes are described as "respark dev", and deleted an hour or so after later ones replaced them.`,
    )
    .action(async (folder: string) => {
      const options = command.opts<Options>();
      await readFolder(folder);
      const client = await createClient(world, command);
      world.goesOnForEver();
      let isOver = false;
      const release = world.onSignal(() => {
        isOver = true;
      });
      const say = (text: string) => world.stdout.write(`${printable(text)}\n`);
      const fail = (text: string) => world.stderr.write(`${printable(text)}\n`);
      const open = () => createClient(world, command);
      const server = createAwaitedServer({ client, open, tell: fail, isOver: () => isOver });
      try {
        const stage = { GameName: options.game, StageName: options.stage };
        const { cursor } = await newestLines(client, stage, 1);
        const cleaning = createSnapshotCleaning({ game: options.game, description: DESCRIPTION, tell: fail });
        const work = { world, server, cleaning, folder, stage, say, fail, isOver: () => isOver };
        await Promise.all([watch(work), follow(work, cursor)]);
      } finally {
        isOver = true;
        release();
      }
    });
  return addClientOptions(command);
}

interface Work {
  readonly world: World;
  readonly server: AwaitedServer;
  readonly cleaning: SnapshotCleaning;
  readonly folder: string;
  readonly stage: { readonly GameName: string; readonly StageName: string };
  readonly say: (text: string) => void;
  readonly fail: (text: string) => void;
  readonly isOver: () => boolean;
}

/** Deploys the folder now, whenever it has changed, and whenever the server has come back. */
async function watch(work: Work): Promise<void> {
  const { server, folder, isOver } = work;
  await watchFolder({
    look: async () => `${server.returns} ${await stampOfFolder(folder)}`,
    publish: async () => (await server.attempt((client) => publish(work, client))) === true,
    pause: () => sleep(LOOK_MS),
    isOver,
  });
}

/** Shows the lines of the stage's log behind the position as they come, also those of a server that was restarted. */
async function follow({ world, server, stage, isOver }: Work, cursor: number): Promise<void> {
  let after = cursor;
  const show = (line: LogLine) => {
    after = line.Position;
    world.stdout.write(lineText(line));
  };
  while (!isOver()) {
    const { returns } = server;
    await server.attempt((client) => followLines({ client, world, isOver }, stage, { cursor: after, show }));
    if (server.returns === returns) continue;
    const newest = await server.attempt(async (client) => (await newestLines(client, stage, 1)).cursor);
    // The positions of a log that was lost begin again.
    if (newest !== undefined && newest < after) after = 0;
  }
}

/**
 * Checks, imports and deploys. A fault of the folder is shown, and waits to be mended. Resolves to true; throws for what
 * may pass.
 */
async function publish({ folder, stage, cleaning, say, fail }: Work, client: ManagementClient): Promise<true> {
  const startedAt = systemClock.monotonic();
  const { GameName, StageName } = stage;
  try {
    const files = await readFolder(folder);
    const sections = fromFolder(files);
    const faults = await faultsOf(folder, files, sections);
    if (faults.length > 0) {
      for (const fault of faults) fail(fault);
      fail(`not deployed: mend ${faults.length === 1 ? 'this' : 'these'} first`);
      return true;
    }
    for (const warning of warningsOf(folder, sections)) fail(warning);
    await writeTypes(folder, sections, fail);
    const File = Buffer.from(writeDocument(sections)).toString('base64');
    await client.call(importGameConfiguration, { GameName, ImportSource: { File } });
    const SnapshotId = await takeSnapshot(client, GameName, cleaning);
    const started = await client.call(startStageDeployment, { GameName, StageName, SnapshotId });
    const DeploymentId = textAt(started, 'StageDeployment', 'DeploymentId');
    const message = await endOf(client, { GameName, StageName, DeploymentId });
    const ms = Math.round(systemClock.monotonic() - startedAt);
    if (message === undefined) say(`deployed to ${GameName}/${StageName} in ${ms} ms`);
    else fail(`not deployed: ${message}`);
    // What is not deleted now is deleted after the next deployment.
    await cleaning.clean(client).catch((error: unknown) => {
      if (!mayPass(error)) throw error;
    });
  } catch (error) {
    if (error instanceof FolderFault) {
      fail(describeFolderFault(folder, error));
      fail('not deployed: mend this first');
      return true;
    }
    if (mayPass(error) || !(error instanceof ServiceError || error instanceof CommandError)) throw error;
    fail(`not deployed: ${error.message}`);
  }
  return true;
}

/** Makes a snapshot of what was imported. When the game has too many, earlier ones of this command make room. */
async function takeSnapshot(client: ManagementClient, GameName: string, cleaning: SnapshotCleaning): Promise<string> {
  const input = { GameName, Description: DESCRIPTION };
  const reply = await client.call(createSnapshot, input).catch(async (error: unknown) => {
    if (!(error instanceof ServiceRefusal) || error.errorName !== 'ConflictException') throw error;
    await cleaning.clean(client);
    return await client.call(createSnapshot, input);
  });
  const id = textAt(reply, 'Snapshot', 'Id');
  cleaning.made(id);
  return id;
}

async function faultsOf(folder: string, files: FolderFiles, sections: Sections): Promise<string[]> {
  // The check is loaded only here, because it brings schemas and a parser with it, and commands should start quickly.
  const [{ findFaults }, { describeInFolder }] = await Promise.all([
    import('../../domain/configuration/faults.ts'),
    import('../../domain/configuration/folder-faults.ts'),
  ]);
  return findFaults(sections).map((fault) => describeInFolder(files, fault, (path) => join(folder, path)));
}

function describeFolderFault(folder: string, { path, problem, position }: FolderFault): string {
  const file = join(folder, path);
  return position === undefined ? `${file}: ${problem}` : `${file}:${position.line}:${position.column}: ${problem}`;
}

/** What can be deployed, but hardly as it was meant. */
function warningsOf(folder: string, sections: Sections): string[] {
  const { requests, requestHandlers } = readModel(sections);
  return requests
    .filter(({ name, isFromPlayers }) => isFromPlayers && !requestHandlers.has(name))
    .map(({ name }) => {
      const file = join(folder, 'messages', `${name}.json`);
      return `${file}: warning: players may send it, but it has no RequestHandler, and so no ${scriptFile(name, 'RequestHandler')}`;
    });
}

/** Writes what editors complete scripts by beside them, unless it is there. Without it everything else works. */
async function writeTypes(folder: string, sections: Sections, fail: (text: string) => void): Promise<void> {
  const { scriptDeclarations } = await import('../../domain/runtime/script-types.ts');
  const text = scriptDeclarations(readModel(sections));
  try {
    if ((await readInFolder(folder, TYPES_FILE)) === text) return;
    await writeInFolder(folder, TYPES_FILE, text);
    await writeProjectFile(folder);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    fail(`editors cannot complete scripts: ${error.message}`);
  }
}

/** Why the deployment failed; undefined when it did not. */
async function endOf(
  client: ManagementClient,
  input: { GameName: string; StageName: string; DeploymentId: string },
): Promise<string | undefined> {
  const deadline = systemClock.monotonic() + MAX_DEPLOYMENT_MS;
  for (;;) {
    const reply = await client.call(getStageDeployment, input);
    const state = valueAt(reply, ['StageDeployment', 'DeploymentState']);
    if (state === 'COMPLETED') return undefined;
    if (state === 'FAILED') return textAt(reply, 'StageDeployment', 'DeploymentResult', 'Message');
    if (systemClock.monotonic() > deadline) throw new CommandError('the deployment has not ended within a minute');
    await sleep(DEPLOYMENT_LOOK_MS);
  }
}
