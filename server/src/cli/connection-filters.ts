import type { Command } from 'commander';
import { systemClock } from '../clock.ts';
import { readInputText } from './files.ts';
import { parseSince } from './times.ts';
import { CommandError, type World } from './world.ts';

/** Which connections of a stage a command is about. */
export interface FilterOptions {
  readonly prefix?: string;
  readonly node?: string;
  readonly runtime?: string;
  readonly since?: string;
  readonly before?: string;
  readonly address?: string;
}

/** Says which players a command acts on. It must be said, even if it is everybody. */
export interface SelectorOptions extends FilterOptions {
  readonly everybody?: true;
  readonly players?: string;
  readonly beforeRuntime?: string;
}

/** Most runtimes are told apart by being the stage's or not. */
const RUNTIMES: Readonly<Record<string, string>> = { current: 'CURRENT', older: 'OLDER' };

export function addFilters(command: Command): Command {
  return command
    .option('--prefix <text>', 'only players whose ids begin with this')
    .option('--node <id>', 'only connections to this node, of those that "respark nodes" lists')
    .option('--runtime <id>', 'only connections on this runtime, on the "current" one of the stage, or on "older" ones')
    .option('--since <time>', 'only connections since then: a duration such as 30m, 1h or 2d, or an ISO 8601 time')
    .option('--before <time>', 'only connections from before then: a duration or a time')
    .option('--address <range>', 'only connections from this IP address or CIDR range');
}

export function addSelector(command: Command): Command {
  return addFilters(
    command
      .option('--everybody', 'all connections to the stage')
      .option('--players <file>', 'only these players: a file with one id a line, or - for stdin'),
  ).option('--before-runtime <id>', 'only connections on runtimes that are older than this deployment');
}

export function filtersOf({ prefix, node, runtime, since, before, address }: FilterOptions): Record<string, string> {
  const timeOf = (text: string, option: string) => new Date(parseSince(text, systemClock.now(), option)).toISOString();
  return {
    ...(prefix !== undefined && { PlayerIdPrefix: prefix }),
    ...(node !== undefined && { Node: node }),
    ...(runtime !== undefined && { RuntimeId: RUNTIMES[runtime] ?? runtime }),
    ...(since !== undefined && { ConnectedSince: timeOf(since, '--since') }),
    ...(before !== undefined && { ConnectedBefore: timeOf(before, '--before') }),
    ...(address !== undefined && { Address: address }),
  };
}

export function hasSelector({ everybody, players, beforeRuntime, ...filters }: SelectorOptions): boolean {
  return (everybody ?? players ?? beforeRuntime) !== undefined || Object.keys(filtersOf(filters)).length > 0;
}

/** Throws a CommandError (exit code 2) when the options select no connections, or both all and only some. */
export async function selectorOf(options: SelectorOptions, world: World): Promise<Readonly<Record<string, unknown>>> {
  const { everybody, players, beforeRuntime } = options;
  const selector = {
    ...(everybody && { Everybody: true }),
    ...(players !== undefined && { PlayerIds: await readPlayers(world, players) }),
    ...(beforeRuntime !== undefined && { BeforeRuntimeId: beforeRuntime }),
    ...filtersOf(options),
  };
  const count = Object.keys(selector).length;
  if (count === 0) {
    throw new CommandError('say who is meant: --everybody, --players FILE or a filter such as --runtime older', {
      exitCode: 2,
    });
  }
  if (everybody && count > 1) {
    throw new CommandError('--everybody goes with no filter: leave it out, or the filter', { exitCode: 2 });
  }
  return selector;
}

async function readPlayers(world: World, file: string): Promise<readonly string[]> {
  const text = await readInputText(world, file, '--players');
  const ids = text.split('\n').map((line) => line.trim());
  const players = [...new Set(ids.filter((id) => id !== ''))];
  if (players.length > 0) return players;
  throw new CommandError(`--players: there is no id in ${file === '-' ? 'stdin' : file}`);
}
