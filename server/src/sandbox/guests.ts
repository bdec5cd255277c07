import type { Clock } from '../clock.ts';
import { inSteps, type MaybePromise, type Steps, settled } from '../maybe-promise.ts';
import { createReaderOf, type PayloadReader } from '../payloads.ts';
import { Guest, type GuestHost, type GuestLimits, type ScriptSet } from './guest.ts';
import type { ScriptedRuntime } from './sandbox.ts';
import type { CompiledEngine } from './web-assembly.ts';

interface LoadedRuntime {
  readonly scripts: ReadonlyMap<string, string>;
  readonly findResponseReader: (handler: string) => PayloadReader | undefined;
  /** Roughly the memory that the shapes of its responses take. */
  readonly shapesBytes: number;
  /** The scripts as compiled in the game's present instance; undefined until they are. */
  set: ScriptSet | undefined;
}

/** A game whose scripts have not been used for so long has little from their being loaded. */
const IDLE_MS = 60_000;

interface GuestOfGame {
  guest: Guest;
  /** Monotonic time at which scripts of the game were used or loaded last. */
  usedAtMs: number;
  /** By id, the least recently used first. */
  readonly runtimes: Map<string, LoadedRuntime>;
}

/** A guest that is free to run, and the scripts in it. */
export interface Ready {
  readonly guest: Guest;
  readonly set: ScriptSet;
  readonly findResponseReader: LoadedRuntime['findResponseReader'];
}

/** The guests of one thread, one for each game, within a bound of memory. */
export class Guests {
  readonly #parts: { engine: CompiledEngine; host: GuestHost; limits: GuestLimits; clock: Clock };
  readonly #maxBytes: number;
  /** Game id → its guest, the least recently used first. */
  readonly #games = new Map<string, GuestOfGame>();
  readonly #gameOfRuntime = new Map<string, string>();

  constructor({
    maxBytes,
    ...parts
  }: {
    engine: CompiledEngine;
    host: GuestHost;
    limits: GuestLimits;
    clock: Clock;
    maxBytes: number;
  }) {
    this.#parts = parts;
    this.#maxBytes = maxBytes;
  }

  /** Makes a guest that belongs to no game. */
  make(): Promise<Guest> {
    return Guest.create(this.#parts);
  }

  async load({
    id: runtimeId,
    gameId,
    scripts,
    responses = new Map(),
  }: Omit<ScriptedRuntime, 'stageId'>): Promise<void> {
    // A runtime is loaded whenever its first player comes, but its scripts never change.
    if ((await this.find(runtimeId)) !== undefined) return;
    const game = await this.#emptyGameOf(gameId);
    const set = game.guest.load(scripts);
    const findResponseReader = createReaderOf(responses);
    game.runtimes.set(runtimeId, { scripts, set, findResponseReader, shapesBytes: bytesOfShapes(responses) });
    this.#gameOfRuntime.set(runtimeId, gameId);
    this.#shrink();
  }

  /**
   * Finds a guest that has the runtime's scripts; undefined when the runtime was never loaded or has been dropped.
   * Fails when its scripts cannot be loaded again.
   */
  readonly find = inSteps((runtimeId: string) => this.#find(runtimeId));

  *#find(runtimeId: string): Steps<Ready | undefined> {
    const gameId = this.#gameOfRuntime.get(runtimeId);
    const runtime = gameId === undefined ? undefined : this.#games.get(gameId)?.runtimes.get(runtimeId);
    if (gameId === undefined || runtime === undefined) return undefined;
    let game = yield* settled(runtime.set === undefined ? this.#emptyGameOf(gameId) : this.#gameOf(gameId));
    // Another runtime of the game may have taken more memory than can be put back: then a new guest loads the scripts.
    if (runtime.set !== undefined) game.guest.rest(runtime.set);
    if (game.guest.isSpoiled) game = yield* settled(this.#gameOf(gameId));
    runtime.set ??= game.guest.load(runtime.scripts);
    game.runtimes.delete(runtimeId);
    game.runtimes.set(runtimeId, runtime);
    return { guest: game.guest, set: runtime.set, findResponseReader: runtime.findResponseReader };
  }

  /** The guest of the game, ready to load scripts. */
  async #emptyGameOf(gameId: string): Promise<GuestOfGame> {
    const game = await this.#gameOf(gameId);
    game.guest.clear();
    return await this.#gameOf(gameId);
  }

  /** The guest of the game. If it is spoiled, a new one replaces it. */
  #gameOf(gameId: string): MaybePromise<GuestOfGame> {
    const game = this.#games.get(gameId);
    return game === undefined || game.guest.isSpoiled ? this.#makeGame(gameId, game) : this.#used(gameId, game);
  }

  async #makeGame(gameId: string, spoiled: GuestOfGame | undefined): Promise<GuestOfGame> {
    const guest = await this.make();
    const game = spoiled ?? { guest, usedAtMs: 0, runtimes: new Map() };
    game.guest = guest;
    for (const runtime of game.runtimes.values()) runtime.set = undefined;
    return this.#used(gameId, game);
  }

