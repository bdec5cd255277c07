import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { parsePolicy } from '../domain/access/policy.ts';
import type { Principal } from '../domain/access/principal.ts';
import { createArns } from '../domain/arn.ts';
import { ACTIONS, EVERY_OPERATION } from './every-operation.ts';
import type { Services } from './operation.ts';
import { createPermissions } from './permissions.ts';

test('tags that policies depend on are looked up once for all operations of a place', async () => {
  const looked: string[] = [];
  const games = { find: async () => void looked.push('game') };
  const stages = { find: async () => void looked.push('stage') };
  const tagged = { StringEquals: { 'aws:ResourceTag/team': 'red' } };
  const Statement = [{ Effect: 'Allow', Action: 'gamesparks:*', Resource: '*', Condition: tagged }];
  const asking = createPermissions({
    operations: EVERY_OPERATION,
    services: {
      games,
      stages,
      resourceTags: { find: async () => void looked.push('resource') },
    } as unknown as Services,
    arns: createArns({ region: 'us-east-1', accountId: '000000000000' }),
    clock: new ManualClock(),
  });
  const policy = parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement }), ACTIONS);
  const principal = { policies: [policy] } as unknown as Principal;
  const { decided } = await asking(principal, { remoteAddress: '127.0.0.1', isSecure: false }).permissions({
    gameName: 'Demo',
    stageName: 'Dev',
  });
  assert.ok(decided.length > 50);
  assert.deepEqual(looked.sort(), ['game', 'resource', 'stage']);
});
