import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command, Option } from 'commander';
import { OPERATIONS } from '../../api/operations/index.ts';
import { API_VERSION, createServiceModel } from '../../api/service-model.ts';
import { SERVICE } from '../../api/signature/sigv4.ts';
import { printable } from '../../text.ts';
import { makeDirectory, writeOutputFile } from '../files.ts';
import { formatJson } from '../table.ts';
import type { World } from '../world.ts';

export function awsModelCommand(world: World): Command {
  const command = new Command('aws-model')
    .description(
      'Write the service model that teaches this API to an AWS CLI; newer versions no longer include GameSparks.',
    )
    .option('--output <file>', 'the file to write (default: stdout)')
    .addOption(new Option('--install', 'put the model where AWS CLIs of this user find it').conflicts('output'))
    .addHelpText(
      'after',
      `
Example: teach the API to the AWS CLIs of this user, which look for models in ~/.aws/models
  $ respark aws-model --install
  $ eval "$(respark env)"
  $ aws gamesparks list-games --endpoint-url http://127.0.0.1:8080
The first line does what these do:
  $ respark aws-model --output gamesparks.json
  $ aws configure add-model --service-name gamesparks --service-model file://gamesparks.json`,
    )
    .action(async () => {
      const { output, install } = command.opts<{ output?: string; install?: true }>();
      const model = formatJson(createServiceModel(OPERATIONS));
      if (install) {
        const file = join(homeOf(world), '.aws', 'models', SERVICE, API_VERSION, 'service-2.json');
        makeDirectory(dirname(file));
        await writeOutputFile(file, model);
        world.stdout.write(`wrote ${printable(file)}\n`);
      } else if (output === undefined) world.stdout.write(model);
      else await writeOutputFile(output, model);
    });
  return command;
}

/** The home directory where an AWS CLI looks, which on Windows has no HOME. */
function homeOf({ env }: World): string {
  return env.HOME || env.USERPROFILE || homedir();
}
