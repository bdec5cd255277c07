import { GET_PLAYER_TOKEN } from '@respark/protocol';
import type { Log } from '../../log.ts';
import { andThen, type MaybePromise } from '../../maybe-promise.ts';
import { EMPTY_RUNTIME_ID, isNewerRuntime } from '../../runtime-id.ts';
import type { RenewToken } from '../players/token-renewal.ts';
import type { GameAnswers } from './game-answers.ts';
import { type Message, noHandler, type Outcome, type PlayerMessage, type RuntimeName } from './message.ts';
import { GAME_PREFIX } from './message-types.ts';

/**
 * What answers the messages of a stage, as one deployment made it. A connection holds the runtime that it opened on, for
 * good; the connections on one runtime hold the same object.
 */
export interface Runtime extends RuntimeName {
  /** Answers a request. A failure is a fault of the server, never of the player. */
  request(message: PlayerMessage): MaybePromise<Outcome>;
  /** Takes an event; an event that was handled has no answer. */
  event(message: Message): MaybePromise<Outcome>;
  /** Must be called after `isDropped` of a message that it was given has become true. */
  dropped(): void;
  /** Whether this node has heard of a newer runtime of the stage. */
  isOutdated(): boolean;
  /** Ends what one `enter` began. */
  leave(): void;
}

/**
 * The runtimes that connections of this node are on. A runtime exists here from its first connection to its last. After
 * that, an old one has ended, unless a hello that looked it up before the newest was deployed is still on its way.
 */
export interface Runtimes {
  /** Puts one connection on a runtime, until the runtime's `leave`. */
  enter(name: RuntimeName): Runtime;
  /** From now on the stage's connections open on this runtime. */
  deployed(stageId: string, runtimeId: string): void;
  /** The runtimes of the stage that connections of this node are on. */
  inUse(stageId: string): readonly string[];
  /** The number of runtimes; 0 when every player is gone. */
  readonly size: number;
}

interface StageRuntimes {
  newestId: string;
  /** Runtime id → the runtime and how many connections are on it, at least one. */
  readonly byId: Map<string, { readonly runtime: Runtime; connections: number }>;
}

export function createRuntimes({
  renewToken,
  answers,
  log,
}: {
  renewToken: RenewToken;
  answers: GameAnswers;
  log: Log;
}): Runtimes {
  /** Only stages that have connections. */
  const stages = new Map<string, StageRuntimes>();
  let size = 0;

  function create(name: RuntimeName): Runtime {
    const { id, stage } = name;
    const isAnswered = (type: string) => id !== EMPTY_RUNTIME_ID && type.startsWith(GAME_PREFIX);
    return {
      id,
      stage,
      request(message) {
        const { type } = message;
        if (type === GET_PLAYER_TOKEN) {
          const override = id === EMPTY_RUNTIME_ID ? undefined : answers.override(name, message);
          return andThen(override, (outcome) => outcome ?? renewToken(message.player, message.session));
        }
        return isAnswered(type) ? answers.request(name, message) : noHandler('request', type);
      },
      event: (message) => (isAnswered(message.type) ? answers.event(name, message) : noHandler('event', message.type)),
      dropped: () => answers.dropped(),
      isOutdated: () => isNewerRuntime(stages.get(stage.stageId)?.newestId ?? id, id),
      leave: () => leave(stage.stageId, id),
    };
  }

  function leave(stageId: string, id: string): void {
    const stage = stages.get(stageId);
    const entry = stage?.byId.get(id);
    if (stage === undefined || entry === undefined) throw new Error(`no connection is on runtime ${id}`);
    entry.connections -= 1;
    if (entry.connections > 0) return;
    stage.byId.delete(id);
    size -= 1;
    if (stage.byId.size === 0) stages.delete(stageId);
    if (id !== stage.newestId) log.info({ stageId, runtimeId: id }, 'old runtime ended with its last connection');
  }

  function deployed(stageId: string, id: string): void {
    const stage = stages.get(stageId);
    if (stage !== undefined && isNewerRuntime(id, stage.newestId)) stage.newestId = id;
    if (id !== EMPTY_RUNTIME_ID) void answers.prepare(stageId, id);
  }

  return {
    enter(name) {
      const { stageId } = name.stage;
      const stage = stages.get(stageId) ?? { newestId: name.id, byId: new Map() };
      stages.set(stageId, stage);
      const entry = stage.byId.get(name.id) ?? { runtime: create(name), connections: 0 };
      if (entry.connections === 0) {
        stage.byId.set(name.id, entry);
        size += 1;
        deployed(stageId, name.id);
      }
      entry.connections += 1;
      return entry.runtime;
    },
    deployed,
    inUse: (stageId) => [...(stages.get(stageId)?.byId.keys() ?? [])],
    get size() {
      return size;
    },
  };
}
