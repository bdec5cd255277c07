import { type Clock, passed, withTimeout } from '../../../clock.ts';
import type { BarTarget, Cluster, Lifting, Standing } from '../../../cluster/cluster.ts';
import { ServiceError } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import { createSettledTime } from '../../../settled-time.ts';
import type { BarRecord } from '../../../store/bars.ts';
import type { Store } from '../../../store/store.ts';
import { type BackgroundWork, createBackground } from '../../background.ts';
import { createGameTurns } from '../../game-turns.ts';
import type { Disconnect, DisconnectResult } from '../disconnect.ts';
import { farewellOfBar, markerOf } from './bars.ts';

/** How often a node looks for bars that no node has brought to the directory yet, and for those that have ended. */
const LOOK_PERIOD_MS = 10_000;
/** A bar that has ended is kept for so long, for those who want to know why a player could not connect. */
const ENDED_KEPT_MS = 3_600_000;
/** The clock must have said for so long that it has ended: it may be set back. */
const CLOCK_HELD_MS = 1_800_000;
const LOOKED_AT_ONCE = 100;
/** To remove these takes a few milliseconds, in which a single node does nothing else. */
const REMOVED_AT_ONCE = 100;
/** What one key may set in a second is removed in a tenth of it. */
const REMOVAL_PAUSE_MS = 20;
const STAGES_AT_ONCE = 20;

/** Names the removal among what is under way, where no bar has such a name. */
const REMOVAL = 'the removal of bars that have ended';

const NOBODY: DisconnectResult = { successes: [], failures: [] };

/** What the result of one that brings a bar has. */
interface Detail {
  /** Whether it has the outcome of each connection, where the bar is about a player in one stage. */
  readonly isDetailed?: boolean | undefined;
  /** Whether the bar was brought before, so that players whom a revocation lets in may be connected by now, and must stay. */
  readonly isRepeated?: boolean;
}

/**
 * Brings bars from the store to the directory. The order makes what is promised: a bar is stored, then acknowledged by the
 * directory, and only then the player's connections are listed and ended. So each connection that registered before is in
 * the list, and none registers later. A bar that is lifted is marked in the store, lifted in the directory, and only then
 * removed: as long as the directory does not know, the store does.
 */
export interface BarEnforcement extends BackgroundWork {
  /** Looks for what is left again and again from now on, until `close`. */
  start(): void;
  /** The present era and incarnation. Must be taken before the bar is read or written. */
  standing(): Standing;
  /**
   * Brings what was just written. Throws an `internal` that may be tried again when the directory does not take it in time;
   * the nodes then go on by themselves.
   */
  bring(record: BarRecord, asOf: Standing, detail?: Detail): Promise<DisconnectResult>;
  /** Has the directory forget a bar of an earlier version that the store does not have. Throws as `bring` does. */
  forget(target: BarTarget, version: number): Promise<Lifting>;
}

