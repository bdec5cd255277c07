import type { AccessKeyPair } from '../../src/domain/access/access.ts';

/** What everybody knows of the server. */
export interface Door {
  readonly url: string;
  readonly playerUrl: string;
  readonly gameKey: string;
  /** The address that the attacker connects from, so that its limits are not those of the operator. */
  readonly address: string;
}

/** What an attacker knows of the server. */
export interface Target extends Door {
  /** That of a stage whose handlers do harm, for the kinds that use them. */
  readonly harmfulGameKey: string;
  /** A key that may read everything of the game LARGE, and change it, but nothing else. */
  readonly key: AccessKeyPair;
  /** The path of a file of LARGE that needs no signature. */
  readonly downloadPath: string;
  readonly snapshotId: string;
  /** A key that may do everything in the stage LARGE_STAGE of LARGE, and read the audit log. */
  readonly staffKey: AccessKeyPair;
  /** A call that is on record. */
  readonly requestId: string;
  /** A file that ImportGameConfiguration takes, of about a megabyte. */
  readonly document: string;
}

/** A game whose configuration is about a megabyte long. */
export const LARGE = 'Large';

/** The stage that the attacker's calls about players are for. */
export const LARGE_STAGE = 'Crowd';
