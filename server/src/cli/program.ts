import { Command, CommanderError } from 'commander';
import { SettingsError } from '../config/config.ts';
import { ServiceError } from '../errors.ts';
import { describeFileFault, findFileFault } from '../file-fault.ts';
import { StartupError } from '../startup-error.ts';
import { printable } from '../text.ts';
import { apiCommand } from './commands/api.ts';
import { auditCommand } from './commands/audit.ts';
import { awsModelCommand } from './commands/aws-model.ts';
import { backupCommand } from './commands/backup.ts';
import { blockCommand } from './commands/block.ts';
import { blocksCommand } from './commands/blocks.ts';
import { configCommand } from './commands/config.ts';
import { connectCommand } from './commands/connect.ts';
import { connectionsCommand } from './commands/connections.ts';
import { consoleCommand } from './commands/console.ts';
import { deployCommand } from './commands/deploy.ts';
import { devCommand } from './commands/dev.ts';
import { disconnectCommand } from './commands/disconnect.ts';
import { doctorCommand } from './commands/doctor.ts';
import { drainCommand } from './commands/drain.ts';
import { envCommand } from './commands/env.ts';
import { eventsCommand } from './commands/events.ts';
import { exportCommand } from './commands/export.ts';
import { generateCommand } from './commands/generate.ts';
import { healthCommand } from './commands/health.ts';
import { identityCommand } from './commands/identity.ts';
import { importCommand } from './commands/import.ts';
import { jobsCommand } from './commands/jobs.ts';
import { keysCommand } from './commands/keys.ts';
import { kickCommand } from './commands/kick.ts';
import { logsCommand } from './commands/logs.ts';
import { maintenanceCommand } from './commands/maintenance.ts';
import { migrateCommand } from './commands/migrate.ts';
import { nodesCommand } from './commands/nodes.ts';
import { notifyCommand } from './commands/notify.ts';
import { packCommand } from './commands/pack.ts';
import { playerDataCommand } from './commands/player-data.ts';
import { playersCommand } from './commands/players.ts';
import { receiptCommand } from './commands/receipt.ts';
import { rehearseCommand } from './commands/rehearse.ts';
import { restoreCommand } from './commands/restore.ts';
import { revokeTokensCommand } from './commands/revoke-tokens.ts';
import { sendCommand } from './commands/send.ts';
import { serveCommand } from './commands/serve.ts';
import { storeCommand } from './commands/store.ts';
import { tokenCommand } from './commands/token.ts';
import { unblockCommand } from './commands/unblock.ts';
import { unpackCommand } from './commands/unpack.ts';
import { webhooksCommand } from './commands/webhooks.ts';
import { CommandError, type World } from './world.ts';

/**
 * Runs one command line (without the program's own name) and resolves to the exit code: 0 = success, 1 = the command
 * failed, 2 = the command line or a setting is wrong. Never rejects: errors are on stderr.
 */
export async function run(args: readonly string[], world: World): Promise<number> {
  try {
    await createProgram(world).parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    world.stderr.write(`${describe(error)}\n`);
    if (error instanceof CommandError) return error.exitCode;
    return error instanceof SettingsError ? 2 : 1;
  }
}

export function createProgram(world: World): Command {
  const program = new Command('respark')
    // What follows the name of a command is for that command, so that one with options may have others below it.
    .enablePositionalOptions()
    .description('A self-hosted game backend runtime that speaks the Amazon GameSparks API.')
    .version(world.version)
    .addHelpText(
      'after',
      `
Example: start a server with a demo game, and connect a player to it in another terminal
  $ respark serve --demo
  $ respark connect

Exit codes: 0 success; 1 the command failed; 2 the command line or a setting is wrong.
Settings are flags of "serve" or RESPARK_… variables; "respark config print" shows them all.`,
    );
  for (const create of [
    serveCommand,
    connectCommand,
    disconnectCommand,
    jobsCommand,
    kickCommand,
    connectionsCommand,
    playersCommand,
    playerDataCommand,
    tokenCommand,
    identityCommand,
    blockCommand,
    unblockCommand,
    blocksCommand,
    revokeTokensCommand,
    maintenanceCommand,
    notifyCommand,
    importCommand,
    deployCommand,
    devCommand,
    sendCommand,
    rehearseCommand,
    logsCommand,
    exportCommand,
    generateCommand,
    unpackCommand,
    packCommand,
    apiCommand,
    envCommand,
    consoleCommand,
    awsModelCommand,
    keysCommand,
    auditCommand,
    receiptCommand,
    eventsCommand,
    webhooksCommand,
    nodesCommand,
    drainCommand,
    backupCommand,
    restoreCommand,
    migrateCommand,
    storeCommand,
    configCommand,
    doctorCommand,
    healthCommand,
  ]) {
    program.addCommand(create(world));
  }
  forEachCommand(program, nameUnknownFirst);
  forEachCommand(program, (command) =>
    command.exitOverride().configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
      // An error and commander's suggestion of what was meant are put on one line.
      outputError: (text, write) => write(`${printable(text.trim().replace(/\s+/g, ' '))} (--help shows the usage)\n`),
    }),
  );
  return program;
}

/** An option that is missing may be the one that is misspelled, so commander is to speak of that first. */
function nameUnknownFirst(command: Command): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (args) => {
    const parsed = parse(args);
    // What a command with others below it does not know is theirs.
    if (command.commands.length === 0 && parsed.unknown.length > 0)
      for (const option of command.options) option.makeOptionMandatory(false);
    return parsed;
  };
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

/** What to say of an error. Something that somebody else has written may be in it, such as the number that a reply has. */
function describe(error: unknown): string {
  return wordsFor(error).split('\n').map(printable).join('\n');
}

/** An expected error is its message alone; anything else is a bug, and its stack is worth reporting. */
function wordsFor(error: unknown): string {
  const isExpected = error instanceof CommandError || error instanceof StartupError || error instanceof ServiceError;
  if (isExpected) return error.message;
  const { path } = Object(error) as { path?: unknown };
  // A file fails for what an operator can mend, wherever a command meets it.
  if (typeof path === 'string' && findFileFault(error) !== undefined) {
    return `cannot use ${path}: ${describeFileFault(error)}`;
  }
  return `unexpected failure, please report it: ${error instanceof Error ? error.stack : String(error)}`;
}
