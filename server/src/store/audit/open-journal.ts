import { join } from 'node:path';
import { describeFileFault } from '../../file-fault.ts';
import type { Log } from '../../log.ts';
import { StartupError } from '../../startup-error.ts';
import { openJournalFile } from '../journal-file.ts';
import { type AuditJournal, type Journaled, readAuditJournal } from './journal.ts';

/** The file in the data directory. */
export const AUDIT_JOURNAL_FILE = 'audit.journal';

/** Opens the journal of a data directory, and reads what a killed process has left in it. Throws a `StartupError`. */
export function openJournal({
  directory,
  log,
  onFull,
}: {
  directory: string;
  log: Pick<Log, 'warn'>;
  onFull: () => boolean;
}): { readonly journal: AuditJournal; readonly journaled: Journaled } {
  const file = join(directory, AUDIT_JOURNAL_FILE);
  try {
    const { journaled, length, brokenLines } = readAuditJournal(file);
    if (brokenLines > 0) log.warn({ file, brokenLines }, 'broken lines of the audit journal were left out');
    return { journal: openJournalFile({ file, length, onFull }), journaled };
  } catch (error) {
    throw new StartupError(`cannot use the audit log ${file}: ${describeFileFault(error)}`, { cause: error });
  }
}
