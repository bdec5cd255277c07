/** The runtime of a stage to which nothing has been deployed: it has no handlers of its own. */
export const EMPTY_RUNTIME_ID = 'empty';

/** Ids of runtimes are those of their deployments, in order of time; the empty one was there before any. */
export function isNewerRuntime(id: string, other: string): boolean {
  return id !== EMPTY_RUNTIME_ID && (other === EMPTY_RUNTIME_ID || id > other);
}
