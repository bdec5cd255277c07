import { Command } from 'commander';
import { checkPlayerToken, getStageIdentity, updateStageIdentity } from '../../api/own-operations/stage-identity.ts';
import { printable } from '../../text.ts';
import { readInputText } from '../files.ts';
import { readJsonObject } from '../json-object.ts';
import { addClientOptions, createClient, type ManagementClient } from '../management-client.ts';
import { listAt, textAt, valueAt } from '../reply.ts';
import { formatJson, formatJsonLine, formatTable } from '../table.ts';
import { parseDurationSeconds } from '../times.ts';
import { CommandError, type World } from '../world.ts';

type StageInput = Readonly<Record<'GameName' | 'StageName', string>>;

interface Provider {
  readonly Issuer: string;
  readonly JwksUrl: string;
  readonly Audiences: readonly string[];
  readonly Algorithms: readonly string[];
  readonly PlayerIdClaim: string;
  readonly PlayerIdForm: string;
  readonly PlayerIdPrefix: string;
  readonly Claims: readonly string[];
}

const HEAD = ['ISSUER', 'AUDIENCES', 'ALGORITHMS', 'PLAYER ID', 'CLAIMS', 'KEYS FROM'];

export function identityCommand(world: World): Command {
  return new Command('identity')
    .description('Say who may be a player of a stage: guests, and players for whom identity providers vouch.')
    .addCommand(getCommand(world))
    .addCommand(setCommand(world))
    .addCommand(checkCommand(world))
    .addHelpText(
      'after',
      '\nExample:\n  $ respark identity get --game Demo --stage Dev\n\ndocs/identity.md has the settings of the usual providers.',
    );
}

function getCommand(world: World): Command {
  return stageCommand('get', world, async (client, stage, isJson) => {
    show(world, await client.call(getStageIdentity, stage), isJson);
  })
    .description('Show who may be a player of the stage.')
    .addHelpText(
      'after',
      `
Example: keep the settings in a file, which "identity set" takes
  $ respark identity get --game Demo --stage Dev --json > identity.json`,
    );
}

function setCommand(world: World): Command {
  const command = stageCommand('set', world, async (client, stage, isJson) => {
    const { file, guests, session } = command.opts<{ file?: string; guests?: boolean; session?: string }>();
    const given = file === undefined ? {} : await readSettings(world, file);
    const asked = {
      ...given,
      ...(guests === undefined ? {} : { AllowGuests: guests }),
      ...(session === undefined ? {} : { SessionSeconds: parseDurationSeconds('--session', session) }),
    };
    if (Object.keys(asked).length === 0) {
      throw new CommandError('there is nothing to set: give --file, --guests, --no-guests or --session', {
        exitCode: 2,
      });
    }
    show(world, await client.call(updateStageIdentity, { ...asked, ...stage }), isJson);
  })
    .description('Change who may be a player of the stage. What is not given stays as it is.')
    .option('--file <file>', 'JSON with Providers, and perhaps AllowGuests and SessionSeconds, or - for stdin')
    .option('--guests', 'let players in without a token, as new guests')
    .option('--no-guests', 'refuse players without a token')
    .option(
      '--session <duration>',
      'how long a player comes back without a new token of the provider, such as 12h or 7d',
    )
    .addHelpText(
      'after',
      `
Example: let in the players of a Keycloak realm, and no guests
  $ respark identity set --game Demo --stage Dev --no-guests --file - <<'END'
  { "Providers": [{ "Issuer": "https://login.example/realms/game", "Audiences": ["game"], "Algorithms": ["RS256"],
    "JwksUrl": "https://login.example/realms/game/protocol/openid-connect/certs" }] }
  END`,
    );
  return command;
}

