import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { systemClock } from '../../clock.ts';
import { temporaryDirectory } from '../test-store.ts';
import { testEventLog } from './event-log.contract.ts';
import type { EventLog, EventLogLimits } from './event-log.ts';
import { openSqliteEventLog } from './sqlite.ts';

describe('event log in SQLite', () => {
  const files = new WeakMap<EventLog, string>();

  async function openIn(t: TestContext, file: string, limits: EventLogLimits): Promise<EventLog> {
    const { log } = recordedLog();
    const opened = await openSqliteEventLog({ file, limits, clock: systemClock, log });
    t.after(() => opened.close());
    files.set(opened, file);
    return opened;
  }

  testEventLog({
    open: (t, limits) => openIn(t, join(temporaryDirectory(t), 'events.sqlite'), limits),
    /** A kill leaves what is in the files at that moment. */
    reopenKilled(t, killed, limits) {
      const from = String(files.get(killed));
      const to = mkdtempSync(join(temporaryDirectory(t), 'killed-'));
      for (const name of ['events.sqlite', 'events.sqlite-wal', 'events.journal']) {
        const source = join(dirname(from), name);
        if (existsSync(source)) copyFileSync(source, join(to, name));
      }
      return openIn(t, join(to, 'events.sqlite'), limits);
    },
  });
});

test('a kill after a move, and before the journal is cleared, moves nothing twice', async (t) => {
  const directory = temporaryDirectory(t);
  const killed = temporaryDirectory(t);
  const { log } = recordedLog();
  const parts = { limits: { maxEventsPerGame: 1_000 }, clock: systemClock, log };
  const first = await openSqliteEventLog({ ...parts, file: join(directory, 'events.sqlite') });
  const facts = { type: 'connection.opened', at: 1, game: 'Demo', node: 'n1', data: {} };
  for (const id of ['a', 'b']) first.append('game', { id, ...facts }, { id, change: 'opened', owner: 'n1' });
  first.append('game', { id: 'end of a', ...facts }, { id: 'a', change: 'ended', owner: 'n1' });
  copyFileSync(join(directory, 'events.journal'), join(killed, 'events.journal'));
  await first.close();
  copyFileSync(join(directory, 'events.sqlite'), join(killed, 'events.sqlite'));
  const next = await openSqliteEventLog({ ...parts, file: join(killed, 'events.sqlite') });
  t.after(() => next.close());
  next.append('game', { id: 'next', ...facts });
  await next.close();
  const last = await openSqliteEventLog({ ...parts, file: join(killed, 'events.sqlite') });
  t.after(() => last.close());
  const { events } = await last.read('game', { after: 0, limit: 10 });
  assert.deepEqual(
    events.map(({ event: { id } }) => id),
    ['a', 'b', 'end of a', 'next'],
  );
  assert.equal(await last.endConnections('n1', (opened) => ({ ...opened, id: `end of ${opened.id}` })), 1);
});
