import { hash } from 'node:crypto';
import { ServiceError } from '../errors.ts';
import type { Store } from '../store/store.ts';

const TOKEN_LIFETIME_MS = 24 * 3_600_000;
/** How many old tokens a call forgets. It adds one, so that they become fewer, and a day of them is not removed at once. */
const FORGOTTEN_AT_ONCE = 100;

/** A create call that may be repeated. A token belongs to one principal and one operation. */
export interface RepeatableCall {
  readonly principal: string;
  readonly operation: string;
  readonly clientToken: string | undefined;
  /** Everything else that was asked for, with defaults filled in. */
  readonly parameters: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

/**
 * Calls `create`, or finds what an earlier call with the same token and parameters made, as it is now. Throws a
 * `conflict` when the earlier call had other parameters. A token counts for 24 hours, but not longer than what it made
 * exists. `store` must be the store of a transaction.
 */
export async function createOnce<T>(
  store: Store,
  nowMs: number,
  call: RepeatableCall,
  resource: { create(): Promise<T>; idOf(resource: T): string; find(id: string): Promise<T | undefined> },
): Promise<T> {
  const { principal, operation, clientToken: token } = call;
  if (token === undefined) return await resource.create();
  const validFrom = nowMs - TOKEN_LIFETIME_MS;
  await store.clientTokens.removeOlderThan(validFrom, FORGOTTEN_AT_ONCE);
  const parametersDigest = digest(call.parameters);
  const known = await store.clientTokens.find(principal, operation, token);
  if (known !== undefined) {
    const made = known.createdAt < validFrom ? undefined : await resource.find(known.resourceId);
    if (made !== undefined && known.parametersDigest === parametersDigest) return made;
    if (made !== undefined) {
      throw new ServiceError(
        'conflict',
        `ClientToken "${token}" was used for ${operation} with other parameters: repeat those, or send a new token`,
      );
    }
    await store.clientTokens.remove(principal, operation, token);
  }
  const made = await resource.create();
  const resourceId = resource.idOf(made);
  await store.clientTokens.insert({ principal, operation, token, parametersDigest, resourceId, createdAt: nowMs });
  return made;
}

/**
 * The same for a resource of a stage, of which the stage keeps only the newest. `forgotten` throws what a caller is told whose
 * token made one that its stage no longer keeps: to make it once more would undo what has come since.
 */
export async function createOnceInStage<T extends { readonly stageId: string; readonly id: string }>(
  store: Store,
  nowMs: number,
  call: RepeatableCall,
  resource: {
    create(): Promise<T>;
    find(stageId: string, id: string): Promise<T | undefined>;
    forgotten(id: string): never;
  },
): Promise<T> {
  return await createOnce(store, nowMs, call, {
    create: () => resource.create(),
    // The resource may have been made in another stage than the call names; the token is taken all the same.
    idOf: ({ stageId, id }) => `${stageId}/${id}`,
    async find(resourceId) {
      const [stageId = '', id = ''] = resourceId.split('/');
      const made = await resource.find(stageId, id);
      if (made === undefined && (await store.stages.findById(stageId)) !== undefined) resource.forgotten(id);
      return made;
    },
  });
}

/** Returns the same digest for the same parameters in any order. */
function digest(parameters: RepeatableCall['parameters']): string {
  return hash('sha256', JSON.stringify(sorted(parameters)), 'hex');
}

function sorted(value: RepeatableCall['parameters'] | string): unknown {
  if (typeof value === 'string') return value;
  const keys = Object.keys(value).sort();
  return keys.map((key) => [key, sorted(value[key] as string)]);
}