function checkCommand(world: World): Command {
  const command = stageCommand('check', world, async (client, stage, isJson) => {
    const [given = ''] = command.args;
    const isText = given !== '-' && !given.startsWith('@');
    const token = isText ? given : (await readInputText(world, given.replace(/^@/, ''), '<token>')).trim();
    const reply = await client.call(checkPlayerToken, { ...stage, Token: token });
    const isAccepted = valueAt(reply, ['IsAccepted']) === true;
    if (isJson) world.stdout.write(formatJson(reply));
    else if (isAccepted) world.stdout.write(describeAccepted(reply));
    // The reply has been printed by now, so that scripts get it although the command fails.
    if (isAccepted) return;
    throw new CommandError(`the token is refused: ${printable(textAt(reply, 'Reason'))}`);
  })
    .argument('<token>', 'the token, @FILE for a file with it, or - for stdin')
    .description(
      'Say who a token makes its client, or why it is refused. A token is like a password: mind the history of your shell.',
    )
    .addHelpText(
      'after',
      `
Example: a token that the clipboard has
  $ xclip -o | respark identity check - --game Demo --stage Dev

Exit codes: 0 accepted; 1 refused, or the call failed; 2 wrong usage.`,
    );
  return command;
}

function stageCommand(
  name: string,
  world: World,
  action: (client: ManagementClient, stage: StageInput, isJson: boolean) => Promise<void>,
): Command {
  const command = new Command(name)
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--json', "print the server's reply")
    .action(async () => {
      const { game, stage, json } = command.opts<{ game: string; stage: string; json?: true }>();
      await action(await createClient(world, command), { GameName: game, StageName: stage }, json === true);
    });
  return addClientOptions(command);
}

/** The file may be what `identity get --json` has printed. */
async function readSettings(world: World, file: string): Promise<Readonly<Record<string, unknown>>> {
  const read = await readJsonObject(world, file === '-' ? file : `@${file}`, '--file');
  const inner = valueAt(read, ['Identity']);
  return typeof inner === 'object' && inner !== null ? { ...inner } : read;
}

function show(world: World, reply: unknown, isJson: boolean): void {
  const providers = listAt<Provider>(reply, 'Identity', 'Providers');
  if (isJson) {
    world.stdout.write(formatJson(reply));
    return;
  }
  const guests = valueAt(reply, ['Identity', 'AllowGuests']) === true ? 'are let in' : 'are refused';
  const session = valueAt(reply, ['Identity', 'SessionSeconds']);
  const lines = [
    `players without a token ${guests}`,
    ...(typeof session === 'number' ? [`a provider's token is good for ${session} s of coming back`] : []),
    ...(providers.length === 0 ? ['there are no identity providers'] : []),
  ];
  world.stdout.write(`${lines.join('\n')}\n`);
  if (providers.length > 0) world.stdout.write(formatTable([HEAD, ...providers.map(rowOf)]));
}

function rowOf(provider: Provider): string[] {
  const { PlayerIdClaim, PlayerIdForm, PlayerIdPrefix, Claims } = provider;
  const id = PlayerIdForm === 'HASHED' ? `hash of ${PlayerIdClaim}` : PlayerIdClaim;
  return [
    provider.Issuer,
    provider.Audiences.join(' '),
    provider.Algorithms.join(' '),
    PlayerIdPrefix === '' ? id : `${PlayerIdPrefix} + ${id}`,
    Claims.length === 0 ? '-' : Claims.join(' '),
    provider.JwksUrl,
  ];
}

function describeAccepted(reply: unknown): string {
  const issuer = valueAt(reply, ['Issuer']);
  const ends = valueAt(reply, ['SessionEnds']);
  const lines = [
    `the token is accepted: its client is player ${textAt(reply, 'PlayerId')}`,
    `issuer: ${typeof issuer === 'string' ? issuer : 'this server'}`,
    ...(typeof ends === 'string' ? [`the player must be vouched for anew by ${ends}`] : []),
  ];
  return `${lines.map(printable).join('\n')}\nclaims: ${formatJsonLine(valueAt(reply, ['Claims']) ?? {})}`;
}
