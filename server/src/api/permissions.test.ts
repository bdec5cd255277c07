import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { parsePolicy } from '../domain/access/policy.ts';
import type { Principal } from '../domain/access/principal.ts';
import { createArns } from '../domain/arn.ts';
import { ACTIONS, EVERY_OPERATION } from './every-operation.ts';
import type { Services } from './operation.ts';
import { createPermissions } from './permissions.ts';

const FROM = { remoteAddress: '127.0.0.1', isSecure: false };
const ARNS = createArns({ region: 'us-east-1', accountId: '000000000000' });

const ofPolicy = (Statement: readonly object[]) =>
  ({ policies: [parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement }), ACTIONS)] }) as unknown as Principal;

test('patterns of resources, of which a policy may have many, are compared once for all operations of a place', async () => {
  const compared: string[] = [];
  const { statements } = parsePolicy(
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] }),
    ACTIONS,
  );
  const observed = statements.map((statement) => ({
    ...statement,
    coversResources(resources: readonly string[]) {
      compared.push(resources.join());
      return statement.coversResources(resources);
    },
  }));
  const asking = createPermissions({
    ...{ operations: EVERY_OPERATION, services: {} as Services, arns: ARNS, clock: new ManualClock() },
  });
  const principal = { policies: [{ statements: observed }] } as unknown as Principal;
  const { decided } = await asking(principal, FROM).permissions({ gameName: 'Demo', stageName: 'Dev' });
  assert.ok(decided.length > 70 && decided.every(({ denial }) => denial === undefined));
  assert.ok(compared.length > 2 && compared.length < 10, compared.join('\n'));
  assert.equal(new Set(compared).size, compared.length);
});

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
    arns: ARNS,
    clock: new ManualClock(),
  });
  const { decided } = await asking(ofPolicy(Statement), FROM).permissions({
    gameName: 'Demo',
    stageName: 'Dev',
  });
  assert.ok(decided.length > 50);
  assert.deepEqual(looked.sort(), ['game', 'resource', 'stage']);
});
