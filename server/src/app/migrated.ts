/** What a migration has done to a part of what a server keeps. */
export interface Migrated {
  readonly name: string;
  /** The versions of its schema; 0 for one that was not there, and the same for one that was up to date. */
  readonly from: number;
  readonly to: number;
}
