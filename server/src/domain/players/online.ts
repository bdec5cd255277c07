import type { Clock } from '../../clock.ts';
import type { Cluster, DirectoryEntry, StageListing } from '../../cluster/cluster.ts';
import { type ConnectionSelector, createMatcher, withoutAddresses } from '../../connection-selector.ts';
import type { Log } from '../../log.ts';
import { createListShare, type ListTurn } from '../list-turns.ts';
import { orUnavailable } from '../or-unavailable.ts';
import type { Page, PageRequest, PageTokens } from '../pagination.ts';
import { getActiveStageInTime, type NamedStage, type StagesByName } from '../stages.ts';
import { type ConnectionFilter, currentRuntime, selectorOf } from './connection-filter.ts';
import { idsByOwner } from './disconnect.ts';

/** A player with at least one connection that the filter lets through; what is said of them is about those alone. */
export interface OnlinePlayer {
  readonly playerId: string;
  readonly connections: number;
  /** When the oldest was registered, milliseconds since 1970. */
  readonly since: number;
}

export interface OnlineConnection extends DirectoryEntry {
  readonly playerId: string;
  /** Empty when the node that owns the connection does not say it. */
  readonly addressGroup: string;
}

export interface OnlineCounts {
  readonly players: number;
  readonly connections: number;
  readonly byRuntime: ReadonlyMap<string, number>;
  readonly byNode: ReadonlyMap<string, number>;
  readonly currentRuntimeId: string;
}

/**
 * Who is connected to a stage. A player who is connected throughout is on exactly one page. A page ends early when the
 * filter lets few through: what a call costs does not grow with the stage. All throw `not_found` for a stage that is unknown or
 * being deleted, `validation` for a filter that cannot be read, and an `internal` that may be tried again when the directory,
 * or a node that must be asked, does not say who is there: never a shorter list.
 */
export interface Online {
  /** In order of their ids. */
  players(stage: NamedStage, filter: ConnectionFilter, page: PageRequest): Promise<Page<OnlinePlayer>>;
  /** In order of players and of connection ids, which is the order in which those were made. */
  connections(stage: NamedStage, filter: ConnectionFilter, page: PageRequest): Promise<Page<OnlineConnection>>;
  count(stage: NamedStage): Promise<OnlineCounts>;
}

const MAX_PAGE = 100;
/** Players who are read from the directory at once, and those that one call looks at. */
const BATCH = 100;
const MAX_EXAMINED = 1_000;
/** A node that is held up must not hold up the list. */
const ANSWER_MS = 2_000;
/** No character of an id comes before it, so behind an id come those that begin with the id and this. */
const BEHIND = '!';

/** Where a page begins: with this player, whose connections up to `after` were on the page before. */
interface Position {
  readonly from: string;
  readonly after?: string | undefined;
}

/** A player and those of the connections that the filter lets through, which are at least one. */
interface Found {
  readonly playerId: string;
  readonly connections: readonly Connection[];
}

type Connection = { -readonly [Member in keyof OnlineConnection]: OnlineConnection[Member] };

export function createOnline({
  store,
  cluster,
  pageTokens,
  clock,
  log,
  settings,
  turn,
}: {
  store: StagesByName;
  cluster: Pick<Cluster, 'listStage' | 'countStage' | 'request'>;
  pageTokens: PageTokens;
  clock: Clock;
  log: Pick<Log, 'debug'>;
  settings: { readonly disconnectDeadlineMs: number };
  turn: ListTurn;
}): Online {
  const timeoutMs = settings.disconnectDeadlineMs;
  const answerMs = Math.min(ANSWER_MS, timeoutMs);
  const share = createListShare(clock);
  const lookUpAddresses = createLookUpAddresses({ cluster, clock, log, timeoutMs: answerMs });

  const getStage = (named: NamedStage) => getActiveStageInTime({ store, timeoutMs, clock }, named);

  async function fromDirectory<T>(ask: () => T | Promise<T>): Promise<T> {
    return await orUnavailable('directory of connections', ask, timeoutMs, clock);
  }

  /**
   * One page of what `itemsOf` makes of each player. `position` is where the next page begins if it is to begin behind the
   * item.
   */
  async function page<T>(
    name: string,
    named: NamedStage,
    filter: ConnectionFilter,
    { maxResults = MAX_PAGE, nextToken }: PageRequest,
    list: {
      readonly showsAddresses: boolean;
      itemsOf(found: Found, position: Position): readonly T[];
      behind(item: T): Position;
    },
  ): Promise<Page<T>> {
    const stage = await getStage(named);
    const selector = selectorOf(filter, stage);
    const { showsAddresses } = list;
    const filterPlayers = createFilter(lookUpAddresses, { stageId: stage.id, selector, showsAddresses });
    // A deployment between two pages must not change what the list is of.
    const scope = `${name} ${stage.id} ${JSON.stringify(filter)}`;
    const start: Position = nextToken === undefined ? { from: '' } : parsePosition(pageTokens.open(nextToken, scope));
    const items: T[] = [];
    let from = start.from;
    const end = (position: Position) => ({ items, nextToken: pageTokens.seal(JSON.stringify(position), scope) });
    for (let examined = 0; examined < MAX_EXAMINED; examined += BATCH) {
      const request = { from, prefix: filter.playerIdPrefix, limit: BATCH };
      const { last: lastPlayer, found: players } = await share(stage.gameId, async () => {
        await turn();
        const listing = await fromDirectory(() => cluster.listStage(stage.id, request));
        return { last: listing.last, found: await filterPlayers(listing) };
      });
      for (const found of players) {
        for (const item of list.itemsOf(found, start)) {
          const last = items.at(-1);
          if (items.length === maxResults && last !== undefined) return end(list.behind(last));
          items.push(item);
        }
      }
      if (lastPlayer === undefined) return { items, nextToken: undefined };
      from = `${lastPlayer}${BEHIND}`;
    }
    return end({ from });
  }

  return {
    players: async (stage, filter, request) =>
      await page<OnlinePlayer>('ListPlayers', stage, filter, request, {
        showsAddresses: false,
        itemsOf: ({ playerId, connections }) => {
          const since = Math.min(...connections.map(({ createdAt }) => createdAt));
          return [{ playerId, connections: connections.length, since }];
        },
        behind: ({ playerId }) => ({ from: `${playerId}${BEHIND}` }),
      }),

    connections: async (stage, filter, request) =>
      await page<OnlineConnection>('ListConnections', stage, filter, request, {
        showsAddresses: true,
        itemsOf: ({ playerId, connections }, { from, after }) => {
          if (after === undefined || playerId !== from) return connections;
          return connections.filter(({ connectionId }) => connectionId > after);
        },
        behind: ({ playerId, connectionId }) => ({ from: playerId, after: connectionId }),
      }),

    async count(named) {
      const stage = await getStage(named);
      const { players, groups } = await share(stage.gameId, () => fromDirectory(() => cluster.countStage(stage.id)));
      const [byRuntime, byNode] = [new Map<string, number>(), new Map<string, number>()];
      let total = 0;
      for (const { node, runtimeId, connections } of groups) {
        total += connections;
        byRuntime.set(runtimeId, (byRuntime.get(runtimeId) ?? 0) + connections);
        byNode.set(node, (byNode.get(node) ?? 0) + connections);
      }
      return { players, connections: total, byRuntime, byNode, currentRuntimeId: currentRuntime(stage) };
    },
  };
}

