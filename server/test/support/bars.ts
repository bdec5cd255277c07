import type { LoadBars, Newcomer } from '../../src/cluster/cluster.ts';
import type { RenewToken } from '../../src/domain/players/token-renewal.ts';

/** A newcomer whom no bar is about. */
export const ANYBODY: Newcomer = { barNames: [], at: 0, signedInAt: 0 };

/** What a store gives that has no bars. */
export const NO_BARS: LoadBars = async () => ({ bars: [], next: undefined });

/** For worlds whose players ask for no token. */
export const NO_TOKEN: RenewToken = async () => ({ isHandled: true, payloadJson: '{"AuthenticationToken":""}' });
