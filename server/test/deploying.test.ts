import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EVERY_OPERATION } from '../src/api/every-operation.ts';
import { loadSettings, SETTING_GROUPS } from '../src/config/config.ts';
import { LOCAL_OPERATIONS } from '../src/domain/local-changes.ts';
import { METRIC_ROWS } from '../src/metric-rows.ts';
import { neededOpenFiles } from '../src/open-files.ts';
import { isExecutable } from './support/chromium.ts';
import { parseDockerfile } from './support/dockerfile.ts';
import { createWorkplace, RESPARK } from './support/process.ts';
import { createTestWorld } from './support/world.ts';
import { readYaml, type Yaml } from './support/yaml.ts';

const DOCUMENT = readFileSync(fileURLToPath(new URL('../../../docs/deploying.md', import.meta.url)), 'utf8');

const DEFAULTS = loadSettings({ env: {}, flags: {} });

/** What a stop may take at most, with 5 s to release what the server holds. */
const STOP_SECONDS = (DEFAULTS.drainDelayMs + DEFAULTS.drainTimeoutMs) / 1_000 + 5;

function sectionOf(title: string): string {
  const [, text] = DOCUMENT.split(`\n## ${title}\n`);
  assert(text !== undefined, title);
  return text.split('\n## ')[0] ?? '';
}

/** The only block of the section in this language. */
function blockOf(title: string, language: string): string {
  const blocks = [...sectionOf(title).matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, name]) => name === language);
  assert.equal(blocks.length, 1);
  return blocks[0]?.[2] ?? '';
}

/** The commands of a section, with directories and the user of the test in place of those of a real machine. */
function commandsOf(section: string, directories: Readonly<Record<string, string>>): string[] {
  const [, text = ''] = DOCUMENT.split(`## ${section}\n`);
  const blocks = [...(text.split('\n## ')[0] ?? '').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
  return blocks.map((block) =>
    Object.entries(directories).reduce((words, [from, to]) => words.replaceAll(from, to), block),
  );
}

test('the commands of the section on backups do what it says', async (t) => {
  const place = createWorkplace(t);
  const [data, backups] = ['respark-data', 'backups'].map((name) => join(place.directory, name)) as [string, string];
  mkdirSync(backups);
  const { uid, gid } = userInfo();
  const directories = {
    // This machine has no such user.
    '-o respark -g respark': `-o ${uid} -g ${gid}`,
    'runuser -u respark -- ': '',
    '/var/lib/respark': data,
    '/var/backups': backups,
    '/tmp/respark-drill': join(place.directory, 'drill'),
  };
  const [backUp, restore, drill, ...more] = commandsOf('Backup and restore', directories);
  assert.deepEqual(more, []);
  const run = async (commands: string | undefined) => {
    const respark = `set -e; respark() { ${RESPARK.map((word) => `'${word}'`).join(' ')} "$@"; }\n`;
    const { exitCode, stdout, stderr } = await place.start(['sh', '-c', `${respark}${commands}`]).ended();
    assert.equal(exitCode, 0, stderr);
    return stdout;
  };
  const server = await place.serve(['--demo']);
  assert.match(await run(backUp), /^wrote \S+\/backups\/respark\/\d{4}-\d\d-\d\d\.tar\.gz /);
  server.child.kill('SIGTERM');
  await server.ended();
  assert.match(await run(restore), /^restored the backup of /);
  assert.match(await run(drill), /^restored the backup of [^\n]*\nACCESS KEY/);
});

/** What is at this path of keys and indexes. */
function at(value: Yaml | undefined, ...path: (string | number)[]): Yaml | undefined {
  return path.reduce<Yaml | undefined>((inner, key) => (inner as Record<string, Yaml> | undefined)?.[key], value);
}

const named = (list: Yaml | undefined, name: string) =>
  (list as readonly { name: string }[]).find((each) => each.name === name) as Yaml | undefined;

test('the settings, metrics, commands and files that the document names are there', () => {
  const settings = SETTING_GROUPS.flatMap(({ settings: rows }) =>
    rows.flatMap(({ env, isSecret }) => (isSecret ? [env, `${env}_FILE`] : [env])),
  );
  for (const [name] of DOCUMENT.matchAll(/RESPARK_\w+/g)) assert(settings.includes(name), name);
  const metrics: string[] = METRIC_ROWS.map(({ name }) => name);
  for (const [, name = ''] of DOCUMENT.matchAll(/`((?:respark|process)_\w+)/g)) assert(metrics.includes(name), name);
  for (const [, file = ''] of DOCUMENT.matchAll(/\]\(([\w./-]+)\)/g))
    readFileSync(fileURLToPath(new URL(`../../../docs/${file}`, import.meta.url)));
});

test('the operations of audit records that the document asks for are there', () => {
  const known = [...EVERY_OPERATION.map(({ name }) => name), ...LOCAL_OPERATIONS];
  const asked = [...DOCUMENT.matchAll(/respark audit [^`\n]*--operation (\w+)/g)].map(([, name = '']) => name);
  assert(asked.length > 0);
  for (const name of asked) assert(known.includes(name), name);
});

