import type { Command } from 'commander';
import { listBlocks, listBlocksInGame } from '../../api/own-operations/blocks.ts';
import { placeCommand, placeInput } from '../place-options.ts';
import { listAt, valueAt } from '../reply.ts';
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

export function blocksCommand(world: World): Command {
  return placeCommand('blocks', world, async (client, options) => {
    const operation = options.stage === undefined ? listBlocksInGame : listBlocks;
    const blocks: Listed[] = [];
    let nextToken: unknown;
    do {
      const more = nextToken === undefined ? {} : { NextToken: nextToken };
      const reply = await client.call(operation, { ...placeInput(options), ...more });
      blocks.push(...listAt<Listed>(reply, 'Blocks'));
      nextToken = valueAt(reply, ['NextToken']);
    } while (nextToken !== undefined);
    if (options.json) world.stdout.write(formatJson({ Blocks: blocks }));
    else if (blocks.length === 0) world.stdout.write('nobody is blocked\n');
    else world.stdout.write(formatTable([['PLAYER', 'STAGE', 'UNTIL', 'REASON', 'BY', 'SINCE'], ...blocks.map(rowOf)]));
  })
    .description('List who is blocked in a game, or in one stage.')
    .option('--stage <name>', 'name of the stage (default: the whole game and all its stages)')
    .addHelpText('after', '\nExample:\n  $ respark blocks --game Demo --stage Dev');
}

function rowOf({ PlayerId, StageName, Until, Reason, Actor, Created }: Listed): string[] {
  return [PlayerId ?? '', StageName ?? '(all)', Until ?? 'for good', Reason ?? '', Actor ?? '', Created ?? ''];
}
