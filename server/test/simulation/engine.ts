import type { RandomBytes } from '../../src/random.ts';

interface Event {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
  isCancelled: boolean;
}

/**
 * Simulated time: what is to happen happens one after the other, in the order of its times, and the code that each step
 * wakes runs until it waits again. Every choice comes from the seed, so a seed replays a history exactly.
 */
export class Engine {
  nowMs = 0;
  /** Called after each step, when the code that it woke has come to rest. */
  afterStep = () => {};
  #order = 0;
  #state: number;
  /** A heap: no event is before its parent at (index - 1) / 2. */
  readonly #heap: Event[] = [];

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 up to 1 (mulberry32). */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  readonly bytes: RandomBytes = (count) => Uint8Array.from({ length: count }, () => Math.floor(this.random() * 256));

  after(delayMs: number, task: () => void): () => void {
    this.#order += 1;
    const event = { at: this.nowMs + Math.max(0, delayMs), order: this.#order, task, isCancelled: false };
    this.#push(event);
    return () => {
      event.isCancelled = true;
    };
  }

  async passTo(untilMs: number): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.at <= untilMs; next = this.#heap[0]) {
      this.#pop();
      if (next.isCancelled) continue;
      this.nowMs = next.at;
      next.task();
      // All microtasks run before this resolves.
      await new Promise((resolve) => setImmediate(resolve));
      this.afterStep();
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child += 1;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
