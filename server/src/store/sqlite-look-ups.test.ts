import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { createStore } from './sql-store.ts';
import { openSqlite } from './sqlite.ts';
import type { LifeState, Store } from './store.ts';
import { sampleGame, sampleKey, sampleStage } from './store-samples.ts';
import { openTestStore, temporaryDirectory } from './test-store.ts';

/** What a process must do with its store. It is data, because the process may be another one. */
type Command =
  | { readonly do: 'update stage'; readonly id: string; readonly text: string; readonly how: How }
  | { readonly do: 'update game'; readonly id: string; readonly state: LifeState }
  | { readonly do: 'remove stage'; readonly id: string }
  | { readonly do: 'insert stage'; readonly stage: Ids }
  | { readonly do: 'replace game'; readonly oldId: string; readonly stage: Ids }
  | { readonly do: 'insert key' | 'revoke key' | 'forget keys' }
  | { readonly do: 'find key' }
  | { readonly do: 'find' | 'find by game key'; readonly game: string };

type How = 'alone' | 'in a transaction' | 'in one within another' | 'undone' | 'undone within another';

interface Ids {
  readonly game: string;
  readonly gameId: string;
  readonly stageId: string;
}

/** Carries out a command in some process; resolves with what a look-up found. */
type Process = (command: Command) => Promise<string>;

const ABSENT = 'absent';
const UNDONE = new Error('undone on purpose');

async function perform(store: Store, command: Command): Promise<string> {
  switch (command.do) {
    case 'update stage':
      await updateStage(store, command);
      break;
    case 'update game':
      await store.games.update(command.id, { state: command.state, updatedAt: 1 });
      break;
    case 'remove stage':
      await store.stages.remove(command.id);
      break;
    case 'insert stage':
      await insertStage(store, command.stage);
      break;
    case 'replace game':
      await store.transaction(async (within) => {
        await within.games.remove(command.oldId);
        await within.games.insert(sampleGame(command.stage.game, { id: command.stage.gameId }));
        await insertStage(within, command.stage);
      });
      break;
    case 'insert key':
      await store.accessKeys.insert(sampleKey('K'));
      break;
    case 'revoke key':
      await store.accessKeys.revoke('K', 1);
      break;
    case 'forget keys':
      await store.accessKeys.removeEndedBefore(2, { ofSignIns: false });
      break;
    case 'find key': {
      const key = await store.accessKeys.find('K');
      return key === undefined ? ABSENT : `revoked at ${key.revokedAt}`;
    }
    default: {
      const { find, findByGameKey } = store.stages;
      const found = await (command.do === 'find' ? find(command.game, 'Dev') : findByGameKey(command.game));
      return found === undefined ? ABSENT : `${found.id} ${found.gameState} ${found.description}`;
    }
  }
  return '';
}

async function insertStage({ stages }: Store, { game, gameId, stageId }: Ids): Promise<void> {
  const stage = { id: stageId, gameKey: game, description: 'new' };
  await stages.insert(sampleStage(sampleGame(game, { id: gameId }), 'Dev', stage));
}

async function updateStage(store: Store, { id, text, how }: Command & { do: 'update stage' }): Promise<void> {
  const update = ({ stages }: Store) => stages.update(id, { description: text, updatedAt: 1 });
  const updateAndUndo = async (within: Store) => {
    await update(within);
    throw UNDONE;
  };
  const isUndone = (error: unknown) => error === UNDONE;
  if (how === 'alone') await update(store);
  else if (how === 'in a transaction') await store.transaction(update);
  else if (how === 'in one within another') await store.transaction((outer) => outer.transaction(update));
  else if (how === 'undone') await assert.rejects(store.transaction(updateAndUndo), isUndone);
  else await store.transaction((outer) => assert.rejects(outer.transaction(updateAndUndo), isUndone));
}

