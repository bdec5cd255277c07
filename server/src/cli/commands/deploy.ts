import { Command, Option } from 'commander';
import { getStageDeployment, startStageDeployment } from '../../api/operations/deployments.ts';
import { createSnapshot } from '../../api/operations/snapshots.ts';
import { getStage } from '../../api/operations/stages.ts';
import { printable } from '../../text.ts';
import { addClientOptions, createClient, type ManagementClient } from '../management-client.ts';
import { textAt, valueAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import { addTimeoutOption, waitForEnd } from '../waiting.ts';
import { CommandError, type World } from '../world.ts';

interface Options {
  readonly game: string;
  readonly stage: string;
  readonly snapshot?: string;
  readonly description?: string;
  readonly wait: boolean;
  readonly timeout: number;
  readonly json?: true;
}

export function deployCommand(world: World): Command {
  const command = new Command('deploy')
    .description(
      'Create a snapshot of a game and deploy it to a stage. Players that connect from then on are answered by its handlers; those that are connected stay on their runtime.',
    )
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--snapshot <id>', 'deploy this snapshot instead of creating one')
    .addOption(new Option('--description <text>', 'description of the new snapshot').conflicts('snapshot'))
    .option('--no-wait', 'do not wait until the deployment has ended')
    .option('--json', "print the server's last reply")
    .addHelpText(
      'after',
      `
Example: deploy the current configuration of a game to its stage Dev
  $ respark deploy --game Demo --stage Dev --description "first level"
Exit codes: 0 deployed (with --no-wait: started); 1 the deployment or a call failed; 2 wrong usage.`,
    )
    .action(async () => {
      const options = command.opts<Options>();
      await deploy(world, await createClient(world, command), options);
    });
  return addClientOptions(addTimeoutOption(command));
}

/** Throws a CommandError with all faults if the deployment fails. With `--json` the last reply is printed even then. */
async function deploy(world: World, client: ManagementClient, options: Options): Promise<void> {
  const stage = { GameName: options.game, StageName: options.stage };
  const snapshot = options.snapshot ?? (await makeSnapshot(world, client, options));
  const started = await client.call(startStageDeployment, { ...stage, SnapshotId: snapshot });
  const id = textAt(started, 'StageDeployment', 'DeploymentId');
  const what = `${snapshot} to stage ${options.stage} of game ${options.game} (deployment ${id})`;
  if (!options.wait) {
    world.stdout.write(options.json ? formatJson(started) : `${printable(`started deploying ${what}`)}\n`);
    return;
  }
  const ended = await waitForEnd({
    world,
    title: `deployment ${id}`,
    timeout: options.timeout,
    look: (timeoutMs) => client.call(getStageDeployment, { ...stage, DeploymentId: id }, timeoutMs),
    stateOf: (reply) => textAt(reply, 'StageDeployment', 'DeploymentState'),
  });
  if (options.json) world.stdout.write(formatJson(ended));
  if (textAt(ended, 'StageDeployment', 'DeploymentState') !== 'COMPLETED') throw failureOf(ended, what);
  if (!options.json) world.stdout.write(`${printable(`deployed ${what}`)}\n`);
}

/** Makes sure that the stage exists before it creates a snapshot, because a snapshot cannot be deleted. */
async function makeSnapshot(world: World, client: ManagementClient, { game, stage, description }: Options) {
  await client.call(getStage, { GameName: game, StageName: stage });
  const id = textAt(await client.call(createSnapshot, { GameName: game, Description: description }), 'Snapshot', 'Id');
  world.stderr.write(`${printable(`created ${id}`)}\n`);
  return id;
}

function failureOf(reply: unknown, what: string): CommandError {
  const result = valueAt(reply, ['StageDeployment', 'DeploymentResult']);
  const code = String(valueAt(result, ['ResultCode']) ?? 'no result code');
  const faults = String(valueAt(result, ['Message']) ?? 'no message').split('\n');
  return new CommandError([`cannot deploy ${what}: ${code}`, ...faults].map(printable).join('\n  '));
}