export function createBarEnforcement({
  store,
  cluster,
  disconnect,
  clock,
  log,
  settings,
}: {
  store: { readonly bars: Store['bars']; readonly stages: Pick<Store['stages'], 'list'> };
  cluster: Cluster;
  disconnect: Disconnect;
  clock: Clock;
  log: Log;
  settings: { readonly disconnectDeadlineMs: number };
}): BarEnforcement {
  const { renew, remove, markEnforced } = createRecords({ store, clock });
  const background = createBackground({ clock, log, failure: 'a bar could not be enforced and will be tried again' });
  let isClosing = false;
  let cancel = () => {};
  let looking = Promise.resolve();

  const standing = () => ({ era: cluster.era(), node: cluster.node });

  const endConnections = createEndConnections({ store, cluster, disconnect, clock });

  async function enforce(record: BarRecord, asOf: Standing, detail: Detail = {}): Promise<DisconnectResult> {
    const { version, state } = record;
    const { target, bar } = markerOf(record);
    const { disconnectDeadlineMs: timeoutMs } = settings;
    const deadline = clock.monotonic() + timeoutMs;
    if (state === 'LIFTED') {
      const { newer } = await withTimeout(cluster.liftBar(target, version), timeoutMs, clock);
      const renewed = await renew(record, newer);
      if (renewed !== undefined) return await enforce(renewed, asOf, detail);
      await remove(record);
      return NOBODY;
    }
    // A bar that has ended meanwhile is set too: the one that it took the place of may last longer.
    const newer = await withTimeout(cluster.setBar(target, bar, asOf), timeoutMs, clock);
    const renewed = await renew(record, newer);
    if (renewed !== undefined) return await enforce(renewed, asOf, detail);
    const ending = endConnections(record, deadline - clock.monotonic(), detail);
    const ended = await withTimeout(ending, timeoutMs, clock);
    // A connection whose end is not proven is asked for again, by whichever node comes first.
    if (ended.failures.length === 0) await markEnforced(record);
    return ended;
  }

  /** Does what is still to be done, whichever node has begun it. */
  async function attempt(name: string): Promise<boolean> {
    const asOf = standing();
    const record = await store.bars.find(name);
    if (record === undefined || record.isEnforced) return true;
    const { failures } = await enforce(record, asOf, { isRepeated: true });
    return failures.length === 0;
  }

  const removeEnded = createRemoveEnded({ store, clock, isClosing: () => isClosing });

  async function resume(): Promise<void> {
    void background.run(REMOVAL, removeEnded);
    for (const { name } of await store.bars.listUnfinished(LOOKED_AT_ONCE)) {
      void background.run(name, () => attempt(name));
    }
  }

  /** On every node, because any may be the one that still reaches the directory. */
  function look(): void {
    cancel = clock.after(LOOK_PERIOD_MS, () => {
      looking = resume()
        .catch((err: unknown) => log.warn({ err }, 'bars that are still to be enforced could not be looked for'))
        .then(() => {
          if (!isClosing) look();
        });
    });
  }

  return {
    name: 'bars',
    standing,
    start: look,
    async bring(record, asOf, detail) {
      try {
        return await enforce(record, asOf, detail);
      } catch (cause) {
        const { name } = record;
        if (!isClosing) void background.run(name, () => attempt(name));
        const message =
          'The change is stored, but the directory of connections or a node has not answered in time. It will be enforced; try again to see it done.';
        throw new ServiceError('internal', message, { cause });
      }
    },
    async forget(target, version) {
      const forgetting = (async () => await cluster.liftBar(target, version))();
      return await withTimeout(forgetting, settings.disconnectDeadlineMs, clock).catch((cause: unknown) => {
        throw new ServiceError('internal', 'The directory of connections is not available: try again', { cause });
      });
    },
    resume,
    settled: background.settled,
    async close() {
      isClosing = true;
      cancel();
      await looking;
      await background.close();
    },
  };
}

/**
 * What the store is told of bars that are brought. Their games take turns, beside those of callers: what is stored is enforced
 * however much else waits to be stored.
 */
function createRecords({
  store: { bars },
  clock,
}: {
  store: { readonly bars: Pick<Store['bars'], 'renew' | 'remove' | 'markEnforced'> };
  clock: Clock;
}) {
  const inTurn = createGameTurns({ clock, what: 'blocks and revocations' });
  return {
    /**
     * Gives the bar a newer version when the directory has heard of a newer one already: a database that has lost its last commits
     * hands out versions a second time.
     */
    async renew({ name, version, gameId }: BarRecord, newer: number | undefined): Promise<BarRecord | undefined> {
      return newer === undefined ? undefined : await inTurn(gameId, () => bars.renew(name, version, newer));
    },
    remove: ({ name, version, gameId }: BarRecord) => inTurn(gameId, () => bars.remove(name, version)),
    markEnforced: ({ name, version, gameId }: BarRecord) => inTurn(gameId, () => bars.markEnforced(name, version)),
  };
}

