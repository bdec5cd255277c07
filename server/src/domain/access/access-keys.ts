import { ServiceError } from '../../errors.ts';
import { shown } from '../../text.ts';
import type { Audit, Change } from '../audit/audit.ts';
import type { Page, PageRequest, Paginate } from '../pagination.ts';
import type { Access, AccessKeyPair, AccessKeySummary, KeyMaker } from './access.ts';
import { warnOfForeign } from './foreign-resources.ts';
import { assertMayGrant } from './grants.ts';
import { type Policy, parsePolicy } from './policy.ts';
import type { Principal } from './principal.ts';
import { describeRole, policyOfRole, type Role, type RoleLimits } from './roles.ts';

/** What a new key may do: what a role may, or what a policy document says. */
export interface AskedKey extends RoleLimits {
  readonly role?: Role | undefined;
  readonly policy?: string | undefined;
  readonly description?: string | undefined;
  /** When the key ends by itself; without it, never. */
  readonly lifetimeSeconds?: number | undefined;
}

/** Access keys as callers of the API may change them: no more than their own policies let them. */
export interface AccessKeys {
  /**
   * Makes a key whose secret is told only here. Throws `validation`, `quota_exceeded`, and `access_denied` where the key
   * could do more than its maker.
   */
  create(
    asked: AskedKey,
    maker: Principal,
    change: Change,
  ): Promise<AccessKeyPair & { readonly warnings: readonly string[]; readonly key: AccessKeySummary }>;
  /** Throws `not_found`. */
  get(accessKeyId: string): Promise<AccessKeySummary>;
  /** In order of id. */
  list(request: PageRequest): Promise<Page<AccessKeySummary>>;
  /** Throws `not_found`, and `conflict` for the root key and for the caller's own. */
  revoke(accessKeyId: string, by: Principal, change: Change): Promise<void>;
  /** Revokes the key of the caller. Throws `conflict` for one that does not end by itself. */
  revokeOwn(by: Principal, change: Change): Promise<void>;
  /** What a key may do. Throws `not_found` also for one that is revoked or has expired. */
  policiesOf(accessKeyId: string): Promise<readonly Policy[]>;
  /** A document that no key has yet. Throws `validation`. */
  parse(policy: string): Policy & { readonly warnings: readonly string[] };
}

export function createAccessKeys({
  access,
  actions,
  audit,
  paginate,
  settings,
}: {
  access: Pick<Access, 'createKey' | 'findCredential' | 'findKey' | 'listPageOfKeys' | 'revokeKey'>;
  actions: readonly string[];
  audit: Audit;
  paginate: Paginate;
  settings: { readonly region: string; readonly accountId: string };
}): AccessKeys {
  const recordAs =
    (change: Change): KeyMaker['record'] =>
    ({ resource = '', details }, rule) =>
      audit.around({ ...change, resource, ...(details && { details }) }, rule);

  async function get(accessKeyId: string): Promise<AccessKeySummary> {
    const key = await access.findKey(accessKeyId);
    if (key === undefined) throw noSuchKey(accessKeyId);
    return key;
  }

  return {
    async create(asked, maker, change) {
      const { policy, description } = documentOf(asked);
      const made = await access.createKey(
        { policy, description, lifetimeMs: asked.lifetimeSeconds && asked.lifetimeSeconds * 1000 },
        {
          accessKeyId: maker.id,
          mayGrant: (wanted) => assertMayGrant(maker, wanted, actions),
          record: recordAs(change),
        },
      );
      const warnings = [...made.warnings, ...warnOfForeign(policy, settings)];
      return { ...made, warnings, key: await get(made.accessKeyId) };
    },

    get,

    list: (request) =>
      paginate(
        'ListAccessKeys',
        request,
        (page) => access.listPageOfKeys(page),
        ({ id }) => id,
      ),

    async revoke(accessKeyId, by, change) {
      if (accessKeyId === by.id) {
        const message = `${accessKeyId} is the access key that signs this call, and cannot revoke itself: use another one`;
        throw new ServiceError('conflict', message);
      }
      await access.revokeKey(accessKeyId, { record: recordAs(change) });
    },

    async revokeOwn(by, change) {
      const key = await access.findKey(by.id);
      // The holder of a key that does not expire may need it again, and has no provider that would make another one.
      if (key?.expiresAt === undefined) {
        const message = `${by.id} does not end by itself, as the key of a sign-in does: revoke it with another one`;
        throw new ServiceError('conflict', message);
      }
      await access.revokeKey(by.id, { record: recordAs(change) });
    },

    async policiesOf(accessKeyId) {
      const credential = await access.findCredential(accessKeyId);
      if (credential === undefined) throw noSuchKey(accessKeyId, 'that may sign ');
      return credential.policies;
    },

    parse(policy) {
      const parsed = parsePolicy(policy, actions);
      return { ...parsed, warnings: [...parsed.warnings, ...warnOfForeign(policy, settings)] };
    },
  };
}

function noSuchKey(accessKeyId: string, which = ''): ServiceError {
  const message = `there is no access key ${which}with the id ${shown(accessKeyId)}: ListAccessKeys lists those that exist`;
  return new ServiceError('not_found', message);
}

function documentOf({ role, policy, description, game, stage }: AskedKey): { policy: string; description: string } {
  if ((role === undefined) === (policy === undefined)) {
    throw new ServiceError('validation', 'give the key either a Role or a Policy');
  }
  if (role !== undefined) {
    const document = JSON.stringify(policyOfRole(role, { game, stage }), null, 2);
    return { policy: document, description: description ?? describeRole(role, { game, stage }) };
  }
  if (game !== undefined || stage !== undefined) {
    const message = 'GameName and StageName limit a Role; a Policy names its resources itself';
    throw new ServiceError('validation', message);
  }
  return { policy: policy ?? '', description: description ?? '' };
}
