/** Work that has not ended. */
export class UnderWay {
  readonly #works = new Set<Promise<unknown>>();

  track<T>(work: Promise<T>): Promise<T> {
    this.#works.add(work);
    const ended = () => this.#works.delete(work);
    work.then(ended, ended);
    return work;
  }

  /** Resolves when there is none, nor any that has begun before another one ended. */
  async settled(): Promise<void> {
    while (this.#works.size > 0) await Promise.allSettled(this.#works);
  }
}
