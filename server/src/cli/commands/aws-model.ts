import { Command } from 'commander';
import { OPERATIONS } from '../../api/operations/index.ts';
import { createServiceModel } from '../../api/service-model.ts';
import { writeOutputFile } from '../files.ts';
import { formatJson } from '../table.ts';
import type { World } from '../world.ts';

export function awsModelCommand(world: World): Command {
  const command = new Command('aws-model')
    .description(
      'Write the service model that teaches this API to an AWS CLI; newer versions no longer include GameSparks.',
    )
    .option('--output <file>', 'the file to write (default: stdout)')
    .addHelpText(
      'after',
      `
Example: add the model to an AWS CLI, which keeps it in ~/.aws/models
  $ respark aws-model --output gamesparks.json
  $ aws configure add-model --service-name gamesparks --service-model file://gamesparks.json
  $ eval "$(respark env)"
  $ aws gamesparks list-games --endpoint-url http://127.0.0.1:8080`,
    )
    .action(async () => {
      const { output } = command.opts<{ output?: string }>();
      const model = formatJson(createServiceModel(OPERATIONS));
      if (output === undefined) world.stdout.write(model);
      else await writeOutputFile(output, model);
    });
  return command;
}
