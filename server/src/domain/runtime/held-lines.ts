import type { NewLogLine } from '../../store/stage-logs/stage-logs.ts';

/**
 * How many lines all stages share, and how many characters. A stage may hold a third of what is still free, so a stage
 * that is alone gets a quarter of all.
 */
const SHARED_LINES = 40_000;
const SHARED_CHARACTERS = 16_777_216;
const PARTS_LEFT_FREE = 3;
/**
 * How much is held at most. Only a stage that holds few lines may go so far, so that stages which flood leave room for
 * others.
 */
const MAX_LINES = 50_000;
const MAX_CHARACTERS = 25_165_824;
const FEW_LINES = 32;
const FEW_CHARACTERS = 65_536;
/** How much of one stage is kept in one turn, and how many stages have their turns at the same time. */
const LINES_OF_TURN = 128;
const CHARACTERS_OF_TURN = 262_144;
const STAGES_OF_ROUND = 8;

interface HeldStage {
  readonly waiting: NewLogLine[];
  /** The number of lines that wait or are being kept, and their characters. */
  lines: number;
  characters: number;
  /** How many lines were added since the stage last held none, and how many of them have settled. */
  accepted: number;
  settled: number;
}

/** Lines of one stage that are to be kept together. */
export interface Turn {
  readonly stageId: string;
  readonly lines: readonly NewLogLine[];
}

/** Lines on their way to the logs of their stages, which take turns. */
export class HeldLines {
  /** The stage whose turn was longest ago comes first. */
  readonly #stages = new Map<string, HeldStage>();
  #lines = 0;
  #characters = 0;

  get isEmpty(): boolean {
    return this.#lines === 0;
  }

  hasRoom(stageId: string, { text }: NewLogLine): boolean {
    const { lines = 0, characters = 0 } = this.#stages.get(stageId) ?? {};
    if (lines < FEW_LINES && characters < FEW_CHARACTERS) {
      return this.#lines < MAX_LINES && this.#characters + text.length <= MAX_CHARACTERS;
    }
    return (
      PARTS_LEFT_FREE * (lines + 1) <= SHARED_LINES - this.#lines &&
      PARTS_LEFT_FREE * (characters + text.length) <= SHARED_CHARACTERS - this.#characters
    );
  }

  /** Holds a line, even one for which there is no room. */
  add(stageId: string, line: NewLogLine): void {
    const stage = this.#stages.get(stageId) ?? { waiting: [], lines: 0, characters: 0, accepted: 0, settled: 0 };
    this.#stages.set(stageId, stage);
    stage.waiting.push(line);
    stage.accepted += 1;
    this.#count(stage, 1, line.text.length);
  }

  /** The next turns, and whether lines wait beyond them. The caller settles all of them before it takes others. */
  take(): { readonly turns: readonly Turn[]; readonly isMore: boolean } {
    const turns: Turn[] = [];
    let taken = 0;
    for (const [stageId, stage] of [...this.#firstStages()]) {
      const lines = stage.waiting.splice(0, sizeOfTurn(stage.waiting));
      taken += lines.length;
      turns.push({ stageId, lines });
      this.#stages.delete(stageId);
      this.#stages.set(stageId, stage);
    }
    return { turns, isMore: this.#lines > taken };
  }

  /** Lets go of these lines, which have been kept or left out. */
  settle({ stageId, lines }: Turn): void {
    const stage = this.#stages.get(stageId);
    if (stage === undefined) return;
    stage.settled += lines.length;
    this.#count(stage, -lines.length, -lines.reduce((sum, { text }) => sum + text.length, 0));
    if (stage.lines === 0) this.#stages.delete(stageId);
  }

  /** Returns a function that tells whether the lines held now are settled. */
  mark(): () => boolean {
    const goals = [...this.#stages.values()].map((stage) => ({ stage, goal: stage.accepted }));
    return () => goals.every(({ stage, goal }) => stage.settled >= goal);
  }

  *#firstStages(): Generator<[string, HeldStage], void> {
    let count = 0;
    for (const entry of this.#stages) {
      if (count === STAGES_OF_ROUND) return;
      count += 1;
      yield entry;
    }
  }

  #count(stage: HeldStage, lines: number, characters: number): void {
    stage.lines += lines;
    stage.characters += characters;
    this.#lines += lines;
    this.#characters += characters;
  }
}

function sizeOfTurn(waiting: readonly NewLogLine[]): number {
  let characters = 0;
  let count = 0;
  for (const { text } of waiting) {
    characters += text.length;
    if (count === LINES_OF_TURN || (count > 0 && characters > CHARACTERS_OF_TURN)) break;
    count += 1;
  }
  return count;
}
