import { quantile } from '../statistics.ts';
import { HttpConnection } from './http.ts';

/** The end of a list's path below its stage, by the name of the operation. */
export const LISTS = {
  ListConnections: 'connection',
  ListPlayers: 'player',
  CountConnections: 'connection-count',
} as const;

export type ListName = keyof typeof LISTS;

export interface PagingFigures {
  readonly pages: number;
  readonly pagesPerSecond: number;
  /** How often the whole list was read. */
  readonly ends: number;
  /** How often the server said that it was too often. */
  readonly refusals: number;
  readonly pageP50Ms: number;
}

export interface Paging {
  /** Resolves when the last page is there. Rejects when any answer was neither a page nor a refusal. */
  stop(): Promise<PagingFigures>;
}

/** A program that does not read how long it is to wait. */
const REFUSED_PAUSE_MS = 10;

/** Reads a list from its beginning to its end and then again, each page as soon as the one before is there. */
export function startPaging({
  port,
  list,
  requestOf,
}: {
  port: number;
  list: ListName;
  /** A complete signed GET request for a path below the stage. */
  requestOf: (path: string) => string;
}): Paging {
  let isStopped = false;
  let [ends, refusals, next] = [0, 0, ''];
  const pageMs: number[] = [];
  const startedAt = performance.now();
  const http = new HttpConnection(port);

  async function page(): Promise<void> {
    const query = next === '' ? '' : `?NextToken=${encodeURIComponent(next)}`;
    const askedAt = performance.now();
    const { status, body } = await http.request(requestOf(`${LISTS[list]}${query}`));
    if (status === 429) {
      refusals += 1;
      await new Promise((resolve) => setTimeout(resolve, REFUSED_PAUSE_MS));
      return;
    }
    if (status !== 200) throw new Error(`${list} was answered with ${status} ${body}`);
    pageMs.push(performance.now() - askedAt);
    // To read all of the JSON would take the generators' core from them.
    next = /"NextToken":"([^"]+)"/.exec(body)?.[1] ?? '';
    if (next === '') ends += 1;
  }

  const work = (async () => {
    while (!isStopped) await page();
  })();
  // The rejection is for the caller of `stop`.
  work.catch(() => {});
  return {
    async stop() {
      isStopped = true;
      await work.finally(() => http.close());
      const seconds = (performance.now() - startedAt) / 1_000;
      const pages = pageMs.length;
      return { pages, pagesPerSecond: Math.round(pages / seconds), ends, refusals, pageP50Ms: quantile(pageMs, 0.5) };
    },
  };
}
