const MAX_FAULTS = 20;

/** What the soak has counted, and its faults. A single fault fails the soak. */
export class Tally {
  readonly faults: string[] = [];
  faultCount = 0;
  readonly #counts = new Map<string, number>();

  fault(what: string): void {
    this.faultCount += 1;
    if (this.faults.length < MAX_FAULTS) this.faults.push(what);
  }

  count(what: string): void {
    this.#counts.set(what, this.of(what) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Counts a close; it is a fault unless its code is one of `expected`. */
  closed(role: string, code: number, expected: readonly number[], reason = ''): void {
    this.count(`${role} closed with ${code}`);
    if (!expected.includes(code)) this.fault(`a ${role} was closed with ${code} ${reason}`);
  }

  lines(): string[] {
    return [...this.#counts].sort().map(([what, count]) => `${String(count).padStart(9)}  ${what}`);
  }
}

/** Resolves as `work` does. When that fails or takes too long, counts a fault and resolves with undefined. */
export async function inTime<T>(tally: Tally, boundMs: number, what: string, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${boundMs} ms`)), boundMs);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    tally.fault(`${what}: ${error instanceof Error ? error.message : error}`);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves after a random time between the two, or as soon as `signal` aborts. */
export function pause(minMs: number, maxMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, minMs + Math.random() * (maxMs - minMs));
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}
