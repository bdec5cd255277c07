import type { Command } from 'commander';
import type { Operation } from '../api/operation.ts';
import { countConnections } from '../api/own-operations/online.ts';
import { addFilters, type FilterOptions, filtersOf } from './connection-filters.ts';
import type { ManagementClient } from './management-client.ts';
import { patiently } from './patiently.ts';
import { listAt, nextTokenIn, valueAt } from './reply.ts';
import { formatJson, formatTable } from './table.ts';
import type { World } from './world.ts';

/** Which stage is listed, and which of its players. */
export interface OnlineOptions extends FilterOptions {
  readonly game: string;
  readonly stage: string;
  readonly count?: true;
  readonly json?: true;
}

export function addOnlineFilters(command: Command): Command {
  return addFilters(command).option('--count', 'print how many there are instead');
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
    if (!options.count) for (const item of page) items.push(item);
    nextToken = nextTokenIn(reply, nextToken);
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