/** Connection id → address group, as far as the owners say. With `isNeeded`, throws when one of them does not. */
type LookUpAddresses = (
  stageId: string,
  entries: readonly DirectoryEntry[],
  how: { readonly isNeeded: boolean },
) => Promise<ReadonlyMap<string, string>>;

function createLookUpAddresses({
  cluster,
  clock,
  log,
  timeoutMs,
}: {
  cluster: Pick<Cluster, 'request'>;
  clock: Clock;
  log: Pick<Log, 'debug'>;
  timeoutMs: number;
}): LookUpAddresses {
  return async (stageId, entries, { isNeeded }) => {
    const groups = new Map<string, string>();
    const askOwner = async ([node, connectionIds]: [string, readonly string[]]) => {
      const ask = () => cluster.request(node, 'describe_connections', { stageId, connectionIds }, timeoutMs);
      try {
        const { connections } = await orUnavailable(`node ${node}`, ask, timeoutMs, clock);
        for (const { connectionId, addressGroup } of connections) groups.set(connectionId, addressGroup);
      } catch (error) {
        if (isNeeded) throw error;
        log.debug({ err: error, node }, 'a node did not describe its connections');
      }
    };
    await Promise.all([...idsByOwner(entries)].map(askOwner));
    return groups;
  };
}

/** Makes of a part of the directory those players whom the filter lets through, each with the connections that it does. */
function createFilter(
  lookUpAddresses: LookUpAddresses,
  { stageId, selector, showsAddresses }: { stageId: string; selector: ConnectionSelector; showsAddresses: boolean },
): (listing: StageListing) => Promise<Found[]> {
  const isMeant = createMatcher(selector);
  const mayBeMeant = createMatcher(withoutAddresses(selector));
  const isNeeded = selector.addresses !== undefined;
  return async ({ players }) => {
    const found = players.flatMap(({ playerId, entries }): Found[] => {
      const connections: Connection[] = [];
      for (const { connectionId, node, createdAt, runtimeId } of entries) {
        // V8 takes many times as long for a copy of an entry with members added.
        const connection = { connectionId, playerId, node, createdAt, runtimeId, addressGroup: '' };
        if (mayBeMeant(connection)) connections.push(connection);
      }
      if (connections.length === 0) return [];
      return [{ playerId, connections: connections.sort((a, b) => (a.connectionId < b.connectionId ? -1 : 1)) }];
    });
    if (!isNeeded && !showsAddresses) return found;
    const known = found.flatMap(({ connections }) => connections);
    const groups = await lookUpAddresses(stageId, known, { isNeeded });
    for (const connection of known) connection.addressGroup = groups.get(connection.connectionId) ?? '';
    if (!isNeeded) return found;
    return found.flatMap(({ playerId, connections }) => {
      // The owner of a connection that it does not describe has it no longer.
      const meant = connections.filter((connection) => connection.addressGroup !== '' && isMeant(connection));
      return meant.length === 0 ? [] : [{ playerId, connections: meant }];
    });
  };
}

/** Only tokens that this list has sealed come this far. */
function parsePosition(text: string): Position {
  return JSON.parse(text) as Position;
}
