import type { EventsAsked } from '../../domain/events/event-records.ts';
import { COMMON_ERRORS, StreamedOutput } from '../operation.ts';
import { gameResource, gameTags } from '../operations/resources.ts';
import { gameName, maxResults, playerId, stageName } from '../operations/shapes.ts';
import { boolean, document, integer, label, list, query, string, structure, timestamp } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

const text = string({ min: 1, max: 2_048 });
const types = string({ min: 1, max: 1_024, pattern: '^[a-z._]+(,[a-z._]+)*$' });
const MAX_PAGE = 100;

const filter = {
  After: query(integer({ min: 0 })),
  GameName: label(gameName),
  PlayerId: query(playerId),
  Since: query(timestamp()),
  StageName: query(stageName),
  Types: query(types),
};

const event = structure({
  Data: document(),
  Game: text,
  Id: text,
  Node: text,
  Player: playerId,
  Position: integer({ min: 0 }),
  Stage: text,
  Time: timestamp(),
  Type: text,
});

interface Input {
  readonly After?: number | undefined;
  readonly PlayerId?: string | undefined;
  readonly Since?: number | undefined;
  readonly StageName?: string | undefined;
  readonly Types?: string | undefined;
}

function toAsked({ After, PlayerId, Since, StageName, Types }: Input): EventsAsked {
  return {
    ...{ after: After, since: Since, playerId: PlayerId },
    stages: StageName === undefined ? [] : [StageName],
    types: Types?.split(',') ?? [],
  };
}

const ORDER =
  'Events are in the order in which they arrived in the log that all nodes share: those of one node in the order in which they happened, and those of several nodes within about a second of it.';

export const listEvents = ownOperation({
  name: 'ListEvents',
  http: { method: 'GET', path: '/respark/game/{GameName}/event' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ ...filter, MaxResults: query(maxResults) }, ['GameName']),
  output: structure({
    Cursor: integer({ min: 0 }),
    Events: list(event),
    IsEnd: boolean(),
    Missed: integer({ min: 0 }),
  }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'Lists what is kept of a game’s events, the oldest first, in pages: the next is asked for with `Cursor` as `After`. Events are recorded only while the game has a webhook, enabled or not, or somebody watches it.',
    ORDER,
    '`Types` are separated by commas. `Missed` is how many events behind `After` were dropped before they could be read. One call examines about 2,000 events, so a page may have few of them, or none, and not be the end. With a filter, or `Since`, it takes a share of a node’s time, and is a `ThrottlingException` while too many wait.',
  ],
  async handler({ input, services }) {
    const page = await services.eventRecords.list(input.GameName, {
      ...toAsked(input),
      limit: input.MaxResults ?? MAX_PAGE,
    });
    return {
      Cursor: page.cursor,
      Events: page.events.map(({ position, event: { id, type, at, game, stage, player, node, data } }) => ({
        ...{ Id: id, Type: type, Time: at, Game: game, Stage: stage, Player: player, Node: node },
        ...{ Position: position, Data: JSON.stringify(data) },
      })),
      IsEnd: page.isEnd,
      Missed: page.missed,
    };
  },
});

export const watchEvents = ownOperation({
  name: 'WatchEvents',
  http: { method: 'GET', path: '/respark/game/{GameName}/event-stream' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(filter, ['GameName']),
  output: structure({}),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  decisions: [
    'Answers with server-sent events (`text/event-stream`), which go on until the client goes away: the event’s type as `event`, its position in the log as `id`, and the same JSON that webhooks get as `data`. Without `After` or `Since` the stream begins with what happens from now on.',
    'The header `Last-Event-ID`, which must be signed, or `After`, goes on behind that position. When events behind it were dropped, `events.lost` says how many.',
    'A comment comes at least every fifteen seconds. An event of type `end` with `{"reason": "…"}` says why the server ends a stream: `draining`, `slow` for a watcher that has taken nothing for half a minute, or `access` within about a second when the access key was revoked or its policy no longer allows the call, and `deleted` when the game is gone; a later game of its name is another one.',
    'A node has at most `RESPARK_EVENTS_MAX_WATCHERS` streams, ten of them of one access key, and nineteen of twenty of one game; another one is a ThrottlingException. What a stream writes counts as bytes of replies of its key, and it waits while the key has had half of those that it may have at once.',
    'On other nodes of a cluster a game is recorded from about a second after its first watcher has come.',
    ORDER,
  ],
  async handler({ input, services, header, principal }) {
    const last = header('last-event-id');
    const after = last !== undefined && /^\d{1,15}$/.test(last) ? Number(last) : input.After;
    const watch = await services.eventRecords.watch(
      input.GameName,
      toAsked({ ...input, After: after }),
      principal.holder,
    );
    return new StreamedOutput((sink) => watch.start(sink));
  },
});
