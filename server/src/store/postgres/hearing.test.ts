import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { databaseSettings, usePostgres, whyNoPostgres } from '../../../test/support/postgres.ts';
import { systemClock } from '../../clock.ts';
import { hears } from './hearing.ts';
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
