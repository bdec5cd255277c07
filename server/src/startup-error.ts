/** Why the process cannot start. The message is the one line the operator sees: what, which value and what to do. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}
