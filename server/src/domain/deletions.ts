import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Log } from '../log.ts';
import type { LeavingBar } from '../store/bars.ts';
import type { EventLog } from '../store/events/event-log.ts';
import type { PlayerData } from '../store/player-data/player-data.ts';
import type { StageLogs } from '../store/stage-logs/stage-logs.ts';
import type { Store } from '../store/store.ts';
import { type BackgroundWork, createBackground } from './background.ts';
import { everyGame } from './every-game.ts';
import { targetOf } from './players/bars/bars.ts';

const STAGES_AT_ONCE = 100;

/**
 * Removes what the store marks as DELETING: the players' connections first, then what cloud code has kept for the stage,
 * the row last, and after it what scripts have left meanwhile. A marked row stays marked until it is gone, so after a failure,
 * or a crash at any point, the whole deletion is simply done again.
 *
 * At most one deletion is under way for each marked row.
 */
export interface Deletions extends BackgroundWork {
  /** Resolves when the stage is gone, or after `disconnectDeadlineMs`: the deletion then goes on in the background. */
  deleteStage(stageId: string): Promise<void>;
  /** The same for a game, whose stages must all be marked too. */
  deleteGame(gameId: string): Promise<void>;
}

export interface DeletionsParts {
  readonly store: Store;
  readonly playerData: Pick<PlayerData, 'removeStage'>;
  readonly stageLogs: Pick<StageLogs, 'remove'>;
  readonly eventLog: Pick<EventLog, 'removeGame'>;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: { readonly disconnectDeadlineMs: number };
}

/** Resolves with whether the row is gone; false only when closing. */
type Deletion = Promise<boolean>;

export function createDeletions({
  store,
  playerData,
  stageLogs,
  eventLog,
  cluster,
  clock,
  log,
  settings,
}: DeletionsParts): Deletions {
  const background = createBackground({ clock, log, failure: 'deletion failed and will be tried again' });

  async function removeKept(stageId: string): Promise<void> {
    await playerData.removeStage(stageId);
    await stageLogs.remove(stageId);
  }

  /** The directory would keep those that have no end, of a stage that no player can enter any more. */
  async function forget(bars: readonly LeavingBar[]): Promise<void> {
    await Promise.all(bars.map(async (bar) => await cluster.liftBar(targetOf(bar), bar.version + 1)));
  }

  function stageDeletion(stageId: string): Deletion {
    return background.run(stageId, async () => {
      await cluster.closeStage(stageId, settings.disconnectDeadlineMs);
      await removeKept(stageId);
      // These would go with the row, all in one step, which holds everybody up.
      await store.deployments.removeAll(stageId);
      await store.runtimes.removeAll(stageId);
      const stage = await store.stages.findById(stageId);
      if (stage !== undefined) await store.bars.removeAll({ gameId: stage.gameId, stageId }, forget);
      await store.stages.remove(stageId);
      // A script that found the stage there before it was marked may have set data, or written lines, since then.
      await removeKept(stageId);
      return true;
    });
  }

  function gameDeletion(gameId: string): Deletion {
    return background.run(gameId, async () => {
      for (;;) {
        const stages = await store.stages.list(gameId, { limit: STAGES_AT_ONCE });
        if (stages.length === 0) break;
        const areGone = await Promise.all(stages.map((stage) => stageDeletion(stage.id)));
        if (areGone.includes(false)) return false;
      }
      await store.snapshots.removeAll(gameId);
      await store.bars.removeAll({ gameId }, forget);
      await eventLog.removeGame(gameId);
      await store.games.remove(gameId);
      return true;
    });
  }

  async function untilDeadline(deletion: Deletion): Promise<void> {
    let cancel = () => {};
    const deadline = new Promise<void>((resolve) => {
      cancel = clock.after(settings.disconnectDeadlineMs, resolve);
    });
    await Promise.race([deletion, deadline]);
    cancel();
  }

  return {
    name: 'deletions',
    deleteStage: (stageId) => untilDeadline(stageDeletion(stageId)),
    deleteGame: (gameId) => untilDeadline(gameDeletion(gameId)),
    async resume() {
      for (const stage of await store.stages.listDeleting()) void stageDeletion(stage.id);
      for await (const { id, state } of everyGame(store)) if (state === 'DELETING') void gameDeletion(id);
    },
    settled: background.settled,
    close: background.close,
  };
}
