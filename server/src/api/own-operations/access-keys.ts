import type { AccessKeySummary } from '../../domain/access/access.ts';
import { ROLES, type Role } from '../../domain/access/roles.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { description, gameName, maxResults, nextToken, stageName } from '../operations/shapes.ts';
import { boolean, integer, label, list, nullable, query, string, structure, timestamp } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

export const accessKeyId = string({ min: 3, max: 128, pattern: '^\\w+$' });
export const policyText = string({ min: 1, max: 6_144 });
export const warnings = list(string());

const accessKey = structure({
  AccessKeyId: accessKeyId,
  Created: timestamp(),
  Description: string({ min: 0, max: 250 }),
  Expires: timestamp(),
  IsRoot: boolean(),
  Policy: policyText,
  Revoked: timestamp(),
  State: string({ enum: ['ACTIVE', 'REVOKED', 'EXPIRED'] }),
  Subject: string({ min: 1, max: 2_048 }),
});

const KEYS = '/respark/access-key';
const KEY = `${KEYS}/{AccessKeyId}` as const;
const named = structure({ AccessKeyId: label(accessKeyId) }, ['AccessKeyId']);

export const createAccessKey = ownOperation({
  name: 'CreateAccessKey',
  http: { method: 'POST', path: KEYS },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({
    Description: nullable(description),
    GameName: gameName,
    LifetimeSeconds: integer({ min: 60, max: 31_536_000 }),
    Policy: policyText,
    Role: string({ enum: Object.keys(ROLES) }),
    StageName: stageName,
  }),
  output: structure({ AccessKey: accessKey, SecretAccessKey: string({ min: 1, max: 128 }), Warnings: warnings }),
  errors: [...COMMON_ERRORS, 'quota_exceeded'],
  resource: () => [],
  decisions: [
    'Makes an access key for a `Role`, limited by `GameName` and `StageName` if they are given, or with a `Policy` document. `SecretAccessKey` is shown this once. On other nodes the key is good at once.',
    'No key can make one that may do more than itself, now or in a later version. An action may be given to the new key only if the policy of the caller’s key allows it on `*`, in a statement without a condition, and no statement of it, whatever its resource or condition, denies the action. Wildcards and `NotAction` in an `Allow` would include what later versions add, so they may be given away only by a key that is allowed `*` on `*` and denied nothing, such as the root key. What the new policy denies is not taken off what it allows. Anything else is an `AccessDeniedException` that names the actions, and is on record.',
    'With `LifetimeSeconds` the key expires by itself, on each node by its own clock: `Expires` says when. A key that has expired is refused as a revoked one is, and counts no more as one of those that there may be. What it has made stays.',
    'A key that is revoked while the call is under way makes none.',
    'The record has the SHA-256 of the policy document and the description, and never the secret.',
    'More than `RESPARK_MAX_ACCESS_KEYS` keys are a `ServiceQuotaExceededException`. Of keys that were revoked or have expired the latest thousand are kept, for 90 days; those of people who have signed in are counted apart, as many of them.',
  ],
  async handler({ input, services, principal, change }) {
    const { Role, Policy, Description, LifetimeSeconds, GameName, StageName } = input;
    const role = Role as Role | undefined;
    const asked = { role, policy: Policy, description: Description, lifetimeSeconds: LifetimeSeconds };
    const made = await services.accessKeys.create({ ...asked, game: GameName, stage: StageName }, principal, change);
    return { AccessKey: toDetails(made.key), SecretAccessKey: made.secretAccessKey, Warnings: made.warnings };
  },
});

export const getAccessKey = ownOperation({
  name: 'GetAccessKey',
  http: { method: 'GET', path: KEY },
  isIdempotent: true,
  throttleClass: 'read',
  input: named,
  output: structure({ AccessKey: accessKey }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: () => [],
  decisions: [
    'Has the `Policy` of the key beside what ListAccessKeys has; the root key has none, and may do everything.',
  ],
  async handler({ input, services }) {
    return { AccessKey: toDetails(await services.accessKeys.get(input.AccessKeyId)) };
  },
});

export const listAccessKeys = ownOperation({
  name: 'ListAccessKeys',
  http: { method: 'GET', path: KEYS },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ MaxResults: query(maxResults), NextToken: query(nextToken) }),
  output: structure({ AccessKeys: list(accessKey), NextToken: nextToken }),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Lists the keys in order of their ids, also those that were revoked or have expired, without secrets and policies.',
    'The keys of people who have signed in at an identity provider (docs/console.md) are among them: `Subject` says who, by the issuer and the subject of their ID token, and `Expires` until when. `Description` has what they call themselves there, which others may do as well.',
    'A root key that the settings name is not listed: while it is set, the root key that is listed is refused.',
    'When a key was last used is not known; ListAuditRecords with it as `Actor` has what it has changed.',
  ],
  async handler({ input, services }) {
    const page = await services.accessKeys.list({ maxResults: input.MaxResults, nextToken: input.NextToken });
    return { AccessKeys: page.items.map(toListed), NextToken: page.nextToken };
  },
});

export const revokeAccessKey = ownOperation({
  name: 'RevokeAccessKey',
  http: { method: 'DELETE', path: KEY },
  isIdempotent: true,
  throttleClass: 'write',
  input: named,
  output: structure({}),
  errors: [...COMMON_ERRORS, 'conflict', 'not_found'],
  resource: () => [],
  auditResource: ({ AccessKeyId }, arns) => arns.accessKey(AccessKeyId),
  decisions: [
    'The key is refused from then on, on all nodes, for good; streams that it has open end within seconds. A disconnect job for which the nodes are still counting does not begin; one that has begun goes on, and CancelDisconnectJob ends it. Keys that it has made stay. Revoking it again changes nothing.',
    'The root key, which is replaced by `respark keys rotate-root` instead, and the key that signs the call are a `ConflictException`, so there is always one that may make others. Any other key may be revoked by every caller who may make this call, whatever that key may do itself: containing a key must not need a greater one.',
  ],
  async handler({ input, services, principal, change }) {
    await services.accessKeys.revoke(input.AccessKeyId, principal, change);
    return {};
  },
});

export const revokeOwnAccessKey = ownOperation({
  name: 'RevokeOwnAccessKey',
  http: { method: 'DELETE', path: '/respark/own-access-key' },
  isIdempotent: false,
  throttleClass: 'write',
  input: structure({}),
  output: structure({}),
  errors: [...COMMON_ERRORS, 'conflict'],
  resource: () => [],
  decisions: [
    'Revokes the key that signs the call, if that is one that expires: so people sign out who have signed in at an identity provider. As with RevokeAccessKey, the key is refused from then on, on all nodes.',
    'Any other key is a `ConflictException`, because the caller who signs with it may have no other.',
  ],
  async handler({ services, principal, change }) {
    await services.accessKeys.revokeOwn(principal, change);
    return {};
  },
});

const STATES = { active: 'ACTIVE', revoked: 'REVOKED', expired: 'EXPIRED' } as const;

function toListed(key: AccessKeySummary) {
  const { id, description: words, isRoot, createdAt, expiresAt, revokedAt, state, subject } = key;
  return {
    AccessKeyId: id,
    Created: createdAt,
    Description: words,
    Expires: expiresAt,
    IsRoot: isRoot,
    Revoked: revokedAt,
    State: STATES[state],
    Subject: subject,
  };
}

function toDetails(key: AccessKeySummary) {
  return { ...toListed(key), Policy: key.isRoot ? undefined : key.policy };
}
