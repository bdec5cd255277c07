import type { ListedNode, NodeState } from '../../domain/nodes.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { integer, label, list, string, structure, timestamp } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

const STATES = {
  serving: 'SERVING',
  draining: 'DRAINING',
  silent: 'SILENT',
} as const satisfies Record<NodeState, string>;

const text = string({ min: 1, max: 2_048 });
const nodeId = string({ min: 1, max: 36, pattern: '^[a-z0-9-]+$' });

const node = structure({
  Connections: integer({ min: 0 }),
  Id: nodeId,
  Machine: text,
  Role: text,
  Started: timestamp(),
  State: string({ enum: Object.values(STATES) }),
  Url: text,
  Version: text,
});

export const listNodes = ownOperation({
  name: 'ListNodes',
  http: { method: 'GET', path: '/respark/node' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({}),
  output: structure({ Nodes: list(node) }, ['Nodes']),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Lists the nodes of the cluster in the order of their starts; a server without a cluster is one node. A node that has stopped is not listed any more, and one that was killed is for as long as its lease may run.',
    '`State` is `SERVING`, `DRAINING` while the node sends its players away, or `SILENT` when it does not answer within two seconds: it is dead, held up or cut off. `Url` and `Connections`, the number of players’ connections there, are missing then.',
    '`Role` is `both`, `gateway` or `management`. `Url` is where the node’s own listener for calls is, as seen from its machine.',
    '`Id` names one life of the node: a node that starts again, or has lost its lease, has another.',
    'It is an `InternalServerException` while the directory of the cluster is away. While that is recovering, for `RESPARK_RECOVERY_MS` after it has lost its memory, nodes that have not joined it yet are missing, though they may be alive.',
  ],
  async handler({ services }) {
    return { Nodes: (await services.clusterNodes.list()).map(toListed) };
  },
});

export const drainNode = ownOperation({
  name: 'DrainNode',
  http: { method: 'POST', path: '/respark/node/{NodeId}/drain' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ NodeId: label(nodeId) }, ['NodeId']),
  output: structure({}),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: () => [],
  auditResource: ({ NodeId }) => `node/${NodeId}`,
  decisions: [
    'Has the node stop as a `SIGTERM` does, and answers as soon as it has begun: the node refuses new players and calls, sends its players away with the close code 4000, lets calls in flight finish and ends with the exit code 0. Whatever supervises the process may start it again.',
    'Any node takes the call for any other. If the node does not answer, the call is an `InternalServerException`, and the node may drain all the same: ListNodes tells.',
  ],
  async handler({ input, services, change }) {
    await services.clusterNodes.drain(input.NodeId, change);
    return {};
  },
});

function toListed({ id, state, version, role, machine, startedAt, url, connections }: ListedNode) {
  return {
    Connections: connections,
    Id: id,
    Machine: machine,
    Role: role,
    Started: startedAt,
    State: STATES[state],
    Url: url,
    Version: version,
  };
}
