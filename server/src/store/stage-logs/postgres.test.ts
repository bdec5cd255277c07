import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { openMigrated, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { openPostgresStageLogs } from './postgres.ts';
import { testStageLogs } from './stage-logs.contract.ts';
import type { NewLogLine, StageLogs, StageLogsLimits } from './stage-logs.ts';

const skip = whyNoPostgres;
const server = usePostgres();
const LIMITS = { maxLinesPerStage: 5_000, maxBytesPerStage: 1_000_000 };

async function open(t: TestContext, url: string, limits: StageLogsLimits = LIMITS) {
  const { sessions } = await openMigrated(t, url);
  const logs = openPostgresStageLogs({ sessions, limits });
  t.after(() => logs.close());
  return logs;
}

const line = (text: string): NewLogLine => ({
  ...{ at: 1, level: 'info', text },
  ...{ playerId: undefined, handler: undefined, requestId: undefined },
});

describe('[postgres] stage logs', { skip }, () => {
  const urls = new WeakMap<StageLogs, string>();
  testStageLogs({
    async open(t, limits) {
      const url = await server.migratedDatabase(t);
      const logs = await open(t, url, limits);
      urls.set(logs, url);
      return logs;
    },
    openBeside: (t, first, limits) => open(t, String(urls.get(first)), limits),
  });
});

test('[postgres] lines of many appends share a commit, and a log that two nodes begin at once has all of them', {
  skip,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const nodes = await Promise.all([open(t, url), open(t, url)]);
  const appends = nodes.flatMap((node, index) =>
    Array.from({ length: 200 }, (_, number) => node.append('dev', [line(`${index} ${number}`)])),
  );
  await Promise.all(appends);
  const page = await nodes[0].read('dev', { order: 'oldest_first', limit: 1_000 });
  assert.deepEqual(
    page.lines.map(({ position }) => position),
    Array.from({ length: 400 }, (_, index) => index + 1),
  );
  for (const node of ['0', '1']) {
    const numbers = page.lines.map(({ text }) => text.split(' ')).filter(([of]) => of === node);
    assert.deepEqual(
      numbers.map(([, number]) => Number(number)),
      Array.from({ length: 200 }, (_, index) => index),
    );
  }
  const [row] = await server.execute(url, 'select count(distinct xmin::text) as count from stage_log_lines');
  assert.ok(Number(row?.count) <= 6, `${row?.count} commits`);
});

test('[postgres] a follower misses no line that comes after the database has lost some, as a crash may do', {
  skip,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const logs = await open(t, url);
  const follow = async (after: number) => {
    const { lines, cursor } = await logs.read('dev', { order: 'oldest_first', after, limit: 10 });
    return { texts: lines.map(({ text }) => text), cursor };
  };
  await logs.append('dev', [line('1'), line('2'), line('3')]);
  const before = await follow(0);
  assert.deepEqual(before.texts, ['1', '2', '3']);
  await server.execute(url, 'delete from stage_log_lines where position > 1; update stage_logs set last = 1');
  await logs.append('dev', [line('4')]);
  const after = await follow(before.cursor);
  assert.deepEqual(after.texts, ['4']);
  await server.execute(url, 'delete from stage_log_lines; delete from stage_logs');
  await logs.append('dev', [line('5'), line('6')]);
  assert.deepEqual((await follow(after.cursor)).texts, ['5', '6']);
  await logs.remove('dev');
  await logs.append('dev', [line('7')]);
  assert.deepEqual(await follow(0), { texts: ['7'], cursor: 1 });
});

test('[postgres] a follower misses no line that another node appends after the database has lost some', {
  skip,
}, async (t) => {
  const url = await server.migratedDatabase(t);
  const [logs, other] = [await open(t, url), await open(t, url)];
  await logs.append('dev', [line('1'), line('2'), line('3')]);
  const follow = async (after: number) => await logs.read('dev', { order: 'oldest_first', after, limit: 10 });
  const before = await follow(0);
  await server.execute(url, 'delete from stage_log_lines where position > 1; update stage_logs set last = 1');
  const { lines, cursor } = await follow(before.cursor);
  assert.deepEqual(lines, []);
  await other.append('dev', [line('4')]);
  const after = await follow(cursor);
  assert.deepEqual([after.lines.map(({ text }) => text), after.missed], [['4'], 0]);
});
