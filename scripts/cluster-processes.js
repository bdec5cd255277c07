// The processes of `npm run cluster`: finds the programs, starts them, starts them again when they end, and stops them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const START_MS = 30_000;
const STOP_MS = 20_000;
const PAUSE_MS = 1_000;
/** A process that ends as soon as this, and this often in a row, will not do better by being started once more. */
const SHORT_LIFE_MS = 3_000;
const MAX_SHORT_LIVES = 5;
const LOG_TAIL = 2_000;

/** The paths of the programs, and a line for each that is missing. */
export function findPrograms({ needsProxy }) {
  const path = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const find = (directories, ...names) =>
    directories.flatMap((directory) => names.map((name) => join(directory, name))).find(isExecutable);
  // Debian keeps the programs of PostgreSQL off the search path.
  const postgresPath = [...debianPostgres(), ...path];
  const wanted = {
    initdb: [find(postgresPath, 'initdb'), 'initdb of PostgreSQL', 'postgresql'],
    postgres: [find(postgresPath, 'postgres'), 'postgres of PostgreSQL', 'postgresql'],
    redis: [find(path, 'redis-server', 'valkey-server'), 'redis-server or valkey-server', 'redis-server'],
    ...(needsProxy ? { haproxy: [find(path, 'haproxy'), 'haproxy', 'haproxy'] } : {}),
  };
  return {
    ...Object.fromEntries(Object.entries(wanted).map(([name, [found]]) => [name, found])),
    missing: Object.values(wanted)
      .filter(([found]) => found === undefined)
      .map(([, what, pack]) => `There is no ${what} on this machine. On Debian: apt-get install ${pack}`),
  };
}

function debianPostgres() {
  const root = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(root, version, 'bin'));
  } catch {
    return [];
  }
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The user who runs PostgreSQL, which refuses to run as root. Makes the directory, which that user owns. */
export function ownerOfPostgres(data) {
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  const own = (file) => {
    if (user !== undefined) chownSync(file, user.uid, user.gid);
  };
  own(data);
  return { own, spawnOptions: { ...user, cwd: data } };
}

function unprivilegedUser() {
  const users = readFileSync('/etc/passwd', 'utf8');
  for (const name of ['postgres', 'nobody']) {
    const [, uid, gid] = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users) ?? [];
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    'PostgreSQL refuses to run as root, and there is no user "postgres" or "nobody": run this as another user',
  );
}

/** Runs a program that ends by itself. */
export async function runToEnd(command, args, spawnOptions) {
  const child = spawn(command, args, { ...spawnOptions, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const [code] = await once(child, 'close');
  if (code === 0) return;
  const advice = /Permission denied/.test(said)
    ? '\nPostgreSQL runs as another user here, who must be able to pass through the directory: chmod 711'
    : '';
  throw new Error(`${command} failed: ${said.slice(-LOG_TAIL).trimEnd()}${advice}`);
}

/** Keeps processes going. `stop` is called with an exit code when one of them cannot be kept going. */
export function createSupervisor({ say, stop }) {
  /** Name → its process, and what it takes to start it. */
  const parts = new Map();

  function launch(part) {
    const log = openSync(part.logFile, 'a', 0o600);
    const [command, ...args] = part.words;
    // In a group of its own, so that Ctrl-C reaches this process alone, which stops the others in their order.
    const child = spawn(command, args, { ...part.spawnOptions, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    part.child = child;
    part.startedAt = performance.now();
    part.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
    });
    void part.ended.then((how) => {
      part.child = undefined;
      if (part.isUp && !part.isStopping) void again(part, how);
    });
  }

  async function again(part, how) {
    part.shortLives = performance.now() - part.startedAt < SHORT_LIFE_MS ? part.shortLives + 1 : 0;
    if (part.shortLives >= MAX_SHORT_LIVES) {
      say(`${part.name} has ended (${how}) again and again: ${tail(part)}`);
      await stop(1);
      return;
    }
    say(`${part.name} has ended (${how}), and is started again`);
    await pause(PAUSE_MS);
    if (!part.isStopping) launch(part);
  }

  return {
    /** Resolves when it is up; rejects with the end of its log when it does not come up. */
    async start({ isUp, startMs = START_MS, ...described }) {
      const part = { ...described, shortLives: 0, isUp: false, isStopping: false };
      part.logStart = textOf(part.logFile).length;
      parts.set(part.name, part);
      launch(part);
      const deadline = performance.now() + startMs;
      while (!(await isUp({ log: () => textOf(part.logFile).slice(part.logStart) }))) {
        if (part.child === undefined) throw new Error(`${part.name} has ended (${await part.ended}): ${tail(part)}`);
        if (performance.now() > deadline) throw new Error(`${part.name} does not come up: ${tail(part)}`);
        await pause(50);
      }
      part.isUp = true;
    },
    pids: () => Object.fromEntries([...parts].map(([name, { child }]) => [name, child?.pid])),
    /** Stops those whose name matches, all at once, and kills those that take too long. */
    async stop(names) {
      const chosen = [...parts.values()].filter(({ name }) => names.test(name));
      await Promise.all(
        chosen.map(async (part) => {
          part.isStopping = true;
          part.child?.kill(part.stopSignal);
          const timer = setTimeout(() => kill(part), STOP_MS);
          await part.ended;
          clearTimeout(timer);
        }),
      );
    },
    killAll() {
      for (const part of parts.values()) {
        part.isStopping = true;
        kill(part);
      }
    },
  };
}

/** With what it has started: PostgreSQL has processes of its own. */
function kill({ child }) {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function tail({ logFile }) {
  return `${logFile} ends with\n${textOf(logFile).slice(-LOG_TAIL)}`;
}

function textOf(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
