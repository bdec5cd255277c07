import type { Command } from 'commander';
import { getBlock, getBlockInGame, listBlocks, listBlocksInGame } from '../../api/own-operations/blocks.ts';
import type { ManagementClient } from '../management-client.ts';
import { type PlaceOptions, placeCommand, placeInput } from '../place-options.ts';
import { listAt, nextTokenIn, valueAt } from '../reply.ts';
import { formatJson, formatTable } from '../table.ts';
import type { World } from '../world.ts';

interface Listed {
  readonly PlayerId?: string;
  readonly StageName?: string;
  readonly Until?: string;
  readonly Reason?: string;
  readonly Actor?: string;
  readonly Created?: string;
}

const HEAD = ['PLAYER', 'STAGE', 'UNTIL', 'REASON', 'BY', 'SINCE'];

export function blocksCommand(world: World): Command {
  return placeCommand('blocks', world, async (client, options) => {
    if (options.player !== undefined) return await showBlock(world, client, options);
    const operation = options.stage === undefined ? listBlocksInGame : listBlocks;
    const blocks: Listed[] = [];
    let nextToken: unknown;
    do {
      const more = nextToken === undefined ? {} : { NextToken: nextToken };
      const reply = await client.call(operation, { ...placeInput(options), ...more });
      for (const block of listAt<Listed>(reply, 'Blocks')) blocks.push(block);
      nextToken = nextTokenIn(reply, nextToken);
    } while (nextToken !== undefined);
    if (options.json) world.stdout.write(formatJson({ Blocks: blocks }));
    else if (blocks.length === 0) world.stdout.write('nobody is blocked\n');
    else world.stdout.write(formatTable([HEAD, ...blocks.map(rowOf)]));
  })
    .description('List who is blocked in a game, or in one stage, or show the block of a player there.')
    .option('--stage <name>', 'name of the stage (default: the whole game and all its stages)')
    .option('--player <id>', 'id of the player, whose block --json shows with the evidence (default: everybody)')
    .addHelpText('after', '\nExample:\n  $ respark blocks --game Demo --stage Dev');
}

/** Fails where there is no block: of the whole game, or, with a stage, in that one alone. */
async function showBlock(world: World, client: ManagementClient, options: PlaceOptions): Promise<void> {
  const reply = await client.call(options.stage === undefined ? getBlockInGame : getBlock, placeInput(options));
  const block = Object(valueAt(reply, ['Block'])) as Listed;
  world.stdout.write(options.json ? formatJson(reply) : formatTable([HEAD, rowOf(block)]));
}

function rowOf({ PlayerId, StageName, Until, Reason, Actor, Created }: Listed): string[] {
  return [PlayerId ?? '', StageName ?? '(all)', Until ?? 'for good', Reason ?? '', Actor ?? '', Created ?? ''];
}
