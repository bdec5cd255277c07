// Runs a whole cluster on this machine with plain processes, to look at or to try things on, until Ctrl-C. See HELP.
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createSupervisor, findPrograms, ownerOfPostgres, runToEnd } from './cluster-processes.js';

const HELP = `Usage: npm run cluster -- [--nodes N] [--directory DIR] [--port PORT]

Runs PostgreSQL, Redis, N nodes of Respark and HAProxy on this machine, as plain processes on free ports of 127.0.0.1.
It prints where everything is and what to try. A process that ends, or is killed, is started again after a second.
Ctrl-C stops all of them.

  --nodes N        how many nodes (default: 3, at most 16)
  --directory DIR  where everything is kept, and found again by the next run; by default it is a temporary directory,
                   which is removed at the end
  --port PORT      port of the load balancer (default: a free one)
  --no-proxy       no load balancer
  --help           this text

Settings in the environment, such as RESPARK_LEASE_MS=30000, go to every node. On Debian, the programs come with
apt-get install postgresql redis-server haproxy`;

const RESPARK = fileURLToPath(new URL('../server/bin/respark.js', import.meta.url));
const PROXY_CONFIG = fileURLToPath(new URL('../examples/cluster/haproxy.cfg', import.meta.url));

/** From here the load balancer connects. Only this address is trusted to say who the client is. */
const PROXY_ADDRESS = '127.0.0.100';

const NODE_START_MS = 60_000;

const options = readOptions();
const programs = findPrograms({ needsProxy: options.hasProxy });
if (programs.missing.length > 0) refuse(programs.missing.join('\n'));
const { directory, isTemporary } = openDirectory(options.directory);
const supervisor = createSupervisor({ say: (text) => console.log(text), stop });

let isStopping = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0));
// What goes wrong here must not leave the processes behind.
process.on('exit', () => {
  supervisor.killAll();
  if (isTemporary) rmSync(directory, { recursive: true, force: true });
});

try {
  await start();
} catch (error) {
  if (!isStopping) {
    console.error(error.message);
    await stop(1);
  }
}

async function start() {
  const [redisPort, postgresPort, proxyPort, ...nodePorts] = await freePorts(3 + options.nodes);
  const secret = secretOf(directory);
  const postgres = await startPostgres(postgresPort, secret);
  const redis = await startRedis(redisPort, secret);
  const port = options.port ?? proxyPort;
  const nodes = nodePorts.map((nodePort, index) => ({
    name: `node-${index + 1}`,
    port: nodePort,
    url: `http://127.0.0.1:${nodePort}`,
    dataDir: join(directory, `node-${index + 1}`),
  }));
  const publicUrl = `http://127.0.0.1:${options.hasProxy ? port : nodePorts[0]}`;
  const env = nodeSettings({ postgres, redis, publicUrl, secret });
  await Promise.all(nodes.map((node) => startNode(node, env)));
  if (options.hasProxy) await startProxy(port, nodes);
  const facts = {
    url: publicUrl,
    nodes: nodes.map(({ name, url, dataDir }) => ({ name, url, dataDir })),
    pids: supervisor.pids(),
  };
  writeFileSync(join(directory, 'cluster.json'), `${JSON.stringify(facts, undefined, 2)}\n`);
  console.log(describe(facts));
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        nodes: { type: 'string', default: '3' },
        directory: { type: 'string' },
        port: { type: 'string' },
        'no-proxy': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(HELP);
      process.exit(0);
    }
    return {
      nodes: wholeNumber('--nodes', values.nodes, 1, 16),
      directory: values.directory,
      port: values.port === undefined ? undefined : wholeNumber('--port', values.port, 1, 65_535),
      hasProxy: !values['no-proxy'],
    };
  } catch (error) {
    return refuse(`${error.message}\nnpm run cluster -- --help says what there is.`, 2);
  }
}

function wholeNumber(flag, text, min, max) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`${flag} must be a number from ${min} to ${max}, got "${text}"`);
}

function refuse(text, code = 1) {
  console.error(text);
  process.exit(code);
}

/** Others may pass through it, because PostgreSQL does not run as root; what is in it has rights of its own. */
function openDirectory(given) {
  const isTemporary = given === undefined;
  const directory = isTemporary ? mkdtempSync(join(tmpdir(), 'respark-cluster-')) : resolve(given);
  try {
    mkdirSync(directory, { recursive: true });
    if (isTemporary) chmodSync(directory, 0o711);
  } catch (error) {
    refuse(`the directory ${directory} cannot be made: ${error.message}; name another one with --directory`);
  }
  return { directory, isTemporary };
}

/** The nodes' secret key, from which the passwords of the servers follow too: a directory is used again with what is in it. */
function secretOf(where) {
  const file = join(where, 'secret-key');
  if (!existsSync(file)) writeFileSync(file, randomBytes(32).toString('base64'), { mode: 0o600 });
  return {
    key: readFileSync(file, 'utf8'),
    password: Buffer.from(readFileSync(file, 'utf8'), 'base64').toString('hex'),
  };
}

