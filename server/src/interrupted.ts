/** The process is stopping: what was begun is left to the next start. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(options: { cause?: unknown } = {}) {
    super('interrupted by the stop of the server', options);
  }
}
