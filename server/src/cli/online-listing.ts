import type { Command } from 'commander';
import type { Operation } from '../api/operation.ts';
import { countConnections } from '../api/own-operations/online.ts';
import { systemClock } from '../clock.ts';
import type { ManagementClient } from './management-client.ts';
import { patiently } from './patiently.ts';
import { listAt, valueAt } from './reply.ts';
import { formatJson, formatTable } from './table.ts';
import { parseSince } from './times.ts';
import type { World } from './world.ts';

/** Who of a stage is asked for. */
export interface OnlineOptions {
  readonly game: string;
  readonly stage: string;
  readonly prefix?: string;
  readonly node?: string;
  readonly runtime?: string;
  readonly since?: string;
  readonly before?: string;
  readonly address?: string;
  readonly count?: true;
  readonly json?: true;
}

/** Most runtimes are told apart by being the stage's or not. */
const RUNTIMES: Readonly<Record<string, string>> = { current: 'CURRENT', older: 'OLDER' };

export function addOnlineFilters(command: Command): Command {
  return command
    .option('--prefix <text>', 'only players whose ids begin with this')
    .option('--node <id>', 'only connections to this node, of those that "respark nodes" lists')
    .option('--runtime <id>', 'only connections on this runtime, on the "current" one of the stage, or on "older" ones')
    .option('--since <time>', 'only connections since then: a duration such as 30m, 1h or 2d, or an ISO 8601 time')
    .option('--before <time>', 'only connections from before then: a duration or a time')
    .option('--address <range>', 'only connections from this IP address or CIDR range')
    .option('--count', 'print how many there are instead');
}

function filtersOf({ prefix, node, runtime, since, before, address }: OnlineOptions): Record<string, string> {
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

export function hasFilter(options: OnlineOptions): boolean {
  return Object.keys(filtersOf(options)).length > 0;
}

/** Prints everybody whom the options ask for, or how many they are. */
export async function printOnline<Item>(
  world: World,
  client: ManagementClient,
  options: OnlineOptions,
  list: {
    readonly operation: Operation;
    /** The member of the reply that has the items. */
    readonly member: string;
    readonly head: readonly string[];
    rowOf(item: Item): readonly string[];
    /** What is said when there are no items. */
    readonly none: string;
  },
): Promise<void> {
  const { operation, member, head, rowOf, none } = list;
  const place = { GameName: options.game, StageName: options.stage };
  const filters = filtersOf(options);
  if (options.count && !hasFilter(options)) return await printCounts(world, client, options);
  const items: Item[] = [];
  let total = 0;
  let nextToken: unknown;
  do {
    const more = nextToken === undefined ? {} : { NextToken: nextToken };
    const reply = await patiently(() => client.call(operation, { ...place, ...filters, ...more }));
    const page = listAt<Item>(reply, member);
    total += page.length;
    if (!options.count) items.push(...page);
    nextToken = valueAt(reply, ['NextToken']);
  } while (nextToken !== undefined);
  if (options.count) world.stdout.write(options.json ? formatJson({ [member]: total }) : `${total}\n`);
  else if (options.json) world.stdout.write(formatJson({ [member]: items }));
  else if (items.length === 0) world.stdout.write(`${none}\n`);
  else world.stdout.write(formatTable([head, ...items.map(rowOf)]));
}

async function printCounts(world: World, client: ManagementClient, { game, stage, json }: OnlineOptions) {
  const reply = await client.call(countConnections, { GameName: game, StageName: stage });
  if (json) {
    world.stdout.write(formatJson(reply));
    return;
  }
  const countOf = (value: unknown, name = 'Connections') => String(valueAt(value, [name]));
  const current = valueAt(reply, ['CurrentRuntimeId']);
  const runtimes = listAt<{ RuntimeId: string }>(reply, 'Runtimes').map((one) => {
    const name = one.RuntimeId === current ? `${one.RuntimeId} (current)` : one.RuntimeId;
    return ['on runtime', name, countOf(one)];
  });
  const nodes = listAt<{ Node: string }>(reply, 'Nodes').map((one) => ['to node', one.Node, countOf(one)]);
  const head = [
    ['players', '', countOf(reply, 'Players')],
    ['connections', '', countOf(reply)],
  ];
  world.stdout.write(formatTable([...head, ...runtimes, ...nodes]));
}
