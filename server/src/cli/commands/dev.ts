import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { importGameConfiguration } from '../../api/operations/configuration.ts';
import { getStageDeployment, startStageDeployment } from '../../api/operations/deployments.ts';
import { createSnapshot } from '../../api/operations/snapshots.ts';
import { systemClock } from '../../clock.ts';
import { writeDocument } from '../../domain/configuration/document.ts';
import { type FolderFiles, fromFolder } from '../../domain/configuration/folder.ts';
import { readModel } from '../../domain/configuration/model.ts';
import { ServiceError } from '../../errors.ts';
import { printable } from '../../text.ts';
import { readTextIfPresent, writeOutputFile } from '../files.ts';
import { readFolder } from '../folders.ts';
import { followLines, lineText, newestLines } from '../log-lines.ts';
import { addClientOptions, createClient, type ManagementClient, ServiceRefusal } from '../management-client.ts';
import { textAt, valueAt } from '../reply.ts';
import { CommandError, type World } from '../world.ts';

/** How often the folder is looked at. An editor that saves several files in a row is given as long to finish. */
const LOOK_MS = 150;
const DEPLOYMENT_LOOK_MS = 30;
const MAX_DEPLOYMENT_MS = 60_000;
const TYPES_FILE = 'cloud-code.d.ts';

interface Options {
  readonly game: string;
  readonly stage: string;
}

export function devCommand(world: World): Command {
  const command = new Command('dev')
    .description(
      'Deploy the folder of a configuration to a stage, again at every change of a file, and show what its scripts write. Ctrl-C ends it.',
    )
    .argument('<folder>', 'a folder that "respark unpack" has made')
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .addHelpText(
      'after',
      `
Example: work on the example, as the game of the demo
  $ respark unpack examples/game.json my-game
  $ respark dev my-game --game Demo --stage Dev
A player stays on what was deployed when they connected: connect again to get a change.`,
    )
    .action(async (folder: string) => {
      const options = command.opts<Options>();
      const client = await createClient(world, command);
      let isOver = false;
      const release = world.onSignal(() => {
        isOver = true;
      });
      const say = (text: string) => world.stdout.write(`${printable(text)}\n`);
      const fail = (text: string) => world.stderr.write(`${printable(text)}\n`);
      try {
        const stage = { GameName: options.game, StageName: options.stage };
        const { cursor } = await newestLines(client, stage, 1);
        const show = (line: Parameters<typeof lineText>[0]) => world.stdout.write(lineText(line));
        await Promise.all([
          watch({ client, folder, options, say, fail, isOver: () => isOver }),
          followLines({ client, world, isOver: () => isOver }, stage, { cursor, show }),
        ]);
      } finally {
        isOver = true;
        release();
      }
    });
  return addClientOptions(command);
}

interface Work {
  readonly client: ManagementClient;
  readonly folder: string;
  readonly options: Options;
  readonly say: (text: string) => void;
  readonly fail: (text: string) => void;
  readonly isOver: () => boolean;
}

/** Deploys the folder now and whenever it has changed. */
async function watch(work: Work): Promise<void> {
  let before: string | undefined;
  while (!work.isOver()) {
    const files = await readFolder(work.folder);
    const now = await stampOf(work.folder, files);
    if (now !== before) {
      before = now;
      await publish(work, files);
    }
    await sleep(LOOK_MS);
  }
}

async function stampOf(folder: string, files: FolderFiles): Promise<string> {
  const stamps = await Promise.all(
    [...files.keys()].map(async (path) => {
      const found = await stat(join(folder, path)).catch(() => undefined);
      return `${path} ${found?.mtimeMs} ${found?.size}`;
    }),
  );
  return stamps.join('\n');
}

/** Checks, imports and deploys. A fault of the folder is shown, and waits to be mended. */
async function publish({ client, folder, options, say, fail }: Work, files: FolderFiles): Promise<void> {
  const startedAt = systemClock.monotonic();
  const { game: GameName, stage: StageName } = options;
  try {
    const sections = fromFolder(files);
    const faults = await faultsOf(files, sections);
    if (faults.length === 0) await writeTypes(folder, sections);
    if (faults.length > 0) {
      for (const fault of faults) fail(fault);
      fail(`not deployed: mend ${faults.length === 1 ? 'this' : 'these'} first`);
      return;
    }
    const File = Buffer.from(writeDocument(sections)).toString('base64');
    await client.call(importGameConfiguration, { GameName, ImportSource: { File } });
    const SnapshotId = textAt(await client.call(createSnapshot, { GameName }), 'Snapshot', 'Id');
    const started = await client.call(startStageDeployment, { GameName, StageName, SnapshotId });
    const DeploymentId = textAt(started, 'StageDeployment', 'DeploymentId');
    const message = await endOf(client, { GameName, StageName, DeploymentId });
    const ms = Math.round(systemClock.monotonic() - startedAt);
    if (message === undefined) say(`deployed to ${GameName}/${StageName} in ${ms} ms`);
    else fail(`not deployed: ${message}`);
  } catch (error) {
    if (!(error instanceof ServiceError || error instanceof ServiceRefusal)) throw error;
    fail(`not deployed: ${error.message}`);
  }
}

async function faultsOf(files: FolderFiles, sections: ReturnType<typeof fromFolder>): Promise<string[]> {
  // The check is loaded only here, because it brings schemas and a parser with it, and commands should start quickly.
  const [{ findFaults }, { describeInFolder }] = await Promise.all([
    import('../../domain/configuration/faults.ts'),
    import('../../domain/configuration/folder-faults.ts'),
  ]);
  return findFaults(sections).map((fault) => describeInFolder(files, fault));
}

/** Writes what editors complete scripts by beside them, unless it is there. */
async function writeTypes(folder: string, sections: ReturnType<typeof fromFolder>): Promise<void> {
  const { scriptDeclarations } = await import('../../domain/runtime/script-types.ts');
  const file = join(folder, 'handlers', TYPES_FILE);
  const text = scriptDeclarations(readModel(sections));
  if ((await readTextIfPresent(file)) !== text) await writeOutputFile(file, text);
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
