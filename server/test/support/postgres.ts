import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chownSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext } from 'node:test';
import pg from 'pg';
import { systemClock } from '../../src/clock.ts';
import { openPostgres, type Postgres } from '../../src/store/postgres.ts';
import { recordedLog } from './domain.ts';
import { freePort } from './free-port.ts';

/** Debian's, of any of its versions; elsewhere those of the search path. */
function findBinaries(): string | undefined {
  const root = '/usr/lib/postgresql';
  const versions = readdirIfThere(root).sort((a, b) => Number(b) - Number(a));
  const directories = [
    ...versions.map((version) => join(root, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return directories.find((directory) => {
    try {
      for (const program of ['initdb', 'postgres']) accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function readdirIfThere(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

const binaries = findBinaries();

/** Why there can be no server of the tests' own; false when there can. CI counts its tests, and refuses to have none. */
export const whyNoPostgres: string | false =
  binaries === undefined ? 'PostgreSQL is not installed (on Debian: apt-get install postgresql)' : false;

/** A test, or anything else with an end. */
type Ending = Pick<TestContext, 'after'>;

export interface PostgresServer {
  /** The URL of a new empty database, of any name, until the test ends. */
  emptyDatabase(t: Ending): Promise<string>;
  /** The same for a database with the schema of this program. */
  migratedDatabase(t: Ending): Promise<string>;
  /** Runs a statement as the superuser. */
  execute(url: string, statement: string): Promise<Record<string, unknown>[]>;
  /** Kills every process of the server, as a loss of power does. */
  kill(): Promise<void>;
  /** Ends it without a last checkpoint, as `pg_ctl stop -m immediate` does: clients still hear of it. */
  stopImmediately(): Promise<void>;
  /** Starts the server again, where it was, after a kill: as a standby, which can only be read, or as what it was. */
  restart(as?: 'primary' | 'standby'): Promise<void>;
  /** Its processes at this moment: it has one for each of its connections. */
  pids(): readonly number[];
  /** Stops all processes of the server where they are, until `resume`. */
  pause(): void;
  resume(): void;
}

/** Settings of a node on this database. */
export function databaseSettings(databaseUrl: string) {
  return {
    databaseUrl,
    databaseCaFile: undefined,
    databasePoolSize: 5,
    databaseConnectTimeoutMs: 5_000,
    databaseStatementTimeoutMs: 10_000,
  };
}

function openTestPostgres(url: string) {
  const { log } = recordedLog();
  return openPostgres({ settings: databaseSettings(url), clock: systemClock, log, isWatching: false });
}

/** Opens a database that has its schema, until the test ends. */
export async function openMigrated(t: TestContext, url: string): Promise<Postgres> {
  const postgres = await openTestPostgres(url);
  t.after(() => postgres.database.close());
  return postgres;
}

interface ServerOptions {
  readonly tls?: { readonly certFile: string; readonly keyFile: string };
  /** Without one, everybody is let in. */
  readonly password?: string;
}

/** A private server for the tests of a file. */
export function usePostgres(options: ServerOptions = {}): PostgresServer {
  if (whyNoPostgres !== false) return unusable();
  const { open, close, ...server } = createPostgres(options);
  before(open);
  after(close);
  return server;
}

/** A private server until the end. */
export async function startPostgres(t: Ending): Promise<PostgresServer> {
  if (whyNoPostgres !== false) throw new Error(whyNoPostgres);
  const { open, close, ...server } = createPostgres({});
  t.after(close);
  await open();
  return server;
}

/** A server on a free port and without synchronising the disk, which runs from `open` to `close`. */
function createPostgres({
  tls,
  password,
}: ServerOptions): PostgresServer & { open(): Promise<void>; close(): Promise<void> } {
  const user = userOfServer();
  const directory = mkdtempSync(join(tmpdir(), 'respark-postgres-'));
  const data = join(directory, 'data');
  const keyFile = join(directory, 'key.pem');
  const passwordFile = join(directory, 'password');
  let port = 0;
  let child: ChildProcess | undefined;
  let databases = 0;
  let migrated: Promise<void> | undefined;
  const program = (name: string) => join(String(binaries), name);
  const signIn = password === undefined ? 'postgres' : `postgres:${encodeURIComponent(password)}`;
  const urlOf = (name: string) => `postgres://${signIn}@127.0.0.1:${port}/${name}`;

  async function start(): Promise<void> {
    const options = [
      ...['fsync=off', 'full_page_writes=off', 'listen_addresses=127.0.0.1,127.0.0.2', 'max_connections=200'],
      ...[`unix_socket_directories=${directory}`, `port=${port}`, 'shared_buffers=16MB'],
      ...(tls === undefined ? [] : ['ssl=on', `ssl_cert_file=${tls.certFile}`, `ssl_key_file=${keyFile}`]),
    ];
    const args = ['-D', data, ...options.flatMap((option) => ['-c', option])];
    child = spawn(program('postgres'), args, { ...user, stdio: ['ignore', 'ignore', 'pipe'], cwd: directory });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_096);
    });
    const ended = once(child, 'exit').then(() => {
      throw new Error(`PostgreSQL ended: ${said}`);
    });
    ended.catch(() => {});
    await Promise.race([ended, answering(() => urlOf('postgres'))]);
  }

  async function end(how: 'SIGKILL' | 'SIGQUIT'): Promise<void> {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    const pids = pidsOf(child.pid);
    // Its first process passes on every signal but SIGKILL.
    for (const pid of how === 'SIGKILL' ? pids : [child.pid]) signal(pid, how);
    await exited;
    while (pids.some(isRunning)) await tick();
  }

  const pids = () => (child?.pid === undefined ? [] : pidsOf(child.pid));
  const signalAll = (name: NodeJS.Signals) => {
    for (const pid of pids()) signal(pid, name);
  };

  async function create(t: Ending, how: string): Promise<string> {
    databases += 1;
    const name = `test_${databases}`;
    await execute(urlOf('postgres'), `create database ${name} ${how}`);
    t.after(() => execute(urlOf('postgres'), `drop database ${name} with (force)`).catch(() => {}));
    return urlOf(name);
  }

  async function open(): Promise<void> {
    // PostgreSQL refuses a key that others may read.
    if (tls !== undefined) writeFileSync(keyFile, readFileSync(tls.keyFile), { mode: 0o600 });
    if (user.uid !== undefined && user.gid !== undefined) {
      for (const path of [directory, ...(tls === undefined ? [] : [keyFile])]) chownSync(path, user.uid, user.gid);
    }
    // A language of its own, so that what needs the order of bytes has to ask for it.
    const language = ['--locale-provider=icu', '--icu-locale=en', '--locale=C'];
    const args = ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--no-sync', ...language];
    if (password !== undefined) writeFileSync(passwordFile, password);
    const letsIn = password === undefined ? ['-A', 'trust'] : ['-A', 'scram-sha-256', `--pwfile=${passwordFile}`];
    execFileSync(program('initdb'), [...args, ...letsIn], { ...user, stdio: 'pipe', cwd: directory });
    port = await freePort();
    await start();
  }

  async function close(): Promise<void> {
    await end('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }

  return {
    open,
    close,
    emptyDatabase: (t) => create(t, 'template template0'),
    async migratedDatabase(t) {
      migrated ??= (async () => {
        await execute(urlOf('postgres'), 'create database migrated template template0');
        const { database } = await openTestPostgres(urlOf('migrated'));
        await database.migrate();
        await database.close();
      })();
      await migrated;
      return await create(t, 'template migrated');
    },
    execute,
    kill: () => end('SIGKILL'),
    stopImmediately: () => end('SIGQUIT'),
    async restart(as = 'primary') {
      const mark = join(data, 'standby.signal');
      if (as === 'standby') writeFileSync(mark, '');
      else rmSync(mark, { force: true });
      await start();
    },
    pids,
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
  };
}

async function execute(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Waits until the server lets clients in. */
async function answering(url: () => string): Promise<void> {
  for (;;) {
    try {
      await execute(url(), 'select 1');
      return;
    } catch {
      await tick();
    }
  }
}

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

/** PostgreSQL refuses to run as root. */
function userOfServer(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    const [, uid, gid] =
      new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return {};
}

/** A process and its children. */
function pidsOf(parent: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === parent);
  return [parent, ...children.map(Number)];
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

function unusable(): PostgresServer {
  const refuse = () => {
    throw new Error(String(whyNoPostgres));
  };
  return {
    ...{ emptyDatabase: refuse, migratedDatabase: refuse, execute: refuse, kill: refuse, stopImmediately: refuse },
    ...{ restart: refuse, pids: refuse, pause: refuse, resume: refuse },
  };
}