test('the list of contents names each section', () => {
  const [, contents = ''] = /^(- .*?)\n\n## /ms.exec(DOCUMENT) ?? [];
  const titles = [...DOCUMENT.matchAll(/^## (.*)$/gm)].map(([, title = '']) => title);
  const links = [...contents.matchAll(/\[([^\]]+)\]\(#([\w-]+)\)/g)];
  assert.deepEqual(
    links.map(([, title]) => title),
    titles,
  );
  for (const [, title = '', anchor] of links) assert.equal(anchor, title.toLowerCase().replaceAll(' ', '-'));
});

test('the manifest for Kubernetes has the ports, paths, times and settings of the server', async () => {
  const documents = readYaml(blockOf('On Kubernetes', 'yaml'));
  const ofKind = (kind: string) => documents.find((document) => at(document, 'kind') === kind);
  const set = ofKind('StatefulSet');
  assert.equal(at(set, 'spec', 'replicas'), 1);
  const pod = at(set, 'spec', 'template', 'spec');
  assert.deepEqual(at(set, 'spec', 'selector', 'matchLabels'), at(set, 'spec', 'template', 'metadata', 'labels'));
  assert.deepEqual(at(ofKind('Service'), 'spec', 'selector'), at(set, 'spec', 'selector', 'matchLabels'));
  assert.equal(at(set, 'spec', 'serviceName'), at(ofKind('Service'), 'metadata', 'name'));
  const [container] = at(pod, 'containers') as readonly Yaml[];

  const variables = at(container, 'env') as readonly { name: string; value: string }[];
  const image = parseDockerfile(readFileSync(new URL('../../../Dockerfile', import.meta.url), 'utf8'));
  const [dataDir = ''] = image.filter(({ name }) => name === 'VOLUME').map(({ text }) => text);
  const given = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
  assert(
    Object.values(given).every((value) => typeof value === 'string'),
    'Kubernetes takes nothing but text',
  );
  // The secrets are files of the pod, which this machine has not.
  const env = Object.fromEntries(Object.entries(given).filter(([name]) => !/^RESPARK_(?:SECRET|ROOT)_/.test(name)));
  const settings = loadSettings({ env, flags: {} });
  const ports = at(container, 'ports');
  assert.equal(at(named(ports, 'http'), 'containerPort'), settings.port);
  assert.equal(at(named(ports, 'metrics'), 'containerPort'), settings.metricsPort);
  assert.equal(at(ofKind('Service'), 'spec', 'ports', 0, 'targetPort'), 'http');

  for (const [probe, path] of Object.entries({
    startupProbe: '/healthz',
    livenessProbe: '/healthz',
    readinessProbe: '/readyz',
  }))
    assert.deepEqual(at(container, probe, 'httpGet'), { path, port: 'metrics' });
  const readiness = at(container, 'readinessProbe') as { periodSeconds: number; failureThreshold: number };
  const unreadySeconds = readiness.periodSeconds * readiness.failureThreshold;
  assert(unreadySeconds * 1_000 < settings.drainDelayMs, 'traffic stops before the server stops listening');
  assert(Number(at(pod, 'terminationGracePeriodSeconds')) > STOP_SECONDS);
  assert.equal(at(pod, 'enableServiceLinks'), false);

  const user = image.findLast(({ name }) => name === 'USER')?.text;
  const { runAsUser, runAsGroup, fsGroup } = at(pod, 'securityContext') as Record<string, Yaml>;
  assert.equal(`${runAsUser}:${runAsGroup}`, user);
  assert.equal(fsGroup, runAsGroup);
  assert.equal(at(container, 'securityContext', 'readOnlyRootFilesystem'), true);
  const mounts = at(container, 'volumeMounts');
  assert.equal(at(named(mounts, 'data'), 'mountPath'), dataDir);
  assert.equal(at(set, 'spec', 'volumeClaimTemplates', 0, 'metadata', 'name'), 'data');
  const secretsAt = at(named(mounts, 'secrets'), 'mountPath');
  const secretName = at(named(at(pod, 'volumes'), 'secrets'), 'secret', 'secretName');
  assert.equal(secretName, at(ofKind('Secret'), 'metadata', 'name'));
  const files = Object.keys(at(ofKind('Secret'), 'stringData') as object).map((name) => `${secretsAt}/${name}`);
  assert.deepEqual([given.RESPARK_SECRET_KEY_FILE, given.RESPARK_ROOT_SECRET_ACCESS_KEY_FILE], files);
});

const analyze = (process.env.PATH ?? '')
  .split(delimiter)
  .map((directory) => join(directory, 'systemd-analyze'))
  .find(isExecutable);

test('the unit for systemd starts the server with enough files and enough time to stop', async () => {
  const unit = blockOf('With systemd', 'ini');
  const lines = unit.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  for (const line of lines) assert.match(line, /^(?:\[(?:Unit|Service|Install)\]|[A-Z]\w*=.*)$/);
  const valuesOf = (key: string) =>
    lines.flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
  assert(Number(valuesOf('LimitNOFILE')) >= neededOpenFiles(DEFAULTS));
  assert(Number(valuesOf('TimeoutStopSec')) > STOP_SECONDS);
  const [environment = ''] = valuesOf('Environment');
  const { NODE_ENV, ...env } = Object.fromEntries(environment.split(' ').map((each) => each.split('=')));
  const { dataDir } = loadSettings({ env, flags: {} });
  assert.deepEqual([NODE_ENV, dataDir], ['production', `/var/lib/${valuesOf('StateDirectory')}`]);
  const [start = ''] = valuesOf('ExecStart');
  const [, script = '', ...words] = start.split(' ');
  const ours = script.replace('/opt/respark/', '');
  assert(isExecutable(fileURLToPath(new URL(`../../../${ours}`, import.meta.url))), script);
  assert.equal(await createTestWorld().run(...words, '--help'), 0);
});

test('the command that the section on systemd links is the one of the unit, and cron and timer call the link', () => {
  const [, script, link = ''] = /`ln -s (\S+) (\S+)`/.exec(sectionOf('With systemd')) ?? [];
  const [, started] = /^ExecStart=\S+ (\S+) serve$/m.exec(blockOf('With systemd', 'ini')) ?? [];
  assert.equal(script, started);
  const unattended = sectionOf('Backup and restore').match(/^(?:\d+ \d+ \* \* \*|ExecStart=).*$/gm) ?? [];
  assert.equal(unattended.length, 2);
  for (const line of unattended) assert.match(line, new RegExp(`(?: |')${link} backup /var/backups/respark/`));
});

test('systemd takes the unit', { skip: analyze === undefined && 'no systemd-analyze' }, (t) => {
  const { directory } = createWorkplace(t);
  const file = join(directory, 'respark.service');
  writeFileSync(file, blockOf('With systemd', 'ini').replace('/usr/bin/node', process.execPath));
  const words = ['verify', '--man=no', '--recursive-errors=no', file];
  const { status, stderr } = spawnSync(analyze ?? '', words, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  // What it only warns of, such as a key that it does not know, is a fault of the unit all the same.
  assert.doesNotMatch(stderr, /respark\.service/);
});

test('each operation is in the table of what happens when its call is sent again', () => {
  const rows = sectionOf('Calls that are sent again')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .join('\n');
  const listed = [...rows.matchAll(/`([A-Z]\w+)`/g)].map(([, name = '']) => name);
  const changing = EVERY_OPERATION.map(({ name }) => name).filter((name) => !/^(?:Get|List)/.test(name));
  const names = new Set(listed.filter((name) => !['ClientToken', 'RotateSecret', 'Get', 'List'].includes(name)));
  assert.deepEqual([...names].sort(), changing.sort());
});
