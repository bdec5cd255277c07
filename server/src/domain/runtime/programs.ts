import { type Clock, passed } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Store } from '../../store/store.ts';
import type { SectionJobs } from '../configuration/stored-sections.ts';
import type { LongWork } from '../long-work.ts';
import { createGameProgram, type GameProgram } from './game-program.ts';

/**
 * How much is kept in memory: characters of configurations, and programs. A program takes up to six times as much
 * memory as its configuration has characters, most of it for the fields of shapes.
 */
const MAX_CHARACTERS = 33_554_432;
const MAX_PROGRAMS = 1_000;

const MAX_ATTEMPTS = 20;
const RETRY_MS = 250;

export interface Programs {
  /** The program of a runtime, as it was deployed. Rejects when it cannot be read; the next call tries again. */
  load(stageId: string, runtimeId: string): Promise<GameProgram>;
}

interface Kept {
  readonly program: Promise<GameProgram>;
  /** 0 until it has been read. */
  characters: number;
}

interface Read {
  readonly program: GameProgram;
  /** How many characters the configuration has. */
  readonly length: number;
}

/** Reads programs from their snapshots, and keeps the most recently used. */
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
  /** Runtime id → its program, the least recently used first. */
  const kept = new Map<string, Kept>();
  let characters = 0;

  async function read(stageId: string, runtimeId: string): Promise<Read> {
    const [runtime, stage] = await Promise.all([store.runtimes.find(runtimeId), store.stages.findById(stageId)]);
    const snapshot = runtime && stage && (await store.snapshots.find(stage.gameId, runtime.snapshotId));
    if (snapshot === undefined || stage === undefined) {
      throw new ServiceError('internal', `the snapshot of runtime ${runtimeId} is not in the store`);
    }
    const { sections } = snapshot;
    const work = { owner: `game ${stage.gameId}`, length: sections.length };
    const model = await insist(() => longWork.run(work, (jobs) => jobs.readModel(sections)));
    const program = createGameProgram(model, { id: runtimeId, gameId: stage.gameId, stageId });
    return { program, length: sections.length };
  }

  /** Tries again while the threads have too much to do: the players' messages wait for this. */
  async function insist<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ServiceError) || error.code !== 'throttled' || attempt === MAX_ATTEMPTS) throw error;
        await passed(RETRY_MS, clock);
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
      const reading = read(stageId, runtimeId);
      const entry: Kept = { program: reading.then(({ program }) => program), characters: 0 };
      kept.set(runtimeId, entry);
      reading.then(
        ({ length }) => {
          if (kept.get(runtimeId) !== entry) return;
          entry.characters = length;
          characters += length;
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