/** Returns a function that removes the bars that have ended, a few at a time. */
function createRemoveEnded({
  store,
  clock,
  isClosing,
}: {
  store: { readonly bars: Pick<Store['bars'], 'removeEnded'> };
  clock: Clock;
  isClosing: () => boolean;
}): () => Promise<boolean> {
  const settledTime = createSettledTime(clock, CLOCK_HELD_MS);
  return async () => {
    const now = settledTime();
    if (now === Number.NEGATIVE_INFINITY) return true;
    while ((await store.bars.removeEnded(now - ENDED_KEPT_MS, REMOVED_AT_ONCE)) === REMOVED_AT_ONCE) {
      await passed(REMOVAL_PAUSE_MS, clock);
      if (isClosing()) return true;
    }
    return true;
  };
}

/** The one place where connections are ended because of a bar. */
function createEndConnections({
  store,
  cluster,
  disconnect,
  clock,
}: {
  store: { readonly bars: Pick<Store['bars'], 'find'>; readonly stages: Pick<Store['stages'], 'list'> };
  cluster: Cluster;
  disconnect: Disconnect;
  clock: Clock;
}) {
  /**
   * Players may have come back since the bar was lifted, or ended by itself, and must stay. A later bar of the same name
   * means the same players.
   */
  async function isStillSet(name: string): Promise<boolean> {
    const bar = await store.bars.find(name);
    return bar?.state === 'SET' && !hasEnded(bar);
  }

  /** Whether the players were not let in by a person, which is another matter than a bar that has ended by itself. */
  async function isNotLifted(name: string): Promise<boolean> {
    return (await store.bars.find(name))?.state === 'SET';
  }

  function hasEnded({ until }: BarRecord): boolean {
    return until !== undefined && until <= clock.now();
  }

  return async (record: BarRecord, timeoutMs: number, detail: Detail): Promise<DisconnectResult> => {
    const { isDetailed, isRepeated = false } = detail;
    const { name, kind, gameId, stageId, playerId, requestId, messages, until, endsConnections } = record;
    const deadline = clock.monotonic() + timeoutMs * 0.9;
    // A caller who waits means those who were there before the call, also when the bar has ended by itself meanwhile.
    const isOver = () => !isRepeated && hasEnded(record) && clock.monotonic() < deadline;
    if (!endsConnections || (isRepeated && hasEnded(record))) return NOBODY;
    const text = messages[''];
    if (playerId === undefined) {
      // It may end by itself while the store is asked.
      const isMeant = (await isStillSet(name)) || (isOver() && (await isNotLifted(name)));
      if (stageId !== undefined && isMeant) await cluster.requestAll('send_away', { stageId, text, until }, timeoutMs);
      return NOBODY;
    }
    const order = { requestId, reason: text, farewell: farewellOfBar(record) };
    const signedInBefore = isRepeated ? record.signedInBefore : undefined;
    const end = async (id: string): Promise<DisconnectResult> => {
      const call = { player: { stageId: id, playerId }, timeoutMs: deadline - clock.monotonic(), signedInBefore };
      const detailed = { ...call, isDetailed: stageId !== undefined && isDetailed };
      // Somebody who has come back by now may be among them, and must not hear of a block that is over.
      if (isOver()) return await disconnect({ ...detailed, order, isStillMeant: () => isNotLifted(name) });
      let isMeant = true;
      const close = kind === 'block' ? ('blocked' as const) : undefined;
      const ended = await disconnect({
        ...{ ...detailed, order: { ...order, close } },
        async isStillMeant() {
          isMeant = await isStillSet(name);
          return isMeant;
        },
      });
      return !isMeant && isOver() ? await end(id) : ended;
    };
    if (stageId !== undefined) return await end(stageId);
    const ended: DisconnectResult[] = [];
    let after: string | undefined;
    do {
      const stages = await store.stages.list(gameId, { ...(after !== undefined && { after }), limit: STAGES_AT_ONCE });
      ended.push(...(await Promise.all(stages.map(async ({ id }) => await end(id)))));
      after = stages.length === STAGES_AT_ONCE ? stages.at(-1)?.name : undefined;
    } while (after !== undefined);
    return {
      successes: ended.flatMap(({ successes }) => successes),
      failures: ended.flatMap(({ failures }) => failures),
    };
  };
}
