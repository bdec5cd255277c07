import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as protocol from './index.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The cells of the table below a header row, without the back-quotes around code. */
function tableUnder(header: string): string[][] {
  const [, after] = readme.split(`\n${header}\n`);
  assert.ok(after !== undefined, `no table "${header}"`);
  const [table = ''] = after.split('\n\n');
  const [, ...rows] = table.split('\n');
  return rows.map((row) =>
    row
      .replace(/^\| | \|$/g, '')
      .replaceAll('`', '')
      .split(' | '),
  );
}

test('the README lists exactly the close codes', () => {
  assert.deepEqual(
    tableUnder('| code | name | verdict | meaning |'),
    Object.entries(protocol.CLOSE_CODES).map(([name, row]) => [`${row.code}`, name, row.verdict, row.meaning]),
  );
});

test('the README lists exactly the codes of error frames', () => {
  assert.deepEqual(tableUnder('| code | meaning |'), Object.entries(protocol.REQUEST_ERRORS));
});

test('the README lists exactly the limits of frames', () => {
  const limits = Object.entries(protocol).filter(([name]) => /^MAX_(.*_(LENGTH|DEPTH)|HELLO_BYTES)$/.test(name));
  const listed = tableUnder('| limit | value | applies to |').map(([name = '', value = '']) => [name, Number(value)]);
  assert.deepEqual(new Map(listed as [string, number][]), new Map(limits));
});

test('the README names the path, the subprotocol, the token request and the limits of close reasons', () => {
  const facts = [
    protocol.CONNECT_PATH,
    protocol.SUBPROTOCOL,
    protocol.GET_PLAYER_TOKEN,
    `${protocol.MAX_RETRY_AFTER_MS}`,
    `${protocol.MAX_CLOSE_REASON_BYTES} bytes`,
  ];
  for (const fact of facts) assert.ok(readme.includes(fact), fact);
});
