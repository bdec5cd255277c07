import type { Log } from '../../log.ts';

/** The runtime of a stage to which nothing has been deployed: it has no handlers of its own. */
export const EMPTY_RUNTIME_ID = 'empty';

/**
 * The runtimes that connections of this node are on. One is there from its first connection to its last. An old one has
 * then ended, but for a connection whose hello was looked up before the newest was deployed and that is still on its way.
 */
export interface Runtimes {
  /** A connection is on the runtime, until its `leave`. */
  enter(stageId: string, runtimeId: string): void;
  leave(stageId: string, runtimeId: string): void;
  /** The stage's connections open on this runtime from now on. */
  deployed(stageId: string, runtimeId: string): void;
  /** How many there are: none when every player is gone. */
  readonly size: number;
}

interface StageRuntimes {
  newestId: string;
  /** Runtime id → how many connections are on it, at least one. */
  readonly connections: Map<string, number>;
}

export function createRuntimes({ log }: { log: Log }): Runtimes {
  /** Only stages that have connections. */
  const stages = new Map<string, StageRuntimes>();
  let size = 0;

  function deployed(stageId: string, runtimeId: string): void {
    const stage = stages.get(stageId);
    if (stage !== undefined && isNewer(runtimeId, stage.newestId)) stage.newestId = runtimeId;
  }

  return {
    enter(stageId, runtimeId) {
      const stage = stages.get(stageId) ?? { newestId: runtimeId, connections: new Map<string, number>() };
      stages.set(stageId, stage);
      const count = stage.connections.get(runtimeId) ?? 0;
      stage.connections.set(runtimeId, count + 1);
      if (count === 0) size += 1;
      deployed(stageId, runtimeId);
    },
    leave(stageId, runtimeId) {
      const stage = stages.get(stageId);
      const count = stage?.connections.get(runtimeId);
      if (stage === undefined || count === undefined) throw new Error(`no connection is on runtime ${runtimeId}`);
      if (count > 1) {
        stage.connections.set(runtimeId, count - 1);
        return;
      }
      stage.connections.delete(runtimeId);
      size -= 1;
      if (stage.connections.size === 0) stages.delete(stageId);
      if (runtimeId !== stage.newestId) log.info({ stageId, runtimeId }, 'old runtime ended with its last connection');
    },
    deployed,
    get size() {
      return size;
    },
  };
}

/** Ids of runtimes are those of their deployments, in order of time; the empty one was there before any. */
function isNewer(id: string, other: string): boolean {
  return id !== EMPTY_RUNTIME_ID && (other === EMPTY_RUNTIME_ID || id > other);
}
