import { copyFileSync, existsSync, mkdtempSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext } from 'node:test';
import { recordedLog } from '../../../test/support/domain.ts';
import { systemClock } from '../../clock.ts';
import { temporaryDirectory } from '../test-store.ts';
import { testEventLog } from './event-log.contract.ts';
import type { EventLog, EventLogLimits } from './event-log.ts';
import { openSqliteEventLog } from './sqlite.ts';

describe('[sqlite] event log', () => {
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
    /** What a kill leaves is what is in the files at that moment. */
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
