import { type Clock, passing } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Store } from '../../store/store.ts';
import type { SectionJobs } from '../configuration/stored-sections.ts';
import type { LongWork } from '../long-work.ts';
import { createGameProgram, type GameProgram } from './game-program.ts';

/** What is kept in memory for messages to come: characters of scripts, and programs. */
const MAX_CHARACTERS = 67_108_864;
const MAX_PROGRAMS = 1_000;

const MAX_ATTEMPTS = 20;
const RETRY_MS = 250;

export interface Programs {
  /**
   * The program of a runtime, as it was deployed. Rejects when the store does not say what that was; the next call asks
   * again.
   */
  load(stageId: string, runtimeId: string): Promise<GameProgram>;
}

interface Kept {
  readonly program: Promise<GameProgram>;
  characters: number;
}

/** Reads programs from their snapshots, and keeps those that were used last. */
export function createPrograms({
  store,
  longWork,
  clock,
  log,
}: {
  store: Pick<Store, 'runtimes' | 'snapshots' | 'stages'>;
  longWork: LongWork<SectionJobs>;
  clock: Clock;
  log: Log;
}): Programs {
  /** Runtime id → its program. The one used last comes last. */
  const kept = new Map<string, Kept>();
  let characters = 0;

  async function read(stageId: string, runtimeId: string): Promise<GameProgram> {
    const [runtime, stage] = await Promise.all([store.runtimes.find(runtimeId), store.stages.findById(stageId)]);
    const snapshot = runtime && stage && (await store.snapshots.find(stage.gameId, runtime.snapshotId));
    if (snapshot === undefined || stage === undefined) {
      throw new ServiceError('internal', `the snapshot of runtime ${runtimeId} is not in the store`);
    }
    const { sections } = snapshot;
    const work = { owner: `game ${stage.gameId}`, length: sections.length };
    const model = await insist(() => longWork.run(work, (jobs) => jobs.readModel(sections)));
    return createGameProgram(model, { id: runtimeId, gameId: stage.gameId, stageId });
  }

  /** Tries again while the threads have too much to do: the players' messages wait for this. */
  async function insist<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ServiceError) || error.code !== 'throttled' || attempt === MAX_ATTEMPTS) throw error;
        await passing(RETRY_MS, new Promise(() => {}), clock);
      }
    }
  }

  function forget(runtimeId: string): void {
    characters -= kept.get(runtimeId)?.characters ?? 0;
    kept.delete(runtimeId);
  }

  function shrink(): void {
    for (const runtimeId of kept.keys()) {
      if (kept.size <= 1 || (characters <= MAX_CHARACTERS && kept.size <= MAX_PROGRAMS)) return;
      forget(runtimeId);
    }
  }

  return {
    load(stageId, runtimeId) {
      const known = kept.get(runtimeId);
      if (known !== undefined) {
        kept.delete(runtimeId);
        kept.set(runtimeId, known);
        return known.program;
      }
      const entry: Kept = { program: read(stageId, runtimeId), characters: 0 };
      kept.set(runtimeId, entry);
      entry.program.then(
        ({ scripted }) => {
          if (kept.get(runtimeId) !== entry) return;
          for (const script of scripted.scripts.values()) entry.characters += script.length;
          characters += entry.characters;
          shrink();
        },
        (error: unknown) => {
          log.error({ err: error, stageId, runtimeId }, 'a runtime could not be loaded');
          if (kept.get(runtimeId) === entry) forget(runtimeId);
        },
      );
      return entry.program;
    },
  };
}
