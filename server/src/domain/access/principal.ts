import type { Policy } from './policy.ts';

/** Who calls the management API, however they signed in. */
export interface Principal {
  /** Names the caller in limits, client tokens and the audit log; for an access key, the key's id. */
  readonly id: string;
  /** As messages name the caller. */
  readonly arn: string;
  readonly policies: readonly Policy[];
  readonly signedInWith: 'access_key';
}
