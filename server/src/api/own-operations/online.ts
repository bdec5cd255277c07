import { COMMON_ERRORS } from '../operation.ts';
import { stageResource, stageTags } from '../operations/resources.ts';
import { connectionId, maxResults, nextToken, playerId } from '../operations/shapes.ts';
import { integer, list, query, string, structure, timestamp } from '../shape.ts';
import { stageMembers } from './block-shapes.ts';
import { actionsOfFilter, FILTERS, filterMembers, node, runtime, toFilter } from './connection-filters.ts';
import { ownOperation } from './own-operation.ts';
import { sharedTime } from './shared-time.ts';

const STAGE = '/respark/game/{GameName}/stage/{StageName}';
const IN_STAGE = ['GameName', 'StageName'] as const;

const filters = {
  Address: query(filterMembers.Address),
  ConnectedBefore: query(filterMembers.ConnectedBefore),
  ConnectedSince: query(filterMembers.ConnectedSince),
  MaxResults: query(maxResults),
  NextToken: query(nextToken),
  Node: query(node),
  PlayerIdPrefix: query(filterMembers.PlayerIdPrefix),
  RuntimeId: query(runtime),
};

const nameOf = ({ GameName, StageName }: { readonly GameName: string; readonly StageName: string }) => ({
  gameName: GameName,
  stageName: StageName,
});

const PAGES =
  'A call looks at about 1,000 players, so a page may have few entries, or none, although there are more: go on until there is no `NextToken`. A player who stays connected throughout is on exactly one page, and what a page costs does not grow with the stage.';
/** So a long list comes at the pace that leaves DisconnectPlayer its own. */
const TIME = sharedTime('pages and counts of who is online');
const AWAY =
  'It is a retryable `InternalServerException`, and never a shorter list, while the directory of the cluster is away or recovering, or a node of an earlier version is in it';

export const listPlayers = ownOperation({
  name: 'ListPlayers',
  http: { method: 'GET', path: `${STAGE}/player` },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ ...stageMembers, ...filters }, IN_STAGE),
  output: structure(
    {
      NextToken: nextToken,
      Players: list(structure({ Connections: integer({ min: 1 }), PlayerId: playerId, Since: timestamp() })),
    },
    ['Players'],
  ),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  furtherActions: actionsOfFilter,
  decisions: [
    'Lists the players who are connected to a stage, on all nodes, in order of their ids. With filters, those who have a connection that meets all of them; `Connections`, how many, and `Since`, the oldest one’s time, are about such connections alone.',
    FILTERS,
    PAGES,
    TIME,
    `${AWAY}; with \`Address\`, also when a node that owns connections does not answer. Connections of a node that was killed are listed until its lease has ended.`,
  ],
  async handler({ input, services }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.online.players(nameOf(input), toFilter(input), request);
    const players = page.items.map((player) => ({
      Connections: player.connections,
      PlayerId: player.playerId,
      Since: player.since,
    }));
    return { Players: players, NextToken: page.nextToken };
  },
});

export const listConnections = ownOperation({
  name: 'ListConnections',
  http: { method: 'GET', path: `${STAGE}/connection` },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ ...stageMembers, ...filters }, IN_STAGE),
  output: structure(
    {
      Connections: list(
        structure({
          AddressGroup: string({ min: 1, max: 64 }),
          Created: timestamp(),
          Id: connectionId,
          Node: node,
          PlayerId: playerId,
          RuntimeId: runtime,
        }),
      ),
      NextToken: nextToken,
    },
    ['Connections'],
  ),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Lists the connections to a stage, on all nodes, in order of player ids, and each player’s in the order in which they were made.',
    '`AddressGroup` is what the connection counts against: an IPv4 address, or the /64 of an IPv6 address. Only the node that owns the connection knows it, so it is missing where that node does not answer within two seconds. Addresses are personal data in many places: grant this action to whom they concern, and ListPlayers to others.',
    FILTERS,
    PAGES,
    TIME,
    `${AWAY}; with \`Address\`, also when a node that owns connections does not answer.`,
  ],
  async handler({ input, services }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.online.connections(nameOf(input), toFilter(input), request);
    const connections = page.items.map((connection) => ({
      AddressGroup: connection.addressGroup || undefined,
      Created: connection.createdAt,
      Id: connection.connectionId,
      Node: connection.node,
      PlayerId: connection.playerId,
      RuntimeId: connection.runtimeId,
    }));
    return { Connections: connections, NextToken: page.nextToken };
  },
});

const count = integer({ min: 0 });

export const countConnections = ownOperation({
  name: 'CountConnections',
  http: { method: 'GET', path: `${STAGE}/connection-count` },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(stageMembers, IN_STAGE),
  output: structure(
    {
      Connections: count,
      CurrentRuntimeId: runtime,
      Nodes: list(structure({ Connections: count, Node: node })),
      Players: count,
      Runtimes: list(structure({ Connections: count, RuntimeId: runtime })),
    },
    ['Connections', 'Nodes', 'Players', 'Runtimes'],
  ),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Counts the players and connections of a stage, and the connections on each runtime and on each node. It costs the same whatever their number.',
    'In a cluster each part of the directory is counted at a moment of its own. Connections of a node that has died are not counted once that is known; its players are until the directory has let go of them, which takes moments.',
    TIME,
    `${AWAY}.`,
  ],
  async handler({ input, services }) {
    const { players, connections, byRuntime, byNode, currentRuntimeId } = await services.online.count(nameOf(input));
    const inOrder = (counts: ReadonlyMap<string, number>) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      Connections: connections,
      CurrentRuntimeId: currentRuntimeId,
      Nodes: inOrder(byNode).map(([Node, Connections]) => ({ Node, Connections })),
      Players: players,
      Runtimes: inOrder(byRuntime).map(([RuntimeId, Connections]) => ({ RuntimeId, Connections })),
    };
  },
});
