import { Command } from 'commander';
import { findEndpoint, getCredentials, ManagementClient } from './management-client.ts';
import { addSettingOptions, settingsOf } from './options.ts';
import { CommandError, type World } from './world.ts';

/** A player as the management API names it. */
export interface PlayerName {
  readonly game: string;
  readonly stage: string;
  readonly player: string;
}

/** A command that makes one signed call about one player. */
export function playerCommand(
  name: string,
  world: World,
  action: (client: ManagementClient, player: PlayerName, isJson: boolean) => Promise<void>,
): Command {
  const command = new Command(name)
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .requiredOption('--player <id>', 'id of the player')
    .option('--endpoint-url <url>', 'the management API (default: AWS_ENDPOINT_URL, else the local server)')
    .option('--json', "print the service's reply")
    .action(async () => {
      const settings = settingsOf(world, command);
      const { endpointUrl, json, ...player } = command.opts<PlayerName & { endpointUrl?: string; json?: true }>();
      const { env, localFiles } = world;
      const client = new ManagementClient({
        endpoint: endpointUrl || (await findEndpoint({ localFiles, settings, env })),
        credentials: await getCredentials({ localFiles, settings, env }),
        region: settings.region,
      });
      await action(client, player, json === true);
    });
  return addSettingOptions(command, ['dataDir', 'region']);
}

/** The path of a player's operation; every part is one segment, whatever it holds. */
export function playerPath({ game, stage, player }: PlayerName, operation: 'connection' | 'disconnect'): `/${string}` {
  const [g, s, p] = [game, stage, player].map(encodeURIComponent);
  return `/runtime/game/${g}/stage/${s}/player/${p}/${operation}`;
}

/** The list of this name in a reply; an absent one is no empty one, it means that this was not our service. */
export function listOf<Item>(reply: unknown, name: string): readonly Item[] {
  const list: unknown = Object(reply)[name];
  if (Array.isArray(list)) return list;
  throw new CommandError(`the reply has no list ${name}; is the endpoint a Respark server?`);
}
