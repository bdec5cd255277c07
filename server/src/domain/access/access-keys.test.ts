import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHANGE, UNRECORDED } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { ACTIONS } from '../../api/every-operation.ts';
import { createKeyring } from '../../keyring.ts';
import { createSystemRandom } from '../../random.ts';
import { sampleKey } from '../../store/store-samples.ts';
import { openTestStore } from '../../store/test-store.ts';
import { createArns } from '../arn.ts';
import { createPageTokens, createPaginate } from '../pagination.ts';
import { createAccess } from './access.ts';
import { createAccessKeys } from './access-keys.ts';
import { ALLOW_ALL } from './policy.ts';

const SETTINGS = { region: 'us-east-1', accountId: '123456789012' };

const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'gamesparks:DisconnectPlayer', Resource: '*' }],
});

test('no call reads all keys there are, of which each has kilobytes', async (t) => {
  const store = await openTestStore(t);
  const [clock, random, keyring] = [new ManualClock(), createSystemRandom(), createKeyring(Buffer.alloc(32, 7))];
  const arns = createArns(SETTINGS);
  for (const id of ['A', 'B', 'C']) await store.accessKeys.insert(sampleKey(id));
  /** How many of the keys each read has given. */
  const read: number[] = [];
  const counting = <T extends object>(table: T): T =>
    new Proxy(table, {
      get(target, name, receiver) {
        const method = Reflect.get(target, name, receiver) as (...given: unknown[]) => unknown;
        return async (...given: unknown[]) => {
          const found = await method(...given);
          if (Array.isArray(found)) read.push(found.length);
          return found;
        };
      },
    });
  const within: typeof store = {
    ...store,
    accessKeys: counting(store.accessKeys),
    transaction: (work) => store.transaction((inner) => work({ ...inner, accessKeys: counting(inner.accessKeys) })),
  };
  const access = createAccess({
    ...{ store: within, keyring, clock, random, arns, actions: ACTIONS },
    record: (_, rule) => rule(),
  });
  const paginate = createPaginate({ pageTokens: createPageTokens({ sealer: keyring }) });
  const keys = createAccessKeys({ access, actions: ACTIONS, audit: UNRECORDED, paginate, settings: SETTINGS });
  const maker = { id: 'A', holder: 'A', arn: 'arn:a', policies: [ALLOW_ALL], signedInWith: 'access_key' } as const;

  const { accessKeyId } = await keys.create({ policy: POLICY, lifetimeSeconds: 60 }, maker, CHANGE);
  assert.equal((await keys.get('B')).id, 'B');
  await assert.rejects(keys.get('none'), /no access key/);
  await assert.rejects(keys.revokeOwn(maker, CHANGE), /does not end by itself/);
  await keys.revokeOwn({ ...maker, id: accessKeyId }, CHANGE);
  assert.equal((await keys.get(accessKeyId)).state, 'revoked');
  assert.deepEqual(read, []);

  const { items, nextToken } = await keys.list({ maxResults: 2 });
  assert.deepEqual(
    items.map(({ id }) => id),
    ['A', 'B'],
  );
  const next = await keys.list({ maxResults: 2, nextToken });
  assert.deepEqual([next.items.map(({ id }) => id), next.nextToken], [['C', accessKeyId], undefined]);
  assert.deepEqual(read, [3, 2], 'one more than a page, to know whether there is another');
});

test('whoever makes a key, or tries a policy, hears of resources that are of another region or account', async (t) => {
  const store = await openTestStore(t);
  const [clock, random, keyring] = [new ManualClock(), createSystemRandom(), createKeyring(Buffer.alloc(32, 7))];
  await store.accessKeys.insert(sampleKey('A'));
  const access = createAccess({
    ...{ store, keyring, clock, random, arns: createArns(SETTINGS), actions: ACTIONS },
    record: (_, rule) => rule(),
  });
  const paginate = createPaginate({ pageTokens: createPageTokens({ sealer: keyring }) });
  const keys = createAccessKeys({ access, actions: ACTIONS, audit: UNRECORDED, paginate, settings: SETTINGS });
  const maker = { id: 'A', holder: 'A', arn: 'arn:a', policies: [ALLOW_ALL], signedInWith: 'access_key' } as const;

  for (const [place, isHere] of [
    ['us-east-1:123456789012', true],
    ['*:*', true],
    ['eu-west-1:123456789012', false],
    ['us-east-1:000000000000', false],
  ] as const) {
    const arn = `arn:aws:gamesparks:${place}:game/Demo`;
    const statements = [
      { Effect: 'Allow', Action: 'gamesparks:*', Resource: '*' },
      { Effect: 'Deny', Action: 'gamesparks:DeleteGame', Resource: arn },
    ];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
    const { warnings } = await keys.create({ policy }, maker, CHANGE);
    assert.deepEqual(warnings, keys.parse(policy).warnings);
    if (isHere) assert.deepEqual(warnings, []);
    else assert(warnings[0]?.startsWith(`"${arn}" means no resource of a server with the region us-east-1 `), place);
  }
});
