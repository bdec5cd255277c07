import { type CloseFacts, type CloseName, closeCode } from '@respark/protocol';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import type { PlayerKey } from '../../player-key.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import type { EventLog, LoggedEvent, TrackedConnection } from '../../store/events/event-log.ts';
import type { RuntimeName } from '../runtime/message.ts';
import type { EventData, EventType } from './event-types.ts';
import type { Interest } from './interest.ts';

/** What has happened, as the code that knows of it says it. */
export interface NewEvent<Type extends EventType = EventType> {
  readonly type: Type;
  readonly gameName: string;
  readonly stageName?: string | undefined;
  readonly playerId?: string | undefined;
  readonly data: EventData<Type>;
}

/** A connection that has been welcomed. */
export interface EventConnection {
  readonly id: string;
  readonly player: PlayerKey | undefined;
  readonly runtime: Pick<RuntimeName, 'id' | 'stage'> | undefined;
  readonly lease: { readonly node: string } | undefined;
}

/** How a connection has ended: by this node, with the name of a close code, or by the player's side, with a code. */
export type ConnectionEnd =
  | {
      readonly name: CloseName;
      readonly text?: string | undefined;
      readonly facts?: CloseFacts | undefined;
      readonly reasonCode?: string | undefined;
    }
  | { readonly code: number };

export interface ConnectionEvents {
  /** Must be called once, with the welcome. */
  opened(connection: EventConnection): void;
  /** Must be called once for each connection that has opened, when it ends. */
  closed(connection: EventConnection, end: ConnectionEnd): void;
}

/**
 * Takes note of what happens in the games that somebody wants to hear of. For others it costs a look-up in memory. Never
 * throws and never waits: an event that cannot be kept is counted, and `events.lost` says so later.
 */
export interface Events {
  emit<Type extends EventType>(event: NewEvent<Type>): void;
  readonly connections: ConnectionEvents;
}

/** For a gateway whose connections are of no interest to anybody. */
export const NO_CONNECTION_EVENTS: ConnectionEvents = { opened() {}, closed() {} };

/** How far the wall clock may be set back before times follow it. */
const MAX_SET_BACK_MS = 60_000;

export function createEvents({
  eventLog,
  interest,
  cluster,
  clock,
  random,
  log,
  metrics,
}: {
  eventLog: Pick<EventLog, 'append'>;
  interest: Pick<Interest, 'find'>;
  cluster: { readonly node: string };
  clock: Pick<Clock, 'now'>;
  random: RandomBytes;
  log: Pick<Log, 'warn'>;
  metrics: Pick<Metrics, 'events'>;
}): Events {
  /** Connections whose opening is in the log, which must have their end there too → id of the game. */
  const open = new Map<string, string>();
  /** Game → events that could not be kept. */
  const lost = new Map<string, number>();
  let lastAt = 0;

  /** A clock that was set back a little must not put events before those that came before them. */
  function nextTime(): number {
    const now = clock.now();
    lastAt = lastAt > now && lastAt - now < MAX_SET_BACK_MS ? lastAt : now;
    return lastAt;
  }

  function toLogged({ type, gameName, stageName, playerId, data }: NewEvent): LoggedEvent {
    const at = nextTime();
    return {
      id: uuidV7(random, at),
      type,
      at,
      game: gameName,
      ...(stageName === undefined ? {} : { stage: stageName }),
      ...(playerId === undefined ? {} : { player: playerId }),
      node: cluster.node,
      data,
    };
  }

  function append(gameId: string, event: NewEvent, connection?: TrackedConnection): boolean {
    const count = lost.get(gameId);
    if (count !== undefined) {
      const gap: NewEvent<'events.lost'> = { type: 'events.lost', gameName: event.gameName, data: { count } };
      if (eventLog.append(gameId, toLogged(gap))) lost.delete(gameId);
    }
    const isKept = !lost.has(gameId) && eventLog.append(gameId, toLogged(event), connection);
    if (isKept) {
      metrics.events.emitted();
      return true;
    }
    if (!lost.has(gameId)) log.warn({ gameName: event.gameName }, 'events are lost: the journal of events is full');
    lost.set(gameId, (lost.get(gameId) ?? 0) + 1);
    metrics.events.lost(1);
    return false;
  }

  function nameOf({ player, runtime }: EventConnection) {
    const { gameName = '', stageName = '' } = runtime?.stage ?? {};
    return { gameName, stageName, playerId: player?.playerId };
  }

  return {
    emit(event) {
      const gameId = interest.find(event.gameName);
      if (gameId !== undefined) append(gameId, event);
    },

    connections: {
      opened(connection) {
        const { id, runtime, lease } = connection;
        const gameId = interest.find(runtime?.stage.gameName ?? '');
        if (gameId === undefined) return;
        const data = { connectionId: id, runtimeId: runtime?.id ?? '' };
        const tracked = { id, change: 'opened', owner: lease?.node ?? '' } as const;
        if (append(gameId, { type: 'connection.opened', ...nameOf(connection), data }, tracked)) open.set(id, gameId);
      },

      closed(connection, end) {
        const { id, runtime, lease } = connection;
        const opened = open.get(id);
        // Somebody may want to hear of it by now, and who heard of its beginning must hear of its end.
        const gameId = opened ?? interest.find(runtime?.stage.gameName ?? '');
        if (gameId === undefined) return;
        open.delete(id);
        const data = { connectionId: id, ...describeEnd(end), lastedMs: Math.max(0, clock.now() - timeOf(id)) };
        const tracked = opened === undefined ? undefined : ({ id, change: 'ended', owner: lease?.node ?? '' } as const);
        append(gameId, { type: 'connection.closed', ...nameOf(connection), data }, tracked);
      },
    },
  };
}

function describeEnd(end: ConnectionEnd) {
  if ('code' in end) return { code: end.code, close: 'client' };
  const { name, text, facts, reasonCode } = end;
  return {
    code: closeCode(name),
    close: name,
    ...(text === undefined ? {} : { reason: text }),
    ...(reasonCode === undefined ? {} : { reasonCode }),
    ...(facts?.requestId === undefined ? {} : { requestId: facts.requestId }),
  };
}

/** A connection's id, a UUIDv7, begins with the time at which its socket opened. */
function timeOf(connectionId: string): number {
  return Number.parseInt(connectionId.slice(0, 8) + connectionId.slice(9, 13), 16);
}

/** The end of a connection that the process which held it has not lived to see. */
export function endOfOrphan(opened: LoggedEvent, { at, random }: { at: number; random: RandomBytes }): LoggedEvent {
  const data: EventData<'connection.closed'> = {
    connectionId: String(opened.data.connectionId),
    code: closeCode('abnormal'),
    close: 'node_ended',
    reason: 'node ended',
  };
  return { ...opened, id: uuidV7(random, at), type: 'connection.closed', at: Math.max(at, opened.at), data };
}
