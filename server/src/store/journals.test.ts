import assert from 'node:assert/strict';
import { existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openAuditJournal } from './audit/journal.ts';
import { openEventJournal } from './events/journal.ts';
import { temporaryDirectory } from './test-store.ts';

for (const [what, open] of [
  ['events', (file: string) => openEventJournal({ file, length: 0 })],
  ['the audit log', (file: string) => openAuditJournal({ file, length: 0 })],
] as const) {
  test(`a journal of ${what} that is cleared writes nothing to where a link in the place of the next one leads`, (t) => {
    const directory = temporaryDirectory(t);
    const [file, letter] = [join(directory, 'a.journal'), join(directory, 'letter')];
    const journal = open(file);
    t.after(() => journal.close());
    writeFileSync(letter, 'dear');
    symlinkSync(letter, `${file}.new`);
    journal.clear([]);
    assert.equal(readFileSync(letter, 'utf8'), 'dear');
    assert.deepEqual([lstatSync(file).isFile(), lstatSync(file).mode & 0o777], [true, 0o600]);
    assert.ok(!existsSync(`${file}.new`));
  });
}
