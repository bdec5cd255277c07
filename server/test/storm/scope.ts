type Release = () => Promise<unknown> | unknown;

/** What a run has started, and releases at its end in reverse order, whatever ends it. */
export class Scope {
  readonly #releases: Release[] = [];
  #closing: Promise<void> | undefined;

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  after(release: Release): void {
    if (this.isClosed) throw new Error('the run has ended, so that nothing more may start');
    this.#releases.push(release);
  }

  close(): Promise<void> {
    this.#closing ??= this.#releaseAll();
    return this.#closing;
  }

  async #releaseAll(): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) {
      try {
        await release();
      } catch (error) {
        // The rest must be released all the same.
        process.stderr.write(`while the run was cleaned up: ${error}\n`);
      }
    }
  }
}
