import type { Operation } from './operation.ts';
import { OPERATIONS } from './operations/index.ts';
import { OWN_OPERATIONS } from './own-operations/index.ts';

/** What the pipeline serves: Amazon's operations, then this server's own. */
export const EVERY_OPERATION: readonly Operation[] = [...OPERATIONS, ...OWN_OPERATIONS];

/** Of the Service Authorization Reference: players had it, and no operation of the management API does. */
const INVOKE_BACKEND = 'gamesparks:InvokeBackend';

/** Every IAM action that a policy may name. */
export const ACTIONS: readonly string[] = [...EVERY_OPERATION.map(({ action }) => action), INVOKE_BACKEND];
