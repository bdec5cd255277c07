/** Why the process cannot start. The message is the one line the operator sees: what, which value and what to do. */
export class StartupError extends Error {
  override readonly name = 'StartupError';
}

/** The database has no tables yet, or those of an older version. The next start of a server brings it up to this one. */
export class UnmigratedError extends StartupError {
  /** That of its schema; 0 without tables. */
  readonly version: number;

  constructor(version: number, needed: number) {
    super(
      `the database has schema version ${version}, but this program needs ${needed}: start the server once with this version of respark`,
    );
    this.version = version;
  }
}