/** The values that a record has had. Its writes run one after the other, its look-ups beside them. */
class History {
  readonly #values: string[];
  /** The oldest value that a look-up which begins now may answer with. */
  #current = 0;
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(first: string) {
    this.#values = [first];
  }

  write(run: () => Promise<unknown>, value: string): Promise<unknown> {
    this.#lastWrite = this.#lastWrite.then(async () => {
      const isChange = value !== this.#values.at(-1);
      if (isChange) this.#values.push(value);
      await run();
      if (isChange) this.#current = this.#values.length - 1;
    });
    return this.#lastWrite;
  }

  async lookUp(run: () => Promise<string>): Promise<void> {
    const oldest = this.#current;
    const value = await run();
    const index = this.#values.indexOf(value, oldest);
    assert.notEqual(index, -1, `"${value}" was answered, although it had been "${this.#values[oldest]}" already`);
    // No look-up that begins from now on may be answered with an earlier value.
    this.#current = Math.max(this.#current, index);
  }
}

/** A game with one stage, and the history of both. */
class GameUnderTest {
  readonly #game: string;
  #ids: Ids;
  #state: LifeState = 'ACTIVE';
  #text = 'new';
  #hasStage = true;
  #changes = 0;
  readonly history: History;

  constructor(game: string) {
    this.#game = game;
    this.#ids = this.#newIds();
    this.history = new History(ABSENT);
  }

