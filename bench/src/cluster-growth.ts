// Measures what calls cost in a cluster as its connections grow: `node bench/dist/src/cluster-growth.js`, after
// `npx tsc --build`. It starts `scripts/cluster.js` on one core and a generator for each node on another, and prints a row
// of JSON for each number of connections. docs/scaling.md says what came out. `--what` says what is in a row:
//   calls  what each call costs, as connections grow; this is the default
//   lists  what DisconnectPlayer takes beside somebody who pages through all connections of the stage without a pause
//   job    what DisconnectPlayer takes beside a job that ends all connections of the other nodes, 2,000 a second
//   hold   nothing: the cluster stays up with its connections until Ctrl-C, for whatever else is to be measured
import { spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type GeneratorProcess, startGenerator } from './load/generator-process.ts';
import { HttpConnection } from './load/http.ts';
import type { Pacing } from './load/pacing.ts';
import { startPaging } from './load/paging.ts';
import { cpuMicros, machineFacts, measuredCommit, nodeOnCore, pinToGeneratorsCore, rssBytes } from './machine.ts';
import { OWN_NODE } from './node-binary.ts';
import { resparkSeeds } from './respark.ts';
import { fromServer, RESPARK_SETTINGS } from './respark-build.ts';
import { post, temporaryDirectory } from './running-contestant.ts';
import { median, quantile } from './statistics.ts';

const { values: options } = parseArgs({
  options: {
    nodes: { type: 'string', default: '7' },
    sizes: { type: 'string', default: '10000,30000,100000' },
    calls: { type: 'string', default: '1000' },
    'calls-per-second': { type: 'string', default: '50' },
    what: { type: 'string', default: 'calls' },
  },
});
const NODES = Number(options.nodes);
const SIZES = options.sizes.split(',').map(Number);
const CALLS = Number(options.calls);
const LOADS = [{ atOnce: 1 }, { perSecond: Number(options['calls-per-second']), isSparing: true }] as const;
const SPARING = LOADS[1];
const LIST_ROUNDS = 3;
const JOB_RATE = 2_000;
const JOBS = '/respark/game/Demo/stage/Dev/disconnect-job';
const DEPLOYMENTS = 5;
const WARM_UP_CALLS = 100;
const CONNECT_AT_ONCE = 32;

const CLUSTER = fileURLToPath(new URL('../../../scripts/cluster.js', import.meta.url));

interface ClusterFacts {
  readonly nodes: readonly { readonly name: string; readonly url: string; readonly dataDir: string }[];
  readonly pids: Readonly<Record<string, number>>;
}

/** A node, whose players come from a generator that makes its calls at the next node: none of them is its own. */
interface Place {
  readonly port: number;
  readonly callPort: number;
  readonly generator: GeneratorProcess;
  readonly playerIds: string[];
}

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const print = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
const readJson = <T>(...path: string[]): T => JSON.parse(readFileSync(join(...path), 'utf8')) as T;

const directory = temporaryDirectory();
// PostgreSQL does not run as root, and its directory is in this one.
chmodSync(directory.path, 0o711);
const { signRequest } =
  await fromServer<typeof import('../../server/src/api/signature/sigv4.ts')>('api/signature/sigv4');

/** Only names of variables differ from those of a single server of the bench. */
function clusterSettings(): Record<string, string> {
  const { host: _, port: __, ...settings } = RESPARK_SETTINGS;
  const named = Object.entries(settings).map(([name, value]) => [
    `RESPARK_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`,
    value,
  ]);
  const calls = ['READ', 'WRITE'].flatMap((kind) =>
    ['PER_SECOND', 'BURST'].map((what) => [`RESPARK_${kind}_CALLS_${what}`, '100000']),
  );
  const bytes = ['PER_SECOND', 'BURST'].map((what) => [`RESPARK_REPLY_BYTES_${what}`, '1000000000']);
  return {
    ...Object.fromEntries([...named, ...calls, ...bytes]),
    RESPARK_JOB_CONFIRM_ABOVE: '1000000',
    // Many processes share two cores here, so a lease that is as short as that of a test would end by itself.
    ...{ RESPARK_LEASE_MS: '30000', RESPARK_LEASE_MARGIN_MS: '3000', RESPARK_RENEW_MS: '5000' },
    RESPARK_RECOVERY_MS: '30000',
  };
}

