import { Command, Option } from 'commander';
import { warnOfForeign } from '../../domain/access/foreign-resources.ts';
import { describeRole, policyOfRole, ROLES, type Role, rolesOf } from '../../domain/access/roles.ts';
import { createLog } from '../../log.ts';
import { printable } from '../../text.ts';
import { administer } from '../administer.ts';
import { saysYes } from '../ask.ts';
import { readInputText } from '../files.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { formatJson, formatTable } from '../table.ts';
import { CommandError, type World } from '../world.ts';

export function keysCommand(world: World): Command {
  return new Command('keys')
    .description(
      'Create, list and revoke access keys in the data directory. A running server follows from its next request on.',
    )
    .addCommand(createCommand(world))
    .addCommand(listCommand(world))
    .addCommand(revokeCommand(world))
    .addCommand(rotateRootCommand(world))
    .addCommand(rotateSecretCommand(world))
    .addHelpText('after', '\nExample:\n  $ respark keys create --role moderator --game Demo --stage Dev');
}

interface CreateOptions {
  readonly role?: Role;
  readonly game?: string;
  readonly stage?: string;
  readonly policy?: string;
  readonly printPolicy?: true;
  readonly description?: string;
  readonly json?: true;
}

function createCommand(world: World): Command {
  const roles = Object.entries(ROLES).map(([role, text]) => `  ${role.padEnd(10)} ${text}`);
  const command = new Command('create')
    .description('Create an access key for a role, or with the permissions of an IAM policy document.')
    .addOption(new Option('--role <name>', 'what the key is for').choices(Object.keys(ROLES)).conflicts('policy'))
    .addOption(new Option('--game <name>', 'limit the role to a game').conflicts('policy'))
    .addOption(new Option('--stage <name>', 'limit the role to a stage of the game').conflicts('policy'))
    .option('--policy <file>', 'a policy document (JSON) instead of a role, or - for stdin')
    .addOption(new Option('--print-policy', "print the role's policy document, and create no key").conflicts('policy'))
    .option('--description <text>', 'what the key is for; by default the role and its limits')
    .option('--json', 'print { accessKeyId, secretAccessKey }')
    .addHelpText(
      'after',
      `
Roles (docs/policies.md lists their actions; --print-policy shows the policy, which --policy takes after changes):
${roles.join('\n')}
A role without --game is for all games; with --stage it may do nothing to other stages.

Examples: create a key that may disconnect the players of one stage; the same without a role
  $ respark keys create --role moderator --game Demo --stage Dev
  $ respark keys create --policy - <<'END'
  { "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "gamesparks:DisconnectPlayer",
    "Resource": "arn:aws:gamesparks:us-east-1:000000000000:game/Demo/stage/Dev" }] }
  END`,
    )
    .action(async () => {
      const options = command.opts<CreateOptions>();
      const { policy, description } = await readPolicy(world, options);
      if (options.printPolicy) {
        world.stdout.write(policy);
        return;
      }
      const { game, stage } = options;
      const { missing, ...key } = await administer(world, command, async ({ access, findMissing }) => {
        // The look-up comes first: if it failed, the secret of a key that is made already would never be shown.
        const missing = game === undefined ? undefined : await findMissing({ game, stage });
        return { missing, ...(await access.createKey({ policy, description })) };
      });
      const gap = { game: `there is no game "${game}"`, stage: `there is no stage "${stage}" in game "${game}"` };
      const idle = missing === undefined ? [] : [`${gap[missing]}: the key counts once there is one of this name`];
      const foreign = options.policy === undefined ? [] : warnOfForeign(policy, settingsOf(world, command));
      for (const warning of [...key.warnings, ...idle, ...foreign])
        world.stderr.write(`${printable(`warning: ${warning}`)}\n`);
      printSecret(world, key, options.json);
    });
  return addSettingOptions(command, ['dataDir']);
}

/** The policy document of the role or the file. Throws a CommandError (exit code 2) unless there is one of them. */
async function readPolicy(world: World, options: CreateOptions): Promise<{ policy: string; description: string }> {
  const { role, game, stage, policy: path, description } = options;
  if (path !== undefined)
    return { policy: await readInputText(world, path, '--policy'), description: description ?? '' };
  if (role === undefined) {
    throw new CommandError(`give the key a --role (${Object.keys(ROLES).join(', ')}) or a --policy`, { exitCode: 2 });
  }
  const policy = formatJson(policyOfRole(role, { game, stage }));
  return { policy, description: description ?? describeRole(role, { game, stage }) };
}

