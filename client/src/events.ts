/** Typed listeners. If a listener throws, its error surfaces as an uncaught one after all others have been called. */
export class Events<Map extends object> {
  readonly #listeners: { [Name in keyof Map]?: Set<(event: Map[Name]) => void> } = {};

  /** Adding the same function twice has no effect. The returned function removes it. */
  on<Name extends keyof Map>(name: Name, listener: (event: Map[Name]) => void): () => void {
    const listeners = this.#listeners[name] ?? new Set();
    this.#listeners[name] = listeners;
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  emit<Name extends keyof Map>(name: Name, event: Map[Name]): void {
    for (const listener of [...(this.#listeners[name] ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