  #used(gameId: string, game: GuestOfGame): GuestOfGame {
    game.usedAtMs = this.#parts.clock.monotonic();
    this.#games.delete(gameId);
    this.#games.set(gameId, game);
    return game;
  }

  /**
   * Makes room for what was loaded last. Games that have not been used for a while give way first, the one that was used longest
   * ago before the others. Then a game does that has more than its share: the one for which room is made if it can, otherwise
   * the one of them that was used longest ago. So however many scripts a game has loaded, one after the other, it takes the
   * room of none that is in use and has less.
   */
  #shrink(): void {
    const sizes = new Map([...this.#games].map(([gameId, game]) => [gameId, bytesOf(game)] as const));
    let bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    while (bytes > this.#maxBytes) {
      const gameId = this.#gameToShrink(sizes);
      if (gameId === undefined) return;
      const freed = this.#dropOldest(gameId);
      bytes -= freed;
      if (this.#games.has(gameId)) sizes.set(gameId, (sizes.get(gameId) ?? 0) - freed);
      else sizes.delete(gameId);
    }
  }

  /** Undefined when there is nothing but what was loaded last. */
  #gameToShrink(sizes: ReadonlyMap<string, number>): string | undefined {
    const newest = [...this.#games].at(-1);
    const mayGive = [...this.#games].filter(([gameId, { runtimes }]) => gameId !== newest?.[0] || runtimes.size > 1);
    const [usedLongestAgo] = mayGive;
    if (usedLongestAgo === undefined || newest === undefined) return undefined;
    const idleSince = this.#parts.clock.monotonic() - IDLE_MS;
    if (usedLongestAgo[1].usedAtMs <= idleSince) return usedLongestAgo[0];
    const share = this.#maxBytes / sizes.size;
    const large = mayGive.filter(([gameId]) => (sizes.get(gameId) ?? 0) > share);
    const [gameId] = large.find((each) => each[0] === newest[0]) ?? large[0] ?? usedLongestAgo;
    return gameId;
  }

  /** Drops the scripts of the game that were used longest ago, and with its last ones its guest. Gives the bytes that this frees. */
  #dropOldest(gameId: string): number {
    const game = this.#games.get(gameId);
    if (game === undefined) return 0;
    let freed = 0;
    for (const [runtimeId, runtime] of game.runtimes) {
      freed += bytesOfRuntime(runtime);
      game.runtimes.delete(runtimeId);
      this.#gameOfRuntime.delete(runtimeId);
      break;
    }
    if (game.runtimes.size > 0) return freed;
    this.#games.delete(gameId);
    return freed + game.guest.bytes;
  }
}

function bytesOf({ guest, runtimes }: GuestOfGame): number {
  let bytes = guest.bytes;
  for (const runtime of runtimes.values()) bytes += bytesOfRuntime(runtime);
  return bytes;
}

function bytesOfRuntime({ set, shapesBytes }: LoadedRuntime): number {
  return (set?.snapshot.bytes ?? 0) + shapesBytes;
}

function bytesOfShapes(responses: NonNullable<ScriptedRuntime['responses']>): number {
  const shapes = new Set([...responses.values()].flatMap((response) => [...response.shapes.values()]));
  return JSON.stringify([...shapes]).length;
}
