// Runs the built tests of all workspaces, or only those whose path contains one of the arguments:
//   node scripts/test.js [--quick] [part of a path …]
// With --quick it runs only the product's unit tests and, for each real client, enough to see that it gets through.
// At the end it prints how many tests of each real client, or real proxy, passed. A test belongs to a client if its own
// title, or that of a suite around it, begins with the client: "[aws-cli] lists games". With CI=true, a client without a
// test, or with a skipped one, fails the run.
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec as Spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleServer } from './server-bundle.js';

const CLIENTS = [
  ...['aws-cli', 'aws-sdk', 'ws', 'undici', 'websockets', 'chromium', 'mcs', 'mono'],
  ...['nginx', 'haproxy', 'caddy', 'promtool', 'postgres'],
];

// What takes longest comes first, files and folders, so that none of these files runs alone at the end.
const FIRST = [
  ...['server/test/cluster/processes.test.ts', 'server/src/cluster/redis/redis-shards.test.ts'],
  ...[
    'server/test/packaging/',
    'bench/',
    'server/test/simulation/',
    'server/test/fire/',
    'server/test/lifecycle/',
    'server/test/',
  ],
  'server/src/store/',
];
/** Several servers each, which lose their leases on a machine that is too busy: no more of them at once than processors. */
const OF_CLUSTERS = ['server/test/cluster/', 'server/test/storm/', 'server/src/cluster/'];
/** Beside them there is time for what starts no server, which gives way to them: in a whole run, one file after the other. */
const OF_MODULES = ['protocol/src/', 'client/src/', 'console/src/', 'server/src/'];
/** About this many of the other tests that run at once wait for a time limit of a server, and take no processor. */
const WAITING = 1;
/** How many failures are told again at the end, and how many characters of each. */
const MAX_FAILURES = 20;
const MAX_REASON = 2_000;
const QUICK = [
  ...['protocol/src/', 'client/src/', 'server/src/'],
  // These have tests of the AWS CLI, the AWS SDK and ws; of Chromium; of Mono's compiler; of what it compiles.
  ...['server/test/wire/players.test.ts', 'server/test/wire/browser.test.ts'],
  'server/test/generated-code/csharp-game.test.ts',
  'server/test/unity/core.test.ts',
];

const sources = ['protocol', 'client', 'console', 'server', 'bench']
  .flatMap((workspace) => readdirSync(workspace, { recursive: true }).map((file) => `${workspace}/${file}`))
  .map((file) => file.replaceAll(sep, '/'))
  .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules') && !file.includes('/dist'));
for (const start of [...FIRST, ...QUICK, ...OF_CLUSTERS, ...OF_MODULES])
  if (!sources.some((file) => file.startsWith(start)))
    throw new Error(`there is no ${start} any more: fix the lists of scripts/test.js`);

const { values: options, positionals: parts } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const isWhole = !options.quick && parts.length === 0;
const rankOf = (file) => {
  const rank = FIRST.findIndex((start) => file.startsWith(start));
  return rank === -1 ? FIRST.length : rank;
};
const chosen = sources
  .filter((file) => !options.quick || QUICK.some((start) => file.startsWith(start)))
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .sort((a, b) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1));
const isOfCluster = (file) => OF_CLUSTERS.some((start) => file.startsWith(start));
const isOfModule = (file) => !isOfCluster(file) && OF_MODULES.some((start) => file.startsWith(start));
const isOther = (file) => !isOfCluster(file) && !isOfModule(file);
const processors = availableParallelism();
/** What runs at once: groups of files, each after the one before. */
const lanes = [
  [groupOf(isOfCluster, { concurrency: processors }), groupOf(isOther, { concurrency: processors + WAITING })],
  [groupOf(isOfModule, { concurrency: isWhole ? 1 : processors })],
]
  .map((groups) => groups.filter(({ files }) => files.length > 0))
  .filter((groups) => groups.length > 0);
if (chosen.length === 0) {
  console.error(`no test file matches ${process.argv.slice(2).join(' ')}`);
  process.exit(1);
}

await bundleServer();
// Each file runs in a process of its own, which inherits this variable.
const giveWay = fileURLToPath(new URL('give-way.cjs', import.meta.url));
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --enable-source-maps --require ${JSON.stringify(giveWay)}`;
if (chosen.filter((file) => file.startsWith('server/test/')).length > 1) {
  const { findAws } = await import('../server/dist/test/support/aws-cli.js');
  process.env.TEST_AWS_CLI ??= (await findAws()) ?? '';
}
const counts = { passed: 0, failures: [], skipped: [], ofClient: new Map(CLIENTS.map((client) => [client, 0])) };
await pipeline(Readable.from(counted(eventsOf(lanes))), new Spec(), process.stdout, { end: false });

console.log();
for (const [client, count] of counts.ofClient) console.log(`real client ${client}: ${count} passed`);
if (process.env.CI === 'true' && isWhole) {
  for (const [client, count] of counts.ofClient) if (count === 0) refuse(`no test of ${client} ran`);
  for (const title of counts.skipped) refuse(`a test was skipped: ${title}`);
}
// Told again for people who read only the end of the output.
for (const failure of counts.failures.slice(0, MAX_FAILURES)) console.log(`failed: ${failure}`);
console.log(`${counts.passed} passed, ${counts.failures.length} failed`);
if (counts.failures.length > 0) process.exitCode = 1;

function builtOf(source) {
  return `${process.cwd()}/${source.replace(/^(\w+)\//, '$1/dist/').replace(/\.ts$/, '.js')}`;
}

function groupOf(isIn, options) {
  return { files: chosen.filter(isIn).map(builtOf), ...options };
}

/** All of the lanes are under way from the beginning, and told of one after the other. */
async function* eventsOf(lanes) {
  const begun = lanes.map(([first, ...others]) => ({ events: run(first), others }));
  for (const { events, others } of begun) {
    yield* events;
    for (const group of others) yield* run(group);
  }
}

/** Passes the events on and counts the tests. A suite is not counted, except as a failure when it fails by itself. */
async function* counted(events) {
  const titles = [];
  for await (const event of events) {
    yield event;
    const { type, data } = event;
    if (type === 'test:start') titles.splice(data.nesting, Number.POSITIVE_INFINITY, data.name);
    if (type === 'test:fail' && data.details.error.failureType !== 'subtestsFailed')
      counts.failures.push(described([...titles.slice(0, data.nesting), data.name], data));
    if (type === 'test:pass' && data.details.type !== 'suite')
      count([...titles.slice(0, data.nesting), data.name], data);
  }
}

function count(path, { skip }) {
  const client = CLIENTS.find((name) => path.some((title) => title.startsWith(`[${name}]`)));
  if (skip === undefined) counts.passed += 1;
  if (client === undefined) return;
  if (skip === undefined) counts.ofClient.set(client, counts.ofClient.get(client) + 1);
  else counts.skipped.push(path.join(' > '));
}

/** Where a test is, what it says, and how it failed, as one short text. */
function described(path, { file, line, details: { error } }) {
  const reason = String(error.cause?.stack ?? error.cause ?? error.message);
  return `${relative(process.cwd(), file ?? '')}:${line} ${path.join(' > ')}\n${reason.slice(0, MAX_REASON)}`;
}

function refuse(reason) {
  console.log(`failed, because CI needs every real client: ${reason}`);
  process.exitCode = 1;
}
