import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSettings } from '../../src/config/config.ts';
import { createWorkplace } from '../support/process.ts';
import { findProxy } from '../support/proxy-programs.ts';
import { readYaml, type Yaml } from '../support/yaml.ts';

/** Seen from server/dist/test/cluster. */
const EXAMPLE = fileURLToPath(new URL('../../../../examples/cluster/', import.meta.url));
const read = (file: string) => readFileSync(join(EXAMPLE, file), 'utf8');
const COMPOSE = read('compose.yaml');

interface Service {
  readonly build?: string;
  readonly image?: string;
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly depends_on?: readonly string[] | Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly volumes?: readonly string[];
  readonly networks?: { readonly respark: { readonly ipv4_address: string } };
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, Yaml>>;
}

const { services, volumes } = readYaml(COMPOSE)[0] as unknown as Compose;
const nodes = Object.entries(services).filter(([name]) => name.startsWith('node'));
const DEFAULTS = loadSettings({ env: {}, flags: {} });

/** As Compose fills in what is in the file of secrets. */
function interpolated(text: string, secrets: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest = '') => {
    const value = secrets[name] ?? (kind === '-' ? rest : undefined);
    assert(value !== undefined, `the command of README.md makes no ${name}`);
    return value;
  });
}

test('the compose file gives three nodes settings that the server takes, with the secrets that its README makes', async (t) => {
  const place = createWorkplace(t);
  const [, make = ''] = /^```sh\n(.*?)^```$/ms.exec(read('README.md')) ?? [];
  const { exitCode, stderr } = await place.start(['sh', '-c', make]).ended();
  assert.equal(exitCode, 0, stderr);
  const lines = readFileSync(join(place.directory, '.env'), 'utf8').trim().split('\n');
  const secrets = Object.fromEntries(lines.map((line) => /^(\w+)=(.+)$/.exec(line)?.slice(1) ?? assert.fail(line)));
  assert.equal(nodes.length, 3);
  for (const [name, { environment = {} }] of nodes) {
    const env = Object.entries(environment).map(([key, value]) => [key, interpolated(String(value), secrets)]);
    const settings = loadSettings({ env: Object.fromEntries(env), flags: {} });
    for (const key of ['secretKey', 'databaseUrl', 'redisUrl', 'publicUrl', 'rootSecretAccessKey'] as const)
      assert(settings[key] !== undefined, `${name} has no ${key}`);
    assert.deepEqual(settings.trustedProxies, [services.haproxy?.networks?.respark.ipv4_address]);
  }
  for (const { environment = {} } of Object.values(services))
    for (const value of Object.values(environment)) interpolated(String(value), secrets);
});

test('the compose file builds the nodes here, waits for what they need, and has a check of each service', () => {
  const needed = { postgres: { condition: 'service_healthy' }, valkey: { condition: 'service_healthy' } };
  const stopSeconds = (DEFAULTS.drainDelayMs + DEFAULTS.drainTimeoutMs) / 1_000 + 5;
  for (const [name, node] of nodes) {
    assert.equal(join(EXAMPLE, node.build ?? ''), fileURLToPath(new URL('../../../../', import.meta.url)).slice(0, -1));
    assert.deepEqual(node.depends_on, needed);
    assert.deepEqual(node.volumes, [`${name}:/var/lib/respark`]);
    assert(Number.parseInt(node.stop_grace_period ?? '', 10) >= stopSeconds);
  }
  assert.deepEqual(
    services.haproxy?.depends_on,
    nodes.map(([name]) => name),
  );
  for (const [name, { healthcheck }] of Object.entries(services)) assert(healthcheck !== undefined, name);
  const mounted = Object.values(services).flatMap((service) => service.volumes ?? []);
  const named = mounted.map((mount) => mount.split(':')[0] ?? '').filter((source) => /^\w+$/.test(source));
  assert.deepEqual(named.sort(), Object.keys(volumes).sort());
});

test('no secret is in the files of the example', () => {
  assert.doesNotMatch(COMPOSE, /(?:PASSWORD|SECRET\w*|AUTH): (?!\$\{)/);
  assert.match(readFileSync(join(EXAMPLE, '../../.gitignore'), 'utf8'), /^examples\/cluster\/\.env$/m);
});

const haproxy = findProxy('haproxy');

test('[haproxy] takes the configuration, which has the addresses of the compose file', {
  skip: haproxy === undefined && 'there is no haproxy here (Debian: apt-get install haproxy)',
}, () => {
  const file = join(EXAMPLE, 'haproxy.cfg');
  const { status, stderr } = spawnSync(haproxy ?? '', ['-c', '-f', file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /WARNING|ALERT/);
  const servers = [...read('haproxy.cfg').matchAll(/^ +server (\w+) (\S+):(\d+)$/gm)].map(([, ...words]) => words);
  const expected = nodes.map(([name, { networks }]) => [name, networks?.respark.ipv4_address, String(DEFAULTS.port)]);
  assert.deepEqual(servers, [...expected, ...expected]);
  const [, maxConnections = ''] = /maxconn (\d+)/.exec(read('haproxy.cfg')) ?? [];
  const [, openFiles = ''] = /nofile: (2\d+)/.exec(COMPOSE) ?? [];
  assert(Number(openFiles) > 2 * Number(maxConnections));
});
