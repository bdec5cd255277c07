import { Command, Option } from 'commander';
import { findProxyDetour, NO_PROXY_NAMES } from '../http-proxy.ts';
import { wayRoundAddress } from '../ipv6-endpoint.ts';
import { findEndpoint, getCredentials } from '../management-client.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { evaluate, quoteForPowerShell, quoteForShell } from '../shell.ts';
import type { World } from '../world.ts';

const SHELLS = {
  sh: {
    set: (name: string, value: string) => `export ${name}=${value === '' ? '' : quoteForShell(value, 'linux')}`,
    unset: (name: string) => `unset ${name}`,
  },
  fish: {
    set: (name: string, value: string) => `set -gx ${name} '${value.replace(/[\\']/g, '\\$&')}'`,
    unset: (name: string) => `set -e ${name}`,
  },
  powershell: {
    set: (name: string, value: string) => `$env:${name} = ${quoteForPowerShell(value)}`,
    unset: (name: string) => `Remove-Item Env:${name} -ErrorAction SilentlyContinue`,
  },
} satisfies Record<string, { set: (name: string, value: string) => string; unset: (name: string) => string }>;

type Shell = keyof typeof SHELLS;

/** Variables that would override those set here, or contradict them. */
const UNSET = ['AWS_SESSION_TOKEN', 'AWS_SECURITY_TOKEN', 'AWS_PROFILE', 'AWS_DEFAULT_PROFILE'];

export function envCommand(world: World): Command {
  const command = new Command('env')
    .description('Print shell commands that make AWS clients call the local server with its root key.')
    .addOption(
      new Option('--shell <shell>', 'the shell to print them for')
        .choices(Object.keys(SHELLS))
        .default(world.platform === 'win32' ? 'powershell' : 'sh'),
    )
    .addHelpText(
      'after',
      `
Example: list the games with the AWS CLI
  $ eval "$(respark env)"
  $ aws gamesparks list-games --endpoint-url http://127.0.0.1:8080
  > respark env --shell powershell | Out-String | Invoke-Expression`,
    )
    .action(async () => await printEnvironment(world, command));
  return addSettingOptions(command, ['dataDir', 'region']);
}

async function printEnvironment(world: World, command: Command): Promise<void> {
  const settings = settingsOf(world, command);
  const { localFiles } = world;
  // The credentials and the endpoint that the shell already has are ignored, because the printed commands replace them.
  const credentials = await getCredentials({ localFiles, settings, env: {} });
  const endpoint = await findEndpoint({ localFiles, settings, env: {} });
  const detour = findProxyDetour(world.env, endpoint);
  const { set, unset } = SHELLS[command.opts().shell as Shell];
  const lines = [
    set('AWS_ACCESS_KEY_ID', credentials.accessKeyId),
    set('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey),
    set('AWS_REGION', settings.region),
    set('AWS_DEFAULT_REGION', settings.region),
    set('AWS_PAGER', ''),
    set('AWS_ENDPOINT_URL_GAMESPARKS', endpoint),
    ...(detour === undefined ? [] : NO_PROXY_NAMES.map((name) => set(name, detour.noProxy))),
    ...UNSET.map(unset),
  ];
  world.stdout.write(lines.map((line) => `${line}\n`).join(''));
  if (world.stdout.isTTY) world.stderr.write(`# to set these in a shell: ${evaluate('respark env', world.platform)}\n`);
  world.stderr.write(`# AWS CLIs before 2.13 also need: --endpoint-url ${endpoint}\n`);
  if (detour !== undefined) {
    world.stderr.write(`# ${detour.variable} names a proxy; NO_PROXY now excludes ${detour.host} from it\n`);
  }
  const wayRound = wayRoundAddress(endpoint);
  if (wayRound !== undefined) world.stderr.write(`# ${wayRound}\n`);
}
