import type { Policy } from './policy.ts';

/** The caller of a management request, however it signed in. */
export interface Principal {
  /** Names the caller in limits, client tokens and the audit log; for an access key, the key's id. */
  readonly id: string;
  /** The name of the caller in messages. */
  readonly arn: string;
  readonly policies: readonly Policy[];
  readonly signedInWith: 'access_key';
}
