import { Command } from 'commander';
import { countConnections } from '../../api/own-operations/online.ts';
import { closeStageToPlayers, getStageAccess, openStageToPlayers } from '../../api/own-operations/stage-access.ts';
import { printable } from '../../text.ts';
import type { ManagementClient } from '../management-client.ts';
import {
  addDuration,
  addWording,
  durationInput,
  type PlaceOptions,
  placeCommand,
  placeInput,
  wordingInput,
} from '../place-options.ts';
import { valueAt } from '../reply.ts';
import { formatJson } from '../table.ts';
import { CommandError, type World } from '../world.ts';

const MAX_COUNT_MS = 2_000;
const STAGE = ['--stage <name>', 'name of the stage'] as const;

export function maintenanceCommand(world: World): Command {
  return new Command('maintenance')
    .description('Close a stage to newcomers for a while, open it again, or tell whether it is open.')
    .addCommand(onCommand(world))
    .addCommand(offCommand(world))
    .addCommand(statusCommand(world))
    .addHelpText('after', '\nExample:\n  $ respark maintenance on --game Demo --stage Dev --for 30m --send-away');
}

function onCommand(world: World): Command {
  const command = placeCommand('on', world, async (client, options) => {
    const sendAway = options.sendAway === undefined ? {} : { SendAway: true };
    const input = { ...placeInput(options), ...wordingInput(options), ...durationInput(options), ...sendAway };
    const sent = options.sendAway && !options.json ? await describeSent(client, options) : '';
    const reply = await client.call(closeStageToPlayers, input);
    world.stdout.write(options.json ? formatJson(reply) : `stage ${options.stage} is ${describe(reply)}${sent}\n`);
  });
  return addWording(addDuration(command))
    .description('Close a stage to newcomers.')
    .requiredOption(...STAGE)
    .option('--send-away', 'close the players who are connected too, with a hint to come back')
    .addHelpText('after', '\nExample:\n  $ respark maintenance on --game Demo --stage Dev --for 30m');
}

/** How many are sent away, counted right before. A count that fails, or takes its time, must not keep a stage open. */
async function describeSent(client: ManagementClient, options: PlaceOptions): Promise<string> {
  try {
    const count = valueAt(await client.call(countConnections, placeInput(options), MAX_COUNT_MS), ['Connections']);
    return `; ${count} ${count === 1 ? 'connection was there and is' : 'connections were there and are'} sent away`;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return '; all who were there are sent away, and the server could not say how many that is';
  }
}

function offCommand(world: World): Command {
  return placeCommand('off', world, async (client, options) => {
    const reply = await client.call(openStageToPlayers, placeInput(options));
    const text = valueAt(reply, ['WasClosed']) === true ? 'is open again' : 'was open';
    world.stdout.write(options.json ? formatJson(reply) : `stage ${options.stage} ${text}\n`);
  })
    .description('Open a stage again.')
    .requiredOption(...STAGE)
    .addHelpText('after', '\nExample:\n  $ respark maintenance off --game Demo --stage Dev');
}

function statusCommand(world: World): Command {
  return placeCommand('status', world, async (client, options) => {
    const reply = await client.call(getStageAccess, placeInput(options));
    const text = valueAt(reply, ['IsOpen']) === true ? 'open' : describe(reply);
    world.stdout.write(options.json ? formatJson(reply) : `stage ${options.stage} is ${text}\n`);
  })
    .description('Tell whether newcomers are let into a stage.')
    .requiredOption(...STAGE)
    .addHelpText('after', '\nExample:\n  $ respark maintenance status --game Demo --stage Dev');
}

function describe(reply: unknown): string {
  const until = valueAt(reply, ['Closure', 'Until']);
  return printable(`closed to newcomers${until === undefined ? '' : ` until ${until}`}`);
}
