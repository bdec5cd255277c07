import { Command } from 'commander';
import { getGeneratedCodeJob, startGeneratedCodeJob } from '../../api/operations/generated-code.ts';
import { printable } from '../../text.ts';
import { writeOutputFile } from '../files.ts';
import { addClientOptions, createClient, type ManagementClient } from '../management-client.ts';
import { textAt, valueAt } from '../reply.ts';
import { getNewestSnapshot } from '../snapshots.ts';
import { addTimeoutOption, waitForEnd } from '../waiting.ts';
import { CommandError, type World } from '../world.ts';

interface Options {
  readonly game: string;
  readonly snapshot?: string;
  readonly platform?: string;
  readonly language?: string;
  readonly output: string;
  readonly timeout: number;
}

export function generateCommand(world: World): Command {
  const command = new Command('generate')
    .description("Generate client code for the messages of a game's snapshot, and write it to a zip file.")
    .requiredOption('--game <name>', 'name of the game')
    .option('--snapshot <id>', 'which snapshot (default: the newest)')
    .option('--platform <name>', 'platform of the game client: Unity or Web', 'Unity')
    .option('--language <name>', "CSharp or TypeScript (default: the platform's own)")
    .requiredOption('--output <file>', 'the zip file to write')
    .addHelpText('after', '\nExample:\n  $ respark generate --game Demo --platform Web --output demo.zip')
    .action(async () => {
      const options = command.opts<Options>();
      await generate(world, await createClient(world, command), options);
    });
  return addClientOptions(addTimeoutOption(command));
}

async function generate(world: World, client: ManagementClient, options: Options): Promise<void> {
  const { game, platform, language, output, timeout } = options;
  const snapshot = options.snapshot ?? (await getNewestSnapshot(world, client, game));
  const input = { GameName: game, SnapshotId: snapshot };
  const generator = { TargetPlatform: platform, Language: language };
  const started = await client.call(startGeneratedCodeJob, { ...input, Generator: generator });
  const id = textAt(started, 'GeneratedCodeJobId');
  const ended = await waitForEnd({
    world,
    title: `job ${id} for ${snapshot}`,
    timeout,
    look: (timeoutMs) => client.call(getGeneratedCodeJob, { ...input, JobId: id }, timeoutMs),
    stateOf: (reply) => textAt(reply, 'GeneratedCodeJob', 'Status'),
  });
  if (textAt(ended, 'GeneratedCodeJob', 'Status') !== 'COMPLETED') {
    const why = String(valueAt(ended, ['GeneratedCodeJob', 'Description']) ?? 'no description');
    throw new CommandError(printable(`cannot generate code from ${snapshot}: ${why}`));
  }
  const zip = await client.download(textAt(ended, 'GeneratedCodeJob', 'S3Url'));
  await writeOutputFile(output, zip);
  world.stdout.write(`wrote ${output} (${zip.length} bytes)\n`);
}
