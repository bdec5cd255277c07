import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { findNodeFault } from './node-release.ts';

const IN_2026 = Date.parse('2026-03-01');
const IN_2027 = Date.parse('2027-03-01');

test('a release of Node.js is found fault with when it is too old, out of support, or has known faults', () => {
  const cases: [version: string, now: number, isFatal: boolean | undefined, detail: string][] = [
    ['18.20.8', IN_2026, true, '18.20.8 is older than 20.19.0'],
    ['20.18.3', IN_2026, true, '20.18.3 is older than 20.19.0'],
    ['20.19.0', IN_2026, false, '20.19.0 has security faults that 20.20.2 mends'],
    ['20.20.2', IN_2026, undefined, ''],
    ['20.20.10', IN_2026, undefined, ''],
    ['20.20.2', IN_2027, false, '20.20.2 has had no security fixes since 2026-04-30'],
    ['23.11.1', IN_2026, false, '23.11.1 has had no security fixes since 2025-06-01'],
    ['24.9.0', IN_2027, false, '24.9.0 has security faults that 24.17.0 mends'],
    ['24.17.0', IN_2027, undefined, ''],
    ['24.100.0', IN_2027, undefined, ''],
    ['26.0.0-nightly', IN_2027, false, '26.0.0-nightly has security faults that 26.3.1 mends'],
    ['31.0.0', IN_2027, undefined, ''],
  ];
  for (const [version, now, isFatal, detail] of cases) {
    const fault = findNodeFault(version, now);
    assert.deepEqual([fault?.isFatal, fault?.detail ?? ''], [isFatal, detail], version);
  }
});

test('the package asks npm for releases without known faults', () => {
  const packageFile = new URL('../../package.json', import.meta.url);
  const { engines } = JSON.parse(readFileSync(packageFile, 'utf8')) as { engines: { node: string } };
  for (const range of engines.node.split(' || ')) {
    const [, version = ''] = /^(?:\^|>=)(\S+)$/.exec(range) ?? [];
    const before = version.replace(
      /(\d+)\.(\d+)\.\d+$/,
      (_, major: string, minor: string) => `${major}.${Number(minor) - 1}.0`,
    );
    assert.equal(findNodeFault(version, IN_2026), undefined, version);
    assert.notEqual(findNodeFault(before, IN_2026), undefined, before);
  }
});