function listCommand(world: World): Command {
  const command = new Command('list')
    .description('List the access keys; secrets are never shown.')
    .option('--json', 'print a JSON array')
    .addHelpText(
      'after',
      `
ROLE is that of the policy, or "-" for a policy that somebody has written; SUBJECT is who has signed in to get the key.

Example:
  $ respark keys list --json`,
    )
    .action(async () => {
      const keys = await administer(world, command, ({ access }) => access.listKeys());
      const shown = keys.map(({ id, description, isRoot, policy, createdAt, expiresAt, state, subject }) => ({
        accessKeyId: id,
        state,
        isRoot,
        roles: isRoot ? [] : rolesOf(policy),
        created: new Date(createdAt).toISOString(),
        expires: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
        description,
        subject: subject ?? null,
      }));
      if (command.opts().json === true) {
        world.stdout.write(formatJson(shown));
        return;
      }
      const rows = shown.map(({ isRoot, ...key }) => [
        ...[key.accessKeyId, key.state, key.roles.join('+') || (isRoot ? 'root' : '-')],
        ...[key.created, key.expires ?? 'never', key.subject ?? '-'],
        isRoot ? 'root' : key.description,
      ]);
      const heads = ['ACCESS KEY', 'STATE', 'ROLE', 'CREATED', 'EXPIRES', 'SUBJECT', 'DESCRIPTION'];
      world.stdout.write(formatTable([heads, ...rows]));
    });
  return addSettingOptions(command, ['dataDir']);
}

function revokeCommand(world: World): Command {
  const command = new Command('revoke')
    .description('Revoke an access key permanently.')
    .argument('<id>', 'the access key id')
    .addHelpText('after', '\nExample:\n  $ respark keys revoke AKIAIOSFODNN7EXAMPLE')
    .action(async (id: string) => {
      await administer(world, command, ({ access }) => access.revokeKey(id));
      world.stdout.write(`revoked ${id}\n`);
    });
  return addSettingOptions(command, ['dataDir']);
}

function rotateRootCommand(world: World): Command {
  const command = new Command('rotate-root')
    .description('Replace the stored root key; the old one is revoked.')
    .option('--json', 'print { accessKeyId, secretAccessKey }')
    .addHelpText('after', '\nExample:\n  $ respark keys rotate-root')
    .action(async () => {
      const key = await administer(world, command, ({ access }) => access.rotateRoot());
      printSecret(world, key, command.opts().json === true);
    });
  return addSettingOptions(command, ['dataDir']);
}

const WHAT_ENDS = `What ends with the old secret key: the tokens of all players, so that everybody must sign in again and guests, whom
only their token names, come back as new players; the URLs of downloads; and the NextTokens of lists.
Access keys stay as they are. Anybody who had the old secret key and a copy of the data had their secrets too: replace them
with "keys create", "keys revoke" and "keys rotate-root". Backups made before need the old secret key.`;

function rotateSecretCommand(world: World): Command {
  const command = new Command('rotate-secret')
    .description('Replace the secret key that everything secret is encrypted with, while no server is running.')
    .option('--yes', 'do not ask first on a terminal')
    .option('--json', 'print { from, to }, the ids of the old and the new secret key')
    .addHelpText(
      'after',
      `
On a terminal the command says what ends and asks first; a script is not asked.
If the secret key is in the data directory, the new one is made there. If RESPARK_SECRET_KEY sets it, RESPARK_NEXT_SECRET_KEY
must be the new one, and RESPARK_SECRET_KEY must be set to it afterwards.
A rotation that is interrupted loses nothing: run the command again.

${WHAT_ENDS}

Example:
  $ respark keys rotate-secret`,
    )
    .action(async () => {
      const settings = settingsOf(world, command);
      const { yes, json } = command.opts<{ yes?: true; json?: true }>();
      // A script is not asked: its writer has read the help.
      const isAsked = !yes && world.stdin.isTTY === true;
      if (isAsked && !(await saysYes(world, `${WHAT_ENDS}\n\nReplace the secret key?`))) {
        throw new CommandError('the secret key was not replaced');
      }
      const log = createLog({ level: 'error', destination: { write: (line) => void world.stderr.write(line) } });
      const { replaceSecretKey } = await world.loadMain();
      const { from, to } = await replaceSecretKey({ settings, log });
      if (json) world.stdout.write(formatJson({ from, to }));
      else world.stdout.write(`replaced secret key ${from} by ${to}\n`);
      if (settings.secretKey !== undefined) {
        world.stderr.write('Now set RESPARK_SECRET_KEY to the key that is in RESPARK_NEXT_SECRET_KEY.\n');
      }
      if (!isAsked) world.stderr.write(`${WHAT_ENDS}\n`);
    });
  return addSettingOptions(command, ['dataDir']);
}

/** Prints the key to stdout, where scripts read it, and the warning to stderr. */
function printSecret(world: World, key: { accessKeyId: string; secretAccessKey: string }, isJson = false): void {
  const { accessKeyId, secretAccessKey } = key;
  if (isJson) {
    world.stdout.write(formatJson({ accessKeyId, secretAccessKey }));
    return;
  }
  world.stdout.write(
    formatTable([
      ['Access key id', accessKeyId],
      ['Secret access key', secretAccessKey],
    ]),
  );
  world.stderr.write('Save the secret now; it cannot be shown again.\n');
}
