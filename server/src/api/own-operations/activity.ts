import type { ActivityStep } from '../../activity.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { boolean, integer, list, query, string, structure, timestamp } from '../shape.ts';
import { ownOperation } from './own-operation.ts';
import { sharedTime } from './shared-time.ts';

const count = integer({ min: 0 });

const step = structure({
  Connections: count,
  Disconnected: count,
  DurationMs: count,
  Failed: count,
  Messages: count,
  MicrosecondsHalf: count,
  MicrosecondsMost: count,
  Opened: count,
  Time: timestamp(),
});

export const listActivity = ownOperation({
  name: 'ListActivity',
  http: { method: 'GET', path: '/respark/activity' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ After: query(timestamp()) }),
  output: structure(
    {
      Nodes: list(
        structure({ IsKnown: boolean(), Node: string({ min: 1, max: 64 }), Steps: list(step) }, [
          'IsKnown',
          'Node',
          'Steps',
        ]),
      ),
    },
    ['Nodes'],
  ),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Lists what has happened on each node in the last hour, in steps of about ten seconds, the oldest first: of all games and stages together. `After` leaves out what ended before. A node that was started since remembers only what came after, and one that does not answer within two seconds has `IsKnown` false and no steps.',
    '`Connections` are those that were open at the end of the step; `Opened`, `Messages`, `Failed` and `Disconnected` count what happened in it. `Failed` are messages that were not answered with `ok`, and `Disconnected` connections that DisconnectPlayer has closed.',
    '`MicrosecondsHalf` and `MicrosecondsMost` are the time within which half of the messages of the step were answered, and 95 of 100; they are missing where there were none. They are read off a histogram, so they are as exact as its buckets.',
    sharedTime('such calls', 'Callers'),
    'It is an `InternalServerException` while the directory of the cluster is away. While that is recovering, nodes that have not joined it yet are missing.',
  ],
  async handler({ input, services, principal }) {
    const nodes = await services.clusterActivity.list(input.After ?? 0, principal.holder);
    return {
      Nodes: nodes.map(({ node, steps }) => ({
        IsKnown: steps !== undefined,
        Node: node,
        Steps: (steps ?? []).map(toStep),
      })),
    };
  },
});

function toStep({ at, ms, connections, opened, messages, failed, disconnected, p50Ms, p95Ms }: ActivityStep) {
  return {
    Connections: connections,
    Disconnected: disconnected,
    DurationMs: ms,
    Failed: failed,
    Messages: messages,
    MicrosecondsHalf: p50Ms === undefined ? undefined : Math.round(p50Ms * 1_000),
    MicrosecondsMost: p95Ms === undefined ? undefined : Math.round(p95Ms * 1_000),
    Opened: opened,
    Time: at,
  };
}
