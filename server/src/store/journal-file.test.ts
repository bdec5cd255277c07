import assert from 'node:assert/strict';
import { appendFileSync, existsSync, lstatSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openJournalFile, readJournalFile } from './journal-file.ts';
import { temporaryDirectory } from './test-store.ts';

test('what a kill has left of a line is not read, and the next line takes its place', (t) => {
  const file = join(temporaryDirectory(t), 'a.journal');
  const first = openJournalFile({ file, length: 0 });
  first.append({ text: 'größer' });
  appendFileSync(file, '{"text":"to');
  const { lines, length } = readJournalFile(file);
  assert.deepEqual(lines, ['{"text":"größer"}']);
  const second = openJournalFile({ file, length });
  second.append({ text: 'next' });
  assert.equal(readFileSync(file, 'utf8'), '{"text":"größer"}\n{"text":"next"}\n');
  for (const journal of [first, second]) journal.close();
});

test('a journal goes on behind what was kept when it was cleared, and without anything it leaves no file', (t) => {
  const file = join(temporaryDirectory(t), 'a.journal');
  const journal = openJournalFile<number>({ file, length: 0 });
  for (const entry of [1, 2, 3]) journal.append(entry);
  journal.clear([3]);
  journal.append(4);
  journal.probe();
  assert.deepEqual([readFileSync(file, 'utf8'), journal.isEmpty], ['3\n4\n', false]);
  journal.clear();
  assert.deepEqual([readFileSync(file, 'utf8'), journal.isEmpty], ['', true]);
  journal.close();
  assert.ok(!existsSync(file));
});

test('a journal that is cleared writes nothing to where a link in the place of the next one leads', (t) => {
  const directory = temporaryDirectory(t);
  const [file, letter] = [join(directory, 'a.journal'), join(directory, 'letter')];
  const journal = openJournalFile({ file, length: 0 });
  t.after(() => journal.close());
  writeFileSync(letter, 'dear');
  symlinkSync(letter, `${file}.new`);
  journal.clear([]);
  assert.equal(readFileSync(letter, 'utf8'), 'dear');
  assert.deepEqual([lstatSync(file).isFile(), lstatSync(file).mode & 0o777], [true, 0o600]);
  assert.ok(!existsSync(`${file}.new`));
});
