/** Functions that may take long, by name. What they take and give must be fit to be copied to a thread and back. */
type Jobs = Readonly<Record<string, (argument: never) => unknown>>;

/** The same functions, run somewhere else. */
export type Elsewhere<J extends Jobs> = {
  readonly [Name in keyof J]: (argument: Parameters<J[Name]>[0]) => Promise<ReturnType<J[Name]>>;
};

/**
 * Work on more characters or bytes than this is long: to read a megabyte of JSON and to write it again takes a tenth of
 * a second, in which the server would neither answer nor disconnect anyone.
 */
export const LONG = 16_384;

/**
 * Work that takes longer the more there is of it. Short work is done at once. Long work is done in threads, so that it
 * holds up neither players nor other calls; each owner, such as a game or a caller, has one piece of it at a time, so
 * that no owner keeps the others from the threads.
 */
export interface LongWork<J extends Jobs> {
  /**
   * Calls `work` with the jobs that it may use, and settles as it does: at once when `length` is short, otherwise when it
   * is the owner's turn. Throws `throttled`, without calling it, when too much long work waits already, of this owner or
   * in all. A job rejects with what its function throws, and with `Interrupted` when the server is stopping. `work` must
   * not wait for other long work.
   */
  run<T>(
    size: { readonly owner: string; readonly length: number },
    work: (jobs: Elsewhere<J>) => Promise<T>,
  ): Promise<T>;
}
