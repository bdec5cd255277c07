import type { Histogram } from './histogram.ts';
import { putNewest } from './newest-entries.ts';

export interface StageName {
  readonly stageId: string;
  readonly gameName: string;
  readonly stageName: string;
}

/** Counts one stage's connections and messages. */
export interface StageMetrics {
  opened(): void;
  stopped(): void;
  /** `message` is a name in the game's configuration, or undefined for one that it does not have. */
  handled(message: string | undefined, outcome: string, durationMs: number): void;
}

/**
 * Names of messages are the game's, thousands of them in each deployment, and every scrape writes all that were counted, for
 * each outcome: without a bound, one game's names would hold up the server at each. Beyond it they count as `other`, with
 * all their outcomes, so that no message looks as if it never failed.
 */
const MAX_NAMES_OF_GAME = 300;

/** How many names of messages the stages of a game have taken together. */
interface NamesRoom {
  taken: number;
}

function createNamesRooms() {
  /** Name of the game → its room. */
  const rooms = new Map<string, NamesRoom>();
  return {
    of(game: string): NamesRoom {
      const room = rooms.get(game) ?? { taken: 0 };
      rooms.set(game, room);
      return room;
    },
    /** Gives back what a stage took, which may have been the last of the game. */
    free(game: string, names: number, isLast: boolean): void {
      const room = rooms.get(game);
      if (room !== undefined) room.taken -= names;
      if (isLast) rooms.delete(game);
    },
  };
}

/** What stands for the names that are not counted one by one. */
const OTHER = 'other';

/** How many stages that are gone are remembered, for longer than a handler of theirs may take. */
const MAX_GONE = 10_000;

/** For what the handlers of a stage do when it is gone. */
const NOT_COUNTED: StageMetrics = { opened() {}, stopped() {}, handled() {} };

type StageTotals = Record<'opened' | 'messages' | 'failed', number>;

/** What each stage counts, by its id. Somebody may make and delete stages all day, so nothing is kept of those that are gone. */
export function createStageCounts(durations: Pick<Histogram, 'observe' | 'forget'>) {
  const stages = new Map<string, StageCounts>();
  const rooms = createNamesRooms();
  const gone = new Map<string, true>();
  /** What those that are gone have counted. */
  const before: StageTotals = { opened: 0, messages: 0, failed: 0 };

  return {
    of({ stageId, gameName, stageName }: StageName): StageMetrics {
      const known = stages.get(stageId);
      if (known !== undefined) return known;
      if (gone.has(stageId)) return NOT_COUNTED;
      const stage = new StageCounts({ game: gameName, stage: stageName }, durations, rooms.of(gameName));
      stages.set(stageId, stage);
      return stage;
    },

    forget(stageId: string): void {
      putNewest(gone, stageId, true, MAX_GONE);
      const stage = stages.get(stageId);
      if (stage === undefined) return;
      stages.delete(stageId);
      addTotals(before, stage);
      const { labels, label, names } = stage;
      const others = [...stages.values()].filter((other) => other.labels.game === labels.game);
      rooms.free(labels.game, names, others.length === 0);
      if (!others.some((other) => other.label === label)) durations.forget(label);
    },

    totals() {
      const sums = { ...before, connections: 0 };
      for (const stage of stages.values()) {
        sums.connections += stage.open;
        addTotals(sums, stage);
      }
      return sums;
    },

    all: () => stages.values(),
  };
}

/** One stage's connections and messages; the registry gets the numbers at each scrape. */
export class StageCounts implements StageMetrics {
  readonly labels: { readonly game: string; readonly stage: string };
  readonly #durations: Pick<Histogram, 'observe'>;
  readonly #room: NamesRoom;
  total = 0;
  open = 0;
  /** How many it has taken of the room. */
  names = 0;
  /** Name of the message → outcome → how often. */
  readonly messages = new Map<string, Map<string, number>>();

  constructor(labels: StageCounts['labels'], durations: Pick<Histogram, 'observe'>, room: NamesRoom) {
    this.labels = labels;
    this.#durations = durations;
    this.#room = room;
  }

  handled(message = OTHER, outcome: string, durationMs: number): void {
    const name = message === OTHER || this.#takes(message) ? message : OTHER;
    const byOutcome = this.messages.get(name);
    if (byOutcome === undefined) this.messages.set(name, new Map([[outcome, 1]]));
    else byOutcome.set(outcome, (byOutcome.get(outcome) ?? 0) + 1);
    this.#durations.observe(durationMs / 1000, this.label);
  }

  /** By which the histogram knows the stage. */
  get label(): string {
    return `${this.labels.game}/${this.labels.stage}`;
  }

  /** Whether the message is counted under its name. */
  #takes(message: string): boolean {
    if (this.messages.has(message)) return true;
    if (this.#room.taken >= MAX_NAMES_OF_GAME) return false;
    this.#room.taken += 1;
    this.names += 1;
    return true;
  }

  opened(): void {
    this.total += 1;
    this.open += 1;
  }

  stopped(): void {
    this.open -= 1;
  }
}

function addTotals(sums: StageTotals, { total, messages }: StageCounts): void {
  sums.opened += total;
  for (const byOutcome of messages.values()) {
    for (const [outcome, times] of byOutcome) {
      sums.messages += times;
      if (outcome !== 'ok') sums.failed += times;
    }
  }
}
