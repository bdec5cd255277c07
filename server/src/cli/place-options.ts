import { Command } from 'commander';
import { addClientOptions, createClient, type ManagementClient } from './management-client.ts';
import { timeIn } from './times.ts';
import { CommandError, type World } from './world.ts';

const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** What the commands about blocks and closures are told. */
export interface PlaceOptions {
  readonly game: string;
  readonly stage?: string;
  readonly player?: string;
  readonly for?: string;
  readonly until?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly evidence?: string;
  readonly keepConnections?: true;
  readonly sendAway?: true;
  readonly json?: true;
}

/** A command that makes signed calls about a game, or a stage of it. */
export function placeCommand(
  name: string,
  world: World,
  action: (client: ManagementClient, options: PlaceOptions) => Promise<void>,
): Command {
  const command = new Command(name)
    .requiredOption('--game <name>', 'name of the game')
    .option('--json', "print the server's reply")
    .action(async () => await action(await createClient(world, command), command.opts<PlaceOptions>()));
  return addClientOptions(command);
}

export function addDuration(command: Command): Command {
  return command
    .option('--for <duration>', 'how long: a duration such as 30m, 2h or 7d')
    .option('--until <time>', 'until when: a time such as 2026-01-31T12:00:00Z');
}

export function addWording(command: Command): Command {
  return command
    .option('--reason <code>', 'a code of the game’s for its client, 1-64 characters')
    .option('--message <text>', 'what players are told')
    .option('--evidence <text>', 'what staff should know');
}

/** The names in the paths of operations. */
export function placeInput({ game, stage, player }: PlaceOptions) {
  return {
    GameName: game,
    ...(stage !== undefined && { StageName: stage }),
    ...(player !== undefined && { PlayerId: player }),
  };
}

export function wordingInput({ reason, message, evidence }: PlaceOptions) {
  return {
    ...(reason !== undefined && { Reason: reason }),
    ...(message !== undefined && { Message: message }),
    ...(evidence !== undefined && { Evidence: evidence }),
  };
}

/** Throws a CommandError (exit code 2) for anything but a duration or a time, or for both. */
export function durationInput({ for: lasting, until }: PlaceOptions) {
  if (lasting !== undefined && until !== undefined) {
    throw new CommandError('--for and --until both say when it ends: give one of them', { exitCode: 2 });
  }
  if (lasting !== undefined) return { Seconds: secondsOf(lasting) };
  if (until === undefined) return {};
  const time = timeIn(until);
  if (!Number.isNaN(time)) return { Until: new Date(time).toISOString() };
  throw new CommandError(`--until must be a time such as 2026-01-31T12:00:00Z, got "${until}"`, { exitCode: 2 });
}

function secondsOf(text: string): number {
  const [, count, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
  if (seconds > 0) return seconds;
  throw new CommandError(`--for must be a duration such as 30m, 2h or 7d, got "${text}"`, { exitCode: 2 });
}
