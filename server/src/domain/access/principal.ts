import type { Policy } from './policy.ts';

/** The caller of a management request, however it signed in. */
export interface Principal {
  /** Names the caller in client tokens and the audit log; for an access key, the key's id. */
  readonly id: string;
  /**
   * Limits are for this name: the person, if a sign-in gave the key, since people may sign in again and again; otherwise the
   * key itself.
   */
  readonly holder: string;
  /** The name of the caller in messages. */
  readonly arn: string;
  readonly policies: readonly Policy[];
  readonly signedInWith: 'access_key';
}
