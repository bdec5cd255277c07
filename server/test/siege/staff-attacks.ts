import { setTimeout as wait } from 'node:timers/promises';
import { open, signed } from './signed-calls.ts';
import { LARGE, LARGE_STAGE, type Target } from './target.ts';

type Attack = (target: Target) => Promise<void>;

const CROWD = `/respark/game/${LARGE}/stage/${LARGE_STAGE}`;

/** As much as may be said of a block. */
export const LARGE_WORDING = {
  Evidence: 'x'.repeat(3_800),
  Messages: Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`en-${at}a`, 'x'.repeat(480)])),
};

/** As many as one call may name. */
const NAMED_PLAYERS = Array.from({ length: 10_000 }, (_, at) => `player-with-a-long-id-${at}`);

/** As many patterns as a policy has room for, all of them different, each of which is compared with the names of all actions. */
const PATTERNS = Array.from({ length: 280 }, (_, at) => {
  const wildcards = at.toString(2).replaceAll('0', '*').replaceAll('1', '?');
  return `respark:*${wildcards}`;
});
const LONG_POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: PATTERNS, Resource: '*' },
});

/** What somebody sends who has a key for the staff of one stage, and for the audit log. */
export const STAFF_ATTACKS: Readonly<Record<string, Attack>> = {
  receipts: asStaff(8, ({ requestId }) => ({ path: `/respark/receipt/${requestId}` })),
  'own permissions': asStaff(8, () => ({ path: `/respark/permission?GameName=${LARGE}&StageName=${LARGE_STAGE}` })),
  'explanations of long policies': asStaff(8, () => ({
    ...{ method: 'POST', path: '/respark/access-explanation' },
    body: JSON.stringify({ Policy: LONG_POLICY, Action: 'respark:GetServerInfo' }),
  })),
  // Every key may make this call, and a key that has no end of its own is refused.
  'own keys given back': asStaff(8, () => ({ method: 'DELETE', path: '/respark/own-access-key' })),
  'links of the audit log': asStaff(8, () => ({ path: '/respark/audit-chain/server/link' })),
  'searches of the audit log': asStaff(8, () => ({ path: '/respark/audit-record?PlayerId=nobody' })),
  'lists of large blocks': asStaff(8, () => ({ path: `${CROWD}/block` })),
  'lists of connections by address': asStaff(8, () => ({ path: `${CROWD}/connection?Address=203.0.113.1` })),
  'disconnects with a receipt': asStaff(8, () => ({
    ...{ method: 'POST', path: `/runtime/game/${LARGE}/stage/${LARGE_STAGE}/player/p/disconnect` },
    body: JSON.stringify({ Receipt: true }),
  })),
  'dry runs of jobs for 10,000 players': asStaff(4, () => ({
    ...{ method: 'POST', path: `${CROWD}/disconnect-job` },
    body: JSON.stringify({ DryRun: true, Selector: { PlayerIds: NAMED_PLAYERS } }),
  })),
  // As many at once as come, each with transactions of its own.
  'token revocations over 50 connections': asStaff(50, (_, number) => ({
    ...{ method: 'POST', path: `${CROWD}/player/n${number % 50}/token/revocation` },
  })),
  // Blocks are state that stays, so there are only so many, again and again.
  'large blocks of 50 players': asStaff(8, (_, number) => ({
    ...{ method: 'POST', path: `${CROWD}/player/n${number % 50}/block`, body: JSON.stringify(LARGE_WORDING) },
  })),
};

/** Calls with the key of the staff, each call signed for itself, over some connections. */
export function asStaff(
  connections: number,
  call: (target: Target, number: number) => { method?: string; path: string; body?: string },
): Attack {
  return async (target) => {
    let number = 0;
    const send = async (): Promise<never> => {
      for (;;) {
        const socket = open(target);
        const next = () => {
          number += 1;
          socket.write(signed(target, { ...call(target, number), key: target.staffKey }));
        };
        next();
        await new Promise<void>((resolve) => {
          socket.on('close', () => resolve());
          socket.on('data', (chunk: Buffer) => {
            if (chunk.includes('HTTP/1.1 ')) next();
          });
        });
        await wait(1);
      }
    };
    await Promise.all(Array.from({ length: connections }, send));
  };
}
