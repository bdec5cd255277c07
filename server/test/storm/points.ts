import { createHash } from 'node:crypto';
import { LIST, UNREGISTER } from '../../src/cluster/redis/scripts.ts';

/** Steps of a disconnect, seen in what a node is about to send to Redis. */
const MARKS = {
  /** The coordinator looks up the player's connections. */
  list: digestOf(LIST.lua),
  /** The coordinator asks an owner. */
  ask: '"kind":"disconnect"',
  /** An owner removes what it has closed. */
  unregister: digestOf(UNREGISTER.lua),
  /** An owner answers. */
  acknowledge: '"closedIds"',
} as const;

export type Point = keyof typeof MARKS;
export const POINTS = Object.keys(MARKS) as readonly Point[];

function digestOf(lua: string): string {
  return createHash('sha1').update(lua).digest('hex');
}

/** The longest wait for a node to come to a point. */
const MAX_WAIT_MS = 20_000;

interface Strike {
  readonly point: Point;
  /** Undefined for any. */
  readonly node: string | undefined;
  readonly act: (node: string) => void;
}

interface InFlight {
  readonly disconnectsInFlight: number;
  /** Whether a text names a player whose disconnect is in flight. */
  isInFlight(text: string): boolean;
}

/** Does something to a node at the very moment at which it comes to a point of a disconnect that is in flight. */
export class Points {
  readonly #calls: InFlight;
  #strike: Strike | undefined;

  constructor(calls: InFlight) {
    this.#calls = calls;
  }

  /** What this node sends to Redis. */
  see(node: string, chunk: Buffer): void {
    const strike = this.#strike;
    if (strike === undefined || (strike.node ?? node) !== node) return;
    const text = chunk.toString('latin1');
    if (!text.includes(MARKS[strike.point])) return;
    // An answer does not name the player, and may come too late for its call.
    const { disconnectsInFlight } = this.#calls;
    if (strike.point === 'acknowledge' ? disconnectsInFlight === 0 : !this.#calls.isInFlight(text)) return;
    this.#strike = undefined;
    strike.act(node);
  }

  /** Resolves once `act` was called, before what the node sends has gone on. Rejects when the node does not come there. */
  async strike(point: Point, node: string | undefined, act: (node: string) => void): Promise<void> {
    if (this.#strike !== undefined) throw new Error('another strike is waiting');
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#strike = undefined;
        reject(new Error(`${node ?? 'no node'} did not come to "${point}" of a disconnect within ${MAX_WAIT_MS} ms`));
      }, MAX_WAIT_MS);
      this.#strike = {
        ...{ point, node },
        act(struck) {
          clearTimeout(timer);
          act(struck);
          resolve();
        },
      };
    });
  }
}
