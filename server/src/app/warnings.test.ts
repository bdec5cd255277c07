import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../config/config.ts';
import { warningsOf } from './warnings.ts';

interface Surroundings {
  readonly nodeVersion?: string;
  readonly hasTls?: boolean;
  readonly openFileLimit?: number | undefined;
}

function warningsFor(flags: Readonly<Record<string, string>>, surroundings: Surroundings = {}): string[] {
  const { nodeVersion = '24.17.0', hasTls = false, openFileLimit } = surroundings;
  const playerServer = { isTls: false };
  const management = { isTls: hasTls };
  const settings = loadSettings({ env: {}, flags });
  const clock = { now: () => Date.parse('2027-01-01') };
  return warningsOf({ settings, management, playerServer, nodeVersion, openFileLimit, clock });
}

function warningFor(flags: Readonly<Record<string, string>>): string | undefined {
  return warningsFor(flags).find((warning) => warning.startsWith('players are served without TLS'));
}

test('players without TLS cause a warning unless the listener is for this machine alone', () => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost'])
    assert.equal(warningFor({ host }), undefined, host);
  for (const host of ['0.0.0.0', '::', '::2', '10.127.0.1', '192.0.2.7', 'localhost.example']) {
    assert.match(warningFor({ host }) ?? 'none', new RegExp(`without TLS on ${host}:`));
    // A proxy of this machine has to be named too: its clients would all count as this machine.
    assert.match(
      warningFor({ host }) ?? 'none',
      /name its address in RESPARK_TRUSTED_PROXIES; .* 127\.0\.0\.1 as well/,
    );
  }
});

test('a trusted proxy explains a public address, unless it is on this machine', () => {
  for (const trustedProxies of ['127.0.0.1', '::1/128', '127.0.0.0/8,::1']) {
    assert.notEqual(warningFor({ host: '0.0.0.0', trustedProxies }), undefined, trustedProxies);
  }
  for (const trustedProxies of ['10.0.0.0/8', '127.0.0.1,192.0.2.7', '::2']) {
    assert.equal(warningFor({ host: '0.0.0.0', trustedProxies }), undefined, trustedProxies);
  }
});

test('a Node.js that gets no security fixes, or lacks some, causes a warning', () => {
  assert.deepEqual(warningsFor({}), []);
  assert.deepEqual(warningsFor({}, { nodeVersion: '24.9.0' }), [
    'Node.js 24.9.0 has security faults that 24.17.0 mends: install 24.17.0 or later.',
  ]);
  assert.deepEqual(warningsFor({}, { nodeVersion: '20.20.2' }), [
    'Node.js 20.20.2 has had no security fixes since 2026-04-30: install Node.js 24.',
  ]);
});

test('calls without TLS beyond this machine cause a warning, also when players have a listener of their own', () => {
  const warningOfCalls = (flags: Readonly<Record<string, string>>, hasTls = false) =>
    warningsFor(flags, { hasTls }).find((warning) => warning.startsWith('the management API'));
  const separate = { playerPort: '9000', playerHost: '127.0.0.1' };
  for (const flags of [{ host: '0.0.0.0' }, { host: '::', ...separate }, { host: '192.0.2.7', ...separate }]) {
    assert.match(
      warningOfCalls({ ...flags, maxClockSkewMs: '60000' }) ?? 'none',
      new RegExp(`without TLS on ${flags.host}: .* sent again within 120000 ms`),
    );
    assert.equal(warningOfCalls(flags, true), undefined, 'with TLS');
    assert.equal(warningOfCalls({ ...flags, trustedProxies: '10.0.0.0/8' }), undefined, 'behind a proxy');
  }
  for (const host of ['127.0.0.1', '::1', 'localhost']) {
    assert.equal(warningOfCalls({ host }), undefined, host);
    assert.equal(warningOfCalls({ host, playerPort: '9000', playerHost: '0.0.0.0' }), undefined, host);
  }
});

test('a limit of open files that is lower than what the settings need causes a warning', () => {
  const warningOfFiles = (openFileLimit: number | undefined) =>
    warningsFor({ maxConnections: '1000', maxConnectionsPerAddress: '1000' }, { openFileLimit }).join('\n');
  assert.match(warningOfFiles(1_255), /may have 1255 files open, but RESPARK_MAX_CONNECTIONS \(1000\) needs 1256:/);
  for (const enough of [1_256, Number.POSITIVE_INFINITY, undefined]) assert.equal(warningOfFiles(enough), '');
});
