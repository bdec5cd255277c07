import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { systemClock } from '../../clock.ts';
import { assertHears, hears } from './hearing.ts';
import { openSessions } from './sessions.ts';

const server = usePostgres();

test('[postgres] a process that is held up while the notification comes hears it all the same', {
  skip: whyNoPostgres,
}, async (t) => {
  const settings = databaseSettings(await server.migratedDatabase(t));
  const sessions = openSessions({ settings, clock: systemClock, log: recordedLog().log });
  t.after(() => sessions.end());
  const client = await sessions.connectAlone();
  t.after(() => client.cut());
  const clock: typeof systemClock = {
    ...systemClock,
    after(_, task) {
      const cancel = systemClock.after(20, task);
      for (const until = performance.now() + 50; performance.now() < until; );
      return cancel;
    },
  };
  for (let attempt = 1; attempt <= 30; attempt += 1) assert.equal(await hears(client, { sessions, clock }), true);
});

test('[postgres] a connection that leads to another process than it was told is used only if it hears', {
  skip: whyNoPostgres,
}, async (t) => {
  const settings = databaseSettings(await server.migratedDatabase(t));
  const sessions = openSessions({ settings, clock: systemClock, log: recordedLog().log });
  t.after(() => sessions.end());
  const client = await sessions.connectAlone();
  t.after(() => client.cut());
  const clock: typeof systemClock = { ...systemClock, after: (ms, task) => systemClock.after(ms / 20, task) };
  let asked = 0;
  const deaf = {
    async use() {
      asked += 1;
      return undefined as never;
    },
  };
  await assertHears(client, { sessions: deaf, clock });
  assert.equal(asked, 0, 'it leads to the server itself');
  Object.defineProperty(client, 'announcedPid', { value: 1 });
  await assert.rejects(assertHears(client, { sessions: deaf, clock }), /does not arrive/);
  assert.equal(asked, 1);
  await assertHears(client, { sessions, clock });
});