async function startPostgres(port, { password }) {
  const data = join(directory, 'postgres');
  const owner = ownerOfPostgres(data);
  if (!existsSync(join(data, 'PG_VERSION'))) {
    const passwordFile = join(directory, 'postgres-password');
    writeFileSync(passwordFile, password, { mode: 0o600 });
    owner.own(passwordFile);
    const flags = ['-A', 'scram-sha-256', '-U', 'respark', '-E', 'UTF8', '--locale=C', `--pwfile=${passwordFile}`];
    await runToEnd(programs.initdb, ['-D', data, ...flags], owner.spawnOptions);
    rmSync(passwordFile);
  }
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=400'];
  await supervisor.start({
    name: 'PostgreSQL',
    words: [programs.postgres, '-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    spawnOptions: owner.spawnOptions,
    logFile: join(directory, 'postgres.log'),
    // Its fast shutdown: it does not wait for its clients.
    stopSignal: 'SIGINT',
    isUp: ({ log }) => log().includes('database system is ready to accept connections'),
  });
  return `postgres://respark:${password}@127.0.0.1:${port}/postgres`;
}

async function startRedis(port, { password }) {
  const file = join(directory, 'redis.conf');
  const lines = [`port ${port}`, 'bind 127.0.0.1', `requirepass ${password}`, 'save ""', 'appendonly no'];
  writeFileSync(file, [...lines, 'maxmemory-policy noeviction', ''].join('\n'), { mode: 0o600 });
  await supervisor.start({
    name: 'Redis',
    words: [programs.redis, file],
    spawnOptions: { cwd: directory },
    logFile: join(directory, 'redis.log'),
    stopSignal: 'SIGTERM',
    isUp: ({ log }) => /ready to accept connections/i.test(log()),
  });
  return `redis://:${password}@127.0.0.1:${port}`;
}

/** Times are shorter than the defaults, so that one need not wait long for what happens; the environment may say otherwise. */
function nodeSettings({ postgres, redis, publicUrl, secret }) {
  const given = Object.entries(process.env).filter(([name]) => name.startsWith('RESPARK_'));
  return {
    ...{ PATH: process.env.PATH, HOME: process.env.HOME, NODE_OPTIONS: process.env.NODE_OPTIONS ?? '' },
    ...{ RESPARK_LEASE_MS: '9000', RESPARK_LEASE_MARGIN_MS: '1000', RESPARK_RENEW_MS: '1000' },
    ...{ RESPARK_RECOVERY_MS: '9000', RESPARK_DRAIN_DELAY_MS: '2000' },
    ...Object.fromEntries(given),
    ...{ RESPARK_DATABASE_URL: postgres, RESPARK_REDIS_URL: redis, RESPARK_SECRET_KEY: secret.key },
    ...{ RESPARK_PUBLIC_URL: publicUrl, RESPARK_TRUSTED_PROXIES: PROXY_ADDRESS },
  };
}

async function startNode({ name, port, url, dataDir }, env) {
  await supervisor.start({
    name,
    words: [process.execPath, RESPARK, 'serve', '--demo', '--port', String(port), '--data-dir', dataDir],
    spawnOptions: { env, cwd: directory },
    logFile: join(directory, `${name}.log`),
    stopSignal: 'SIGTERM',
    startMs: NODE_START_MS + Number(env.RESPARK_RECOVERY_MS),
    isUp: () => isReady(url),
  });
}

async function startProxy(port, nodes) {
  const file = join(directory, 'haproxy.cfg');
  const servers = nodes.map(
    ({ name, port: nodePort }) => `    server ${name} 127.0.0.1:${nodePort} source ${PROXY_ADDRESS}`,
  );
  const config = readFileSync(PROXY_CONFIG, 'utf8')
    .replace('bind :8080', `bind 127.0.0.1:${port}`)
    // HAProxy lowers it to what the limit of open files allows.
    .replace(/^ *maxconn .*\n/m, '')
    .replace(/(?:^ {4}server .*\n)+/gm, `${servers.join('\n')}\n`);
  writeFileSync(file, config);
  await supervisor.start({
    name: 'HAProxy',
    words: [programs.haproxy, '-db', '-f', file],
    spawnOptions: { cwd: directory },
    logFile: join(directory, 'haproxy.log'),
    stopSignal: 'SIGTERM',
    isUp: () => isReady(`http://127.0.0.1:${port}`),
  });
}

async function isReady(url) {
  const reply = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
  return reply?.status === 200;
}

/**
 * All of them are held at once, so that no two are the same. They are below those that Linux gives to programs that ask for
 * any, so that no other program gets one before it is used.
 */
async function freePorts(count) {
  const servers = [];
  while (servers.length < count) {
    const server = createServer().listen(randomInt(10_000, 32_768), '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (isFree) servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}

function describe({ url, nodes, pids }) {
  const [first] = nodes;
  const last = nodes.at(-1);
  const rows = [
    ...(options.hasProxy ? [['load balancer', `${url}, for players ${url.replace('http', 'ws')}/connect`]] : []),
    ...nodes.map((node) => [node.name, `${node.url}  process ${pids[node.name]}`]),
    ['root key', join(first.dataDir, 'root-credentials')],
    ['logs', join(directory, '*.log')],
  ];
  return `A cluster of ${nodes.length} ${nodes.length === 1 ? 'node' : 'nodes'} is serving.

${rows.map(([what, is]) => `  ${what.padEnd(14)}  ${is}`).join('\n')}

Try, in another terminal, each line:
  npx --no respark nodes --data-dir ${first.dataDir}
  npx --no respark connect --data-dir ${first.dataDir}
and in a third, at another node:
  npx --no respark disconnect --game Demo --stage Dev --player demo-player --data-dir ${last.dataDir}
  npx --no respark drain NODE_ID --data-dir ${last.dataDir}   # its players go to other nodes, and it is started again
  kill -9 ${pids[first.name]}   # its players come back elsewhere; it is SILENT until its lease has ended

Ctrl-C stops everything${isTemporary ? ' and removes it' : `; what it knows stays in ${directory}`}.`;
}

async function stop(exitCode) {
  if (isStopping) {
    // A second signal hurries.
    supervisor.killAll();
    return;
  }
  isStopping = true;
  console.log('stopping …');
  // What others need is stopped after them.
  for (const names of [/^HAProxy$/, /^node-/, /./]) await supervisor.stop(names);
  process.exit(exitCode);
}
