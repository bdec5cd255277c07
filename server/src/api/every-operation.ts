import type { Operation } from './operation.ts';
import { OPERATIONS } from './operations/index.ts';
import { OWN_OPERATIONS } from './own-operations/index.ts';

/** Every operation that the pipeline serves: Amazon's, then this server's own. */
export const EVERY_OPERATION: readonly Operation[] = [...OPERATIONS, ...OWN_OPERATIONS];

/** From the Service Authorization Reference: an action of players, which no operation of the management API has. */
const INVOKE_BACKEND = 'gamesparks:InvokeBackend';

/** Every IAM action that a policy may name. */
export const ACTIONS: readonly string[] = [...EVERY_OPERATION.map(({ action }) => action), INVOKE_BACKEND];
