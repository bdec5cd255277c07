import { setTimeout as sleep } from 'node:timers/promises';
import { listStageLogLines } from '../api/own-operations/stage-logs.ts';
import { printable } from '../text.ts';
import type { ManagementClient } from './management-client.ts';
import { listAt, valueAt } from './reply.ts';
import { CommandError, type World } from './world.ts';

/** The most lines that one call returns. */
const MAX_PAGE = 100;
/** How often the log is looked at while it is followed. */
const FOLLOW_MS = 250;

/** A line as ListStageLogLines returns it. */
export interface LogLine {
  readonly Time: string;
  readonly Level: string;
  readonly Text: string;
  readonly Position: number;
  readonly PlayerId?: string;
  readonly MessageName?: string;
  readonly RequestId?: string;
}

/** Which lines are asked for. */
export interface LogQuery {
  readonly GameName: string;
  readonly StageName: string;
  readonly PlayerId?: string | undefined;
  readonly MessageName?: string | undefined;
  readonly MinLevel?: string | undefined;
  readonly Since?: string | undefined;
}

/** The newest lines, oldest first, and the position of the newest of them. */
export async function newestLines(
  client: ManagementClient,
  asked: LogQuery,
  limit: number,
): Promise<{ readonly lines: readonly LogLine[]; readonly cursor: number }> {
  const lines: LogLine[] = [];
  let after: unknown;
  while (lines.length < limit) {
    const MaxResults = Math.min(MAX_PAGE, limit - lines.length);
    const page = await client.call(listStageLogLines, { ...asked, Order: 'NEWEST_FIRST', MaxResults, After: after });
    for (const line of listAt<LogLine>(page, 'LogLines')) lines.push(line);
    const before = after;
    after = valueAt(page, ['Cursor']);
    if (valueAt(page, ['IsEnd']) === true) break;
    if (after === before)
      throw new CommandError('the reply has the same page again; is the endpoint a Respark server?');
  }
  return { lines: lines.reverse(), cursor: lines.at(-1)?.Position ?? 0 };
}

/** Shows each line behind the position as it comes, until it is over. */
export async function followLines(
  { client, world, isOver = () => false }: { client: ManagementClient; world: World; isOver?: () => boolean },
  asked: LogQuery,
  { cursor, show }: { cursor: number; show: (line: LogLine) => void },
): Promise<void> {
  for (let after = cursor; !isOver(); ) {
    const query = { ...asked, Since: undefined, Order: 'OLDEST_FIRST', MaxResults: MAX_PAGE, After: after };
    const page = await client.call(listStageLogLines, query);
    const missed = Number(valueAt(page, ['Missed']) ?? 0);
    if (missed > 0) world.stderr.write(`${missed} lines were dropped before they could be shown\n`);
    for (const line of listAt<LogLine>(page, 'LogLines')) show(line);
    after = Number(valueAt(page, ['Cursor']) ?? after);
    if (valueAt(page, ['IsEnd']) === true) await sleep(FOLLOW_MS);
  }
}

/** A line as people read it. All of it is made printable; the line breaks of what the script wrote stay. */
export function lineText({
  Time,
  Level = '-',
  PlayerId = '-',
  MessageName = '-',
  Text = '',
}: Partial<LogLine>): string {
  const [first = '', ...others] = Text.split('\n').map(printable);
  const head = printable(`${Time} ${Level.padEnd(5)} ${MessageName} ${PlayerId}`);
  return `${[`${head} ${first}`, ...others.map((line) => `    ${line}`)].join('\n')}\n`;
}