async function startCluster() {
  const node = nodeOnCore(0, OWN_NODE);
  const words = [...node.args, CLUSTER, '--nodes', String(NODES), '--no-proxy', '--directory', directory.path];
  const child = spawn(node.command, words, {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', NODE_ENV: 'production', ...clusterSettings() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const [text] of on(child.stdout, 'data', { close: ['end'] })) {
    said += String(text);
    if (said.includes('Ctrl-C stops everything')) break;
  }
  if (!said.includes('is serving')) throw new Error(`the cluster did not start: ${said}`);
  child.stdout.resume();
  return {
    facts: readJson<ClusterFacts>(directory.path, 'cluster.json'),
    async stop() {
      child.kill('SIGINT');
      await once(child, 'exit');
    },
  };
}

function request(key: Key, port: number, path: string, method = 'POST', body = ''): string {
  const url = new URL(path, `http://127.0.0.1:${port}`);
  const signed = signRequest({ method, url, ...key, region: 'us-east-1', nowMs: Date.now(), body: Buffer.from(body) });
  const text = post({ path, port, headers: { ...signed, 'content-length': String(Buffer.byteLength(body)) } });
  return `${text.replace(/^POST/, method)}${body}`;
}

async function call<T>(key: Key, port: number, path: string, method = 'POST', body = ''): Promise<T> {
  const http = new HttpConnection(port);
  try {
    const answer = await http.request(request(key, port, path, method, body));
    if (answer.status !== 200) throw new Error(`${method} ${path} was answered with ${answer.status} ${answer.body}`);
    return JSON.parse(answer.body) as T;
  } finally {
    http.close();
  }
}

const pathOf = (playerId: string, what: string) => `/runtime/game/Demo/stage/Dev/player/${playerId}/${what}`;

const WAYS = { calls: measureCalls, lists: measureLists, job: measureJob, hold } as const;
const measureWhat = WAYS[options.what as keyof typeof WAYS];
if (measureWhat === undefined) throw new Error(`--what is one of ${Object.keys(WAYS).join(', ')}, not ${options.what}`);

async function main(): Promise<void> {
  print({ commit: measuredCommit(), ...machineFacts(), nodes: NODES });
  const { facts, stop } = await startCluster();
  const ports = facts.nodes.map(({ url }) => Number(new URL(url).port));
  const dataDir = facts.nodes[0]?.dataDir ?? '';
  const places = ports.map((port, index): Place => {
    const callPort = ports[(index + 1) % ports.length] as number;
    const target = { port, callPort, dialect: 'respark', network: index + 1 } as const;
    return { port, callPort, generator: startGenerator(target), playerIds: [] };
  });
  try {
    const key = readJson<Key>(dataDir, 'root-credentials');
    const { gameKey, token } = readJson<{ gameKey: string; token: string }>(dataDir, 'demo.json');
    const { aud: stageId } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const secretKey = readFileSync(join(directory.path, 'secret-key'), 'utf8');
    const seedsOf = (playerIds: readonly string[]) => resparkSeeds({ stageId, gameKey, playerIds, secretKey });
    for (const size of SIZES) {
      const connected = await grow(places, Math.floor(size / places.length), seedsOf);
      const found = await measureWhat({ places, key, facts, seedsOf, dataDir });
      print({ connections: size, ...connected, ...found });
    }
  } finally {
    await Promise.all(places.map(({ generator }) => generator.stop()));
    await stop();
  }
}

type SeedsOf = (playerIds: readonly string[]) => ReturnType<typeof resparkSeeds>;

/** Has players connect to all nodes at once, until each node has as many. */
async function grow(places: readonly Place[], perNode: number, seedsOf: SeedsOf) {
  const before = places.reduce((sum, { playerIds }) => sum + playerIds.length, 0);
  const startedAt = performance.now();
  await Promise.all(
    places.map(async ({ generator, playerIds }, node) => {
      // Those of the first node are disconnected by calls, and the others by a job, if there is one.
      while (playerIds.length < perNode) playerIds.push(`${node === 0 ? 'p' : 'q'}-${node}-${playerIds.length}`);
      await generator.connect({ seeds: await seedsOf(playerIds), perPlayer: 1, atOnce: CONNECT_AT_ONCE });
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return { connectsPerSecond: Math.round((places.length * perNode - before) / seconds) };
}

interface Measured {
  readonly places: readonly Place[];
  readonly key: Key;
  readonly facts: ClusterFacts;
  readonly seedsOf: SeedsOf;
  readonly dataDir: string;
}

/** Disconnects players of the first node through the next, and has them connect again. */
async function disconnecting({ places, key, facts, seedsOf }: Measured) {
  const [first] = places as readonly [Place];
  const seeds = await seedsOf(first.playerIds);
  return async (count: number, pacing: Pacing) => {
    const calls = first.playerIds
      .slice(0, count)
      .map((playerId) => ({ playerId, request: request(key, first.callPort, pathOf(playerId, 'disconnect')) }));
    const before = cpuOf(facts);
    const figures = await first.generator.disconnect({ calls, pacing });
    const cpu = differences(cpuOf(facts), before);
    // The next measurement finds as many connections as this one.
    await first.generator.connect({ seeds, perPlayer: 1, atOnce: CONNECT_AT_ONCE });
    return { ...figures, cpu };
  };
}

/**
 * Somebody pages through the connections of the stage at the node that takes the calls; the key has no limits, so nothing
 * but the server's own work holds up the pages.
 */
async function measureLists(parts: Measured) {
  const [{ callPort }] = parts.places as readonly [Place];
  const disconnect = await disconnecting(parts);
  await disconnect(WARM_UP_CALLS, { atOnce: 1 });
  const alone: number[] = [];
  const beside: number[] = [];
  const readers = [];
  const unpin = pinToGeneratorsCore();
  for (let round = 0; round < LIST_ROUNDS; round += 1) {
    alone.push(quantile((await disconnect(CALLS, SPARING)).callMs, 0.5));
    const paging = startPaging({
      ...{ port: callPort, list: 'ListConnections' },
      requestOf: (path) => request(parts.key, callPort, `/respark/game/Demo/stage/Dev/${path}`, 'GET'),
    });
    beside.push(quantile((await disconnect(CALLS, SPARING)).callMs, 0.5));
    readers.push(await paging.stop());
  }
  unpin();
  const [withoutP50Ms, withP50Ms] = [median(alone), median(beside)];
  return { withoutP50Ms, withP50Ms, p50Ratio: withP50Ms / withoutP50Ms, readers, load: loadavg()[0] };
}

async function hold({ dataDir }: Measured) {
  process.stderr.write(`the cluster is up until Ctrl-C; the first node's data directory is ${dataDir}\n`);
  await once(process, 'SIGINT');
  return {};
}

async function measureJob(parts: Measured) {
  const { places, key } = parts;
  const [{ callPort, playerIds }] = places as readonly [Place];
  const disconnect = await disconnecting(parts);
  await disconnect(WARM_UP_CALLS, { atOnce: 1 });
  const alone = (await disconnect(CALLS, SPARING)).callMs;
  const startedAt = performance.now();
  const asked = JSON.stringify({ Selector: { PlayerIdPrefix: 'q-' }, RatePerSecond: JOB_RATE, Reason: 'BENCH' });
  interface Answer {
    readonly Job: Readonly<Record<'JobId' | 'State', string> & Record<'Closed' | 'GoneAlready' | 'Unproven', number>>;
  }
  const begun = await call<Answer>(key, callPort, JOBS, 'POST', asked);
  const read = async () => (await call<Answer>(key, callPort, `${JOBS}/${begun.Job.JobId}`, 'GET')).Job;
  const beside = (await disconnect(CALLS, SPARING)).callMs;
  const { State: stateAfterCalls } = await read();
  let job = await read();
  for (; job.State === 'PENDING' || job.State === 'IN_PROGRESS'; job = await read()) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const path = '/respark/game/Demo/stage/Dev/connection-count';
  const { Connections: left } = await call<{ Connections: number }>(key, callPort, path, 'GET');
  const [aloneP50Ms, besideP50Ms] = [quantile(alone, 0.5), quantile(beside, 0.5)];
  return {
    ...{ aloneP50Ms, aloneP99Ms: quantile(alone, 0.99), besideP50Ms, besideP99Ms: quantile(beside, 0.99) },
    ...{ p50Ratio: besideP50Ms / aloneP50Ms, stateAfterCalls, state: job.State, seconds },
    ...{ closed: job.Closed, gone: job.GoneAlready, unproven: job.Unproven },
    ...{ othersConnected: left, othersExpected: playerIds.length, load: loadavg()[0] },
  };
}

async function measureCalls(parts: Measured) {
  const { places, key, facts } = parts;
  const [first] = places as readonly [Place];
  const disconnect = await disconnecting(parts);
  await disconnect(WARM_UP_CALLS, { atOnce: 1 });
  const loads = [];
  for (const pacing of LOADS) {
    const { callMs, closedMs, durationMs, cpu } = await disconnect(CALLS, pacing);
    const idle = await idleCpu(facts, durationMs);
    loads.push({
      ...pacing,
      callP50Ms: quantile(callMs, 0.5),
      callP99Ms: quantile(callMs, 0.99),
      closedP50Ms: quantile(closedMs, 0.5),
      cpuMicrosPerCall: Object.fromEntries(
        Object.entries(differences(cpu, idle)).map(([name, micros]) => [name, Math.round(micros / CALLS)]),
      ),
      idleCpuShare: Object.fromEntries(
        Object.entries(idle).map(([name, micros]) => [name, Number((micros / durationMs / 1_000).toFixed(4))]),
      ),
    });
  }
  const statusMs = await timeStatuses(first, key);
  const deploymentMs: number[] = [];
  for (let round = 0; round < DEPLOYMENTS; round += 1) deploymentMs.push(await deploy(first, key));
  return {
    loads,
    statusP50Ms: quantile(statusMs, 0.5),
    statusP99Ms: quantile(statusMs, 0.99),
    deploymentP50Ms: quantile(deploymentMs, 0.5),
    deploymentMaxMs: Math.max(...deploymentMs),
    nodeRssMiB: Math.round(rssBytes(facts.pids['node-1'] ?? 0) / 2 ** 20),
    redisRssMiB: Math.round(rssBytes(facts.pids.Redis ?? 0) / 2 ** 20),
    load: loadavg()[0],
  };
}

async function timeStatuses({ playerIds, callPort }: Place, key: Key): Promise<number[]> {
  const http = new HttpConnection(callPort);
  const tookMs: number[] = [];
  for (const playerId of playerIds.slice(0, CALLS)) {
    const asked = request(key, callPort, pathOf(playerId, 'connection'), 'GET');
    const startedAt = performance.now();
    const { status, body } = await http.request(asked);
    tookMs.push(performance.now() - startedAt);
    if (status !== 200 || !body.includes('"Id"')) throw new Error(`a status was answered with ${status} ${body}`);
  }
  http.close();
  return tookMs;
}

/** From the call until the deployment is completed, which is when all nodes know it. */
async function deploy({ callPort }: Place, key: Key): Promise<number> {
  const { Snapshot } = await call<{ Snapshot: { Id: string } }>(key, callPort, '/game/Demo/snapshot', 'POST', '{}');
  const stage = '/game/Demo/stage/Dev/deployment';
  const body = JSON.stringify({ SnapshotId: Snapshot.Id });
  const startedAt = performance.now();
  await call(key, callPort, stage, 'POST', body);
  for (;;) {
    const { StageDeployment } = await call<{ StageDeployment: { DeploymentState: string; DeploymentResult?: object } }>(
      ...([key, callPort, stage, 'GET'] as const),
    );
    const { DeploymentState: state } = StageDeployment;
    if (state === 'COMPLETED') return performance.now() - startedAt;
    if (state === 'FAILED') throw new Error(`a deployment failed: ${JSON.stringify(StageDeployment)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** CPU of each kind of process. PostgreSQL has one for each of its connections. */
function cpuOf({ pids }: ClusterFacts): Record<string, number> {
  const postgres = pids.PostgreSQL ?? 0;
  const sum = (chosen: readonly number[]) => chosen.reduce((total, pid) => total + cpuMicros(pid), 0);
  const nodes = Object.entries(pids).flatMap(([name, pid]) => (name.startsWith('node-') ? [[name, pid] as const] : []));
  const pick = (index: number) => nodes.filter((_, number) => number === index).map(([, pid]) => pid);
  return {
    owner: sum(pick(0)),
    coordinator: sum(pick(1)),
    others: sum(nodes.slice(2).map(([, pid]) => pid)),
    redis: cpuMicros(pids.Redis ?? 0),
    postgres: sum([postgres, ...childrenOf(postgres)]),
  };
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return new RegExp(`^PPid:\\s+${parent}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      } catch {
        return false;
      }
    });
}

/** What the processes use while nobody calls. */
async function idleCpu(facts: ClusterFacts, durationMs: number): Promise<Record<string, number>> {
  const before = cpuOf(facts);
  await new Promise((resolve) => setTimeout(resolve, durationMs));
  return differences(cpuOf(facts), before);
}

function differences(after: Record<string, number>, before: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]));
}

await main().finally(directory.remove);
