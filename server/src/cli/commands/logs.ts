import { Command } from 'commander';
import { systemClock } from '../../clock.ts';
import { GAME_PREFIX } from '../../domain/runtime/message-types.ts';
import { followLines, type LogLine, type LogQuery, lineText, newestLines } from '../log-lines.ts';
import { addClientOptions, createClient } from '../management-client.ts';
import { formatJsonLine } from '../table.ts';
import { parseCount, parseSince } from '../times.ts';
import { CommandError, type World } from '../world.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 100_000;

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

interface Options {
  readonly game: string;
  readonly stage: string;
  readonly player?: string;
  readonly message?: string;
  readonly level?: string;
  readonly since?: string;
  readonly limit: string;
  readonly follow?: true;
  readonly json?: true;
}

export function logsCommand(world: World): Command {
  const command = new Command('logs')
    .description('Show what the scripts of a stage have written, and why they failed, oldest first.')
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--player <id>', 'only lines about messages of this player')
    .option('--message <name>', 'only lines about this message, such as Greet or Custom.Game.Greet')
    .option('--level <level>', `only lines of this level or a more severe one: ${LEVELS.join(', ')}`)
    .option('--since <time>', 'only lines since then: a duration such as 30m, 1h or 2d, or an ISO 8601 time')
    .option('--limit <number>', `show at most this many of the newest lines (1-${MAX_LIMIT})`, String(DEFAULT_LIMIT))
    .option('--follow', 'go on with new lines until Ctrl+C')
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'after',
      `
Example: watch what the scripts of the demo's stage write
  $ respark logs --game Demo --stage Dev --follow`,
    )
    .action(async () => {
      const options = command.opts<Options>();
      const asked = queryOf(options);
      const client = await createClient(world, command);
      const show = (line: LogLine) => {
        world.stdout.write(options.json === true ? formatJsonLine(line) : lineText(line));
      };
      const { lines, cursor } = await newestLines(client, asked, parseCount('--limit', options.limit, MAX_LIMIT));
      for (const line of lines) show(line);
      if (options.follow === true) {
        world.goesOnForEver();
        await followLines({ client, world }, asked, { cursor, show });
      } else if (lines.length === 0 && options.json !== true) world.stdout.write('no lines match\n');
    });
  return addClientOptions(command);
}

function queryOf({ game, stage, player, message, level, since }: Options): LogQuery {
  if (level !== undefined && !(LEVELS as readonly string[]).includes(level.toLowerCase())) {
    throw new CommandError(`--level must be one of ${LEVELS.join(', ')}, got "${level}"`, { exitCode: 2 });
  }
  return {
    GameName: game,
    StageName: stage,
    PlayerId: player,
    MessageName: message?.replace(GAME_PREFIX, ''),
    MinLevel: level?.toUpperCase(),
    Since: since === undefined ? undefined : new Date(parseSince(since, systemClock.now())).toISOString(),
  };
}