  create(): Command {
    return { do: 'replace game', oldId: '', stage: this.#ids };
  }

  change(kind: How | 'game' | 'stage' | 'game and stage'): Command {
    const { gameId, stageId } = this.#ids;
    switch (kind) {
      case 'game':
        this.#state = this.#state === 'ACTIVE' ? 'DELETING' : 'ACTIVE';
        return { do: 'update game', id: gameId, state: this.#state };
      case 'stage':
        this.#hasStage = !this.#hasStage;
        if (!this.#hasStage) return { do: 'remove stage', id: stageId };
        this.#ids = { ...this.#newIds(), gameId };
        this.#text = 'new';
        return { do: 'insert stage', stage: this.#ids };
      case 'game and stage':
        this.#ids = this.#newIds();
        this.#state = 'ACTIVE';
        this.#hasStage = true;
        this.#text = 'new';
        return { do: 'replace game', oldId: gameId, stage: this.#ids };
      default: {
        this.#changes += 1;
        const text = `text ${this.#changes}`;
        if (!kind.startsWith('undone')) this.#text = text;
        return { do: 'update stage', id: stageId, text, how: kind };
      }
    }
  }

  /** What a look-up of the stage finds after the changes so far. */
  get value(): string {
    return this.#hasStage ? `${this.#ids.stageId} ${this.#state} ${this.#text}` : ABSENT;
  }

  #newIds(): Ids {
    this.#changes += 1;
    return {
      game: this.#game,
      gameId: `game ${this.#game} ${this.#changes}`,
      stageId: `stage ${this.#game} ${this.#changes}`,
    };
  }
}

const KEY_LIFE = [
  ['insert key', 'revoked at undefined'],
  ['revoke key', 'revoked at 1'],
  ['forget keys', ABSENT],
] as const;

const CHANGES = [
  'alone',
  'in a transaction',
  'in one within another',
  'undone',
  'undone within another',
  'game',
  'stage',
  'game and stage',
] as const;

const step = fc.record({
  inOtherProcess: fc.boolean(),
  act: fc.oneof(
    { weight: 2, arbitrary: fc.record({ change: fc.constantFrom(...CHANGES), game: fc.constantFrom('Zoo', 'Other') }) },
    { weight: 6, arbitrary: fc.record({ find: fc.constantFrom('Zoo', 'Other'), byGameKey: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant('change key' as const) },
    { weight: 2, arbitrary: fc.constant('find key' as const) },
    { weight: 1, arbitrary: fc.constant('wait' as const) },
  ),
  /** How many microtasks pass until the next step; a transaction takes a few more from its start to its end. */
  turns: fc.nat(12),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Runs the steps, most of them at the same time, and holds each look-up to what was written before it began. */
async function assertNothingStale(here: Process, other: Process, steps: readonly Step[]): Promise<void> {
  const games = { Zoo: new GameUnderTest('Zoo'), Other: new GameUnderTest('Other') };
  for (const game of Object.values(games)) await game.history.write(() => here(game.create()), game.value);
  const keyHistory = new History(ABSENT);
  let keyChanges = 0;

  function start({ act }: Step, at: Process): Promise<unknown> | undefined {
    if (act === 'wait') return undefined;
    if (act === 'find key') return keyHistory.lookUp(() => at({ do: 'find key' }));
    if (act === 'change key') {
      const [change, value] = KEY_LIFE[keyChanges % KEY_LIFE.length] as (typeof KEY_LIFE)[number];
      keyChanges += 1;
      return keyHistory.write(() => at({ do: change }), value);
    }
    if ('find' in act) {
      const command = { do: act.byGameKey ? 'find by game key' : 'find', game: act.find } as const;
      return games[act.find].history.lookUp(() => at(command));
    }
    const game = games[act.game];
    const command = game.change(act.change);
    return game.history.write(() => at(command), game.value);
  }

  const running: Promise<unknown>[] = [];
  for (const each of steps) {
    const started = start(each, each.inOtherProcess ? other : here);
    if (started === undefined) await Promise.all(running);
    else running.push(started);
    for (let turn = 0; turn < each.turns; turn += 1) await undefined;
  }
  await Promise.all(running);
}

const RUNS = { endOnFailure: true, includeErrorInReport: true, ...(process.env.CI !== undefined && { seed: 11 }) };
const STEPS = { minLength: 60, maxLength: 120 };

async function testInOneProcess(t: TestContext): Promise<void> {
  const property = fc.asyncProperty(fc.array(step, STEPS), async (steps) => {
    const store = await openTestStore(t);
    const here: Process = (command) => perform(store, command);
    await assertNothingStale(here, here, steps);
  });
  await fc.assert(property, { ...RUNS, numRuns: 25 });
}

async function testInTwoProcesses(t: TestContext): Promise<void> {
  const property = fc.asyncProperty(fc.array(step, STEPS), async (steps) => {
    const file = join(temporaryDirectory(t), 'respark.db');
    const store = await openTestStore(t, file);
    const other = await startOtherProcess(t, file);
    await assertNothingStale((command) => perform(store, command), other, steps);
  });
  await fc.assert(property, { ...RUNS, numRuns: 5 });
}

/** This file is also the other process: it answers commands until its parent disconnects. */
async function startOtherProcess(t: TestContext, file: string): Promise<Process> {
  const child = fork(fileURLToPath(import.meta.url), ['answer', file]);
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the other process ended with ${code}`);
  });
  ended.catch(() => {});
  t.after(() => child.kill());
  await Promise.race([once(child, 'message'), ended]);
  const resolves: ((answer: string) => void)[] = [];
  child.on('message', ({ index, answer }: { index: number; answer: string }) => resolves[index]?.(answer));
  return (command) => {
    const answered = new Promise<string>((resolve) => {
      child.send({ index: resolves.push(resolve) - 1, command });
    });
    return Promise.race([answered, ended]);
  };
}

async function answerCommands(file: string): Promise<void> {
  const database = openSqlite({ file });
  await database.assertMigrated();
  const store = createStore(database);
  process.on('message', async ({ index, command }: { index: number; command: Command }) => {
    process.send?.({ index, answer: await perform(store, command) });
  });
  process.once('disconnect', () => database.close());
  process.send?.('ready');
}

const [, , mode, file = ''] = process.argv;
if (mode === 'answer') {
  await answerCommands(file);
} else {
  test('no look-up answers with what was there before a write that has ended', testInOneProcess);
  test('no look-up answers with what was there before a write of another process that has ended', testInTwoProcesses);
}
