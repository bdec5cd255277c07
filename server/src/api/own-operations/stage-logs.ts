import type { LogLine } from '../../domain/stage-log-lines.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { stageResource, stageTags } from '../operations/resources.ts';
import { gameName, maxResults, playerId, stageName } from '../operations/shapes.ts';
import { boolean, integer, label, list, query, string, structure, timestamp } from '../shape.ts';
import { ownOperation } from './own-operation.ts';
import { sharedTime } from './shared-time.ts';

const LEVELS = { debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;

const text = string({ min: 0, max: 65_536 });
const level = string({ enum: Object.values(LEVELS) });
const messageName = string({ min: 1, max: 64 });

const line = structure({
  Level: level,
  MessageName: text,
  PlayerId: playerId,
  Position: integer({ min: 0 }),
  RequestId: text,
  Text: text,
  Time: timestamp(),
});

export const listStageLogLines = ownOperation({
  name: 'ListStageLogLines',
  http: { method: 'GET', path: '/respark/game/{GameName}/stage/{StageName}/log-line' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(
    {
      After: query(integer({ min: 0 })),
      GameName: label(gameName),
      MaxResults: query(maxResults),
      MessageName: query(messageName),
      MinLevel: query(level),
      Order: query(string({ enum: ['NEWEST_FIRST', 'OLDEST_FIRST'] })),
      PlayerId: query(playerId),
      Since: query(timestamp()),
      StageName: label(stageName),
      Until: query(timestamp()),
    },
    ['GameName', 'StageName'],
  ),
  output: structure({
    Cursor: integer({ min: 0 }),
    IsEnd: boolean(),
    LogLines: list(line),
    Missed: integer({ min: 0 }),
  }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Lists what the scripts of a stage have written, and what the server wrote about them: why a script failed and where, or what it did wrong. Lines are listed newest first unless `Order` says otherwise.',
    'The next page is asked for with `Cursor` as `After`. With `OLDEST_FIRST` that follows the log: `IsEnd` says that there was nothing further, and `Missed` how many lines behind `After` were dropped before they could be read, because a stage keeps only so many.',
    'One call examines at most 5,000 lines, so a page may have few lines, or none, and not be the end.',
    sharedTime('calls with `PlayerId`, `MessageName`, `MinLevel`, `Since` or `Until`'),
  ],
  async handler({ input, services }) {
    const page = await services.stageLogLines.list(input.GameName, input.StageName, {
      order: input.Order === 'OLDEST_FIRST' ? 'oldest_first' : 'newest_first',
      after: input.After,
      limit: input.MaxResults ?? MAX_PAGE,
      minLevel: levelOf(input.MinLevel),
      playerId: input.PlayerId,
      message: input.MessageName,
      since: input.Since,
      until: input.Until,
    });
    return { Cursor: page.cursor, IsEnd: page.isEnd, LogLines: page.lines.map(toLine), Missed: page.missed };
  },
});

const MAX_PAGE = 100;

function levelOf(name: string | undefined): LogLine['level'] | undefined {
  return (Object.keys(LEVELS) as LogLine['level'][]).find((key) => LEVELS[key] === name);
}

function toLine({ position, at, level, text, playerId, handler, requestId }: LogLine) {
  return {
    Level: LEVELS[level],
    MessageName: handler,
    PlayerId: playerId,
    Position: position,
    RequestId: requestId,
    Text: text,
    Time: at,
  };
}
