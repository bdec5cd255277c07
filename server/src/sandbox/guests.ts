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

interface GuestOfGame {
  guest: Guest;
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
    if (game === undefined || game.guest.isSpoiled) return this.#makeGame(gameId, game);
    this.#games.delete(gameId);
    this.#games.set(gameId, game);
    return game;
  }

  async #makeGame(gameId: string, spoiled: GuestOfGame | undefined): Promise<GuestOfGame> {
    const guest = await this.make();
    const game = spoiled ?? { guest, runtimes: new Map() };
    game.guest = guest;
    for (const runtime of game.runtimes.values()) runtime.set = undefined;
    this.#games.delete(gameId);
    this.#games.set(gameId, game);
    return game;
  }

  /** Drops what was used longest ago: of the least recently used game, first its older runtimes, then its guest. */
  #shrink(): void {
    let bytes = 0;
    for (const game of this.#games.values()) bytes += bytesOf(game);
    for (const [gameId, game] of this.#games) {
      while (bytes > this.#maxBytes) {
        const [oldest] = game.runtimes.keys();
        const isLast = gameId === [...this.#games.keys()].at(-1);
        if (oldest === undefined || (isLast && game.runtimes.size === 1)) break;
        const dropped = game.runtimes.get(oldest);
        bytes -= dropped === undefined ? 0 : bytesOfRuntime(dropped);
        game.runtimes.delete(oldest);
        this.#gameOfRuntime.delete(oldest);
      }
      if (game.runtimes.size > 0) break;
      bytes -= game.guest.bytes;
      this.#games.delete(gameId);
    }
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
