import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import Libsql from 'libsql';
import { DATABASE_FILE } from '../../src/data-directory/server-files.ts';
import { STAGE_LOGS_FILE } from '../../src/store/stage-logs/sqlite.ts';
import { open, signed } from './signed-calls.ts';
import { asStaff } from './staff-attacks.ts';
import { LARGE, LARGE_STAGE, type Target } from './target.ts';

type Attack = (target: Target) => Promise<void>;
type Call = (method: string, path: string, body?: unknown) => Promise<unknown>;

const STAGES = `/game/${LARGE}/stage`;
const IN_STAGE = `/respark/game/${LARGE}/stage/${LARGE_STAGE}`;

/** As many lines as a stage keeps, and about as many bytes. */
const LINES = 10_000;
const LINE_BYTES = 700;
/** As many jobs as are kept, with what players may be told, and a page of deployments with the longest of messages. */
const JOBS = 50;
const TOLD = Array.from({ length: 15 }, (_, at) => [`en-${at}a`, 'ü'.repeat(245)] as const);
const DEPLOYMENTS = 100;
const MESSAGE_CHARACTERS = 20_000;
/** Stages that have as many tags as they may, with the longest of keys and values. */
const TAGGED_STAGES = 17;
const TAGS = Object.fromEntries(
  Array.from({ length: 50 }, (_, at) => [
    `${'k'.repeat(126)}${String.fromCharCode(97 + (at % 26), 97 + Math.floor(at / 26))}`,
    'v'.repeat(256),
  ]),
);
const ROLE = 'arn:aws:iam::000000000000:role/siege';

/** Gives the stage of the attacker a past, and its game further stages. */
export async function fillHistory(
  { dataDir }: { readonly dataDir: string },
  { call, snapshotId }: { readonly call: Call; readonly snapshotId: string },
): Promise<void> {
  for (let at = 0; at < TAGGED_STAGES; at += 1) {
    await call('POST', STAGES, { StageName: `Tagged${at}`, Role: ROLE, Tags: TAGS });
  }
  const database = new Libsql(join(dataDir, DATABASE_FILE));
  const logs = new Libsql(join(dataDir, STAGE_LOGS_FILE));
  try {
    const { id } = database.prepare('SELECT id FROM stages WHERE name = ?').get(LARGE_STAGE) as { id: string };
    const selector = { playerIdPrefix: 'nobody' };
    const farewell = { messages: Object.fromEntries(TOLD) };
    const request = JSON.stringify({ isEverybody: false, selector, farewell, ratePerSecond: 1, confirmAbove: 0 });
    database.exec(`PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE;
      INSERT INTO disconnect_jobs (id, stage_id, state, wish, request, actor, request_id, connections, players,
          created_at, updated_at, closed, gone, unproven, in_flight, failures, silent_nodes)
        ${rows(JOBS)} SELECT printf('00000000-0000-7000-8000-%012x', place), '${id}', 'COMPLETED', 'RUN', '${request}',
          'siege', 'siege', 0, 0, 0, 0, 0, 0, 0, '[]', '[]', '[]' FROM more;
      INSERT INTO deployments (id, stage_id, snapshot_id, action, state, result_code, result_message, created_at, updated_at)
        ${rows(DEPLOYMENTS)} SELECT printf('00000000-0000-7000-8000-%012x', place), '${id}', '${snapshotId}', 'DEPLOY',
          'FAILED', 'UNSPECIFIED_FAILURE', printf('%*c', ${MESSAGE_CHARACTERS}, 'x'), 0, 0 FROM more;
      COMMIT`);
    logs.exec(`PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE;
      INSERT INTO logs (stage_id, first, last, bytes) VALUES ('${id}', 1, ${LINES}, ${LINES * LINE_BYTES});
      INSERT INTO lines (log, position, "offset", at, level, text)
        ${rows(LINES)} SELECT logs.id, place, (place - 1) * ${LINE_BYTES}, place, 1, printf('%*c', ${LINE_BYTES}, 'x')
        FROM logs, more WHERE stage_id = '${id}';
      COMMIT`);
  } finally {
    database.close();
    logs.close();
  }
}

function rows(count: number): string {
  return `WITH RECURSIVE more (place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM more WHERE place < ${count})`;
}

/** What a caller asks of the past of a stage, with the same key. */
export const HISTORY_ATTACKS: Readonly<Record<string, Attack>> = {
  // No line is as young as that, so each call looks for one in the whole log.
  'lines of a log since tomorrow': asStaff(8, () => ({ path: `${IN_STAGE}/log-line?Since=2999-01-01T00:00:00Z` })),
  'lists of jobs with long texts': asStaff(8, () => ({ path: `${IN_STAGE}/disconnect-job` })),
  'lists of deployments with long messages': asStaff(8, () => ({ path: `${STAGES}/${LARGE_STAGE}/deployments` })),
  'lists of stages with many tags': asStaff(8, () => ({ path: STAGES })),
  'lists of stages that are not read': async (target) => {
    const ask = async (): Promise<never> => {
      for (;;) {
        const socket = open(target);
        socket.pause();
        const asking = setInterval(() => socket.write(signed(target, { path: STAGES, key: target.staffKey })), 200);
        await Promise.race([new Promise((resolve) => socket.on('close', resolve)), wait(4_000)]);
        clearInterval(asking);
        socket.destroy();
      }
    };
    await Promise.all(Array.from({ length: 20 }, ask));
  },
};
