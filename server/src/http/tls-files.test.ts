import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/server.ts';
import { tlsFiles } from '../../test/support/tls-files.ts';
import { findTimeFault, readTlsFiles } from './tls-files.ts';

test('an empty file is no certificate and no key', (t) => {
  const { certFile, keyFile } = tlsFiles('first');
  const empty = join(temporaryDirectory(t), 'empty.pem');
  writeFileSync(empty, '\n');
  for (const files of [
    { certFile: empty, keyFile },
    { certFile, keyFile: empty },
  ]) {
    assert.throws(() => readTlsFiles(files), { message: `${empty} is empty` });
  }
  assert.equal(readTlsFiles({ certFile, keyFile }).cert, readFileSync(certFile, 'utf8'));
});

test('a certificate is warned of from two weeks before its end, and before its beginning', () => {
  const cert = readFileSync(tlsFiles('first').certFile, 'utf8');
  const { validFrom, validTo } = new X509Certificate(cert);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  const twoWeeks = 14 * 86_400_000;
  assert(to - from > 6 * twoWeeks);
  assert.match(String(findTimeFault(cert, from - 1)), /not valid yet/);
  assert.equal(findTimeFault(cert, from), undefined);
  assert.equal(findTimeFault(cert, to - twoWeeks - 1), undefined);
  assert.match(String(findTimeFault(cert, to - twoWeeks)), /expires soon/);
  assert.match(String(findTimeFault(cert, to)), /has expired/);
});

test('a certificate that lives for days only is warned of in the last sixth of its life', () => {
  const cert = readFileSync(tlsFiles('expired').certFile, 'utf8');
  const { validFrom, validTo } = new X509Certificate(cert);
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  assert.equal(to - from, 5 * 86_400_000);
  assert.equal(findTimeFault(cert, to - 20 * 3_600_000 - 1), undefined);
  assert.match(String(findTimeFault(cert, to - 20 * 3_600_000)), /expires soon/);
});
