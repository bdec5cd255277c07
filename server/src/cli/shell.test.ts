import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quoteForShell } from './shell.ts';

test('a word in quotes for PowerShell does not end at any mark that it takes for their end', () => {
  for (const mark of ["'", '\u2018', '\u2019', '\u201a', '\u201b']) {
    assert.equal(quoteForShell(`a${mark}; calc`, 'win32'), `'a${mark}${mark}; calc'`);
  }
  assert.equal(quoteForShell('C:\\data', 'win32'), 'C:\\data');
});

test('a word in quotes for other shells ends only where it ends', () => {
  assert.equal(quoteForShell("it's; \u2019", 'linux'), "'it'\\''s; \u2019'");
  assert.equal(quoteForShell('plain/word', 'linux'), 'plain/word');
});
