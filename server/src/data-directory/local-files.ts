import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '../startup-error.ts';
import { decodeText } from '../text.ts';
import { assertOwnFile } from './rights.ts';
import { LOCK_FILE } from './server-files.ts';

/** Files in the data directory by which commands on the same machine find the running server and its demo. */
export const ROOT_CREDENTIALS_FILE = 'root-credentials';
export const RUNNING_FILE = 'running.json';
export const DEMO_FILE = 'demo.json';

/** The URLs of the server that runs on the data directory. */
export interface ServerAddresses {
  readonly url: string;
  readonly playerUrl: string;
}

/** A player who may connect to the demo stage. */
export interface DemoPlayer {
  readonly gameKey: string;
  readonly playerId: string;
  readonly token: string;
}

/**
 * Reads what a server has left in its data directory; undefined when the file is missing or cannot be read. Rejects with a
 * `StartupError` for a file of another user, who could have commands call any server.
 */
export const readLocalFile = {
  rootCredentials: (dataDir: string) =>
    readStrings(dataDir, ROOT_CREDENTIALS_FILE, ['accessKeyId', 'secretAccessKey'] as const),
  /** Undefined also for what a server has left that was killed: its port may be anybody's by now. */
  async running(dataDir: string): Promise<ServerAddresses | undefined> {
    if ((await readLocalFile.lastRunning(dataDir)) === undefined) return undefined;
    // A server that takes the lock removes the addresses that it finds, so those that are read while it is held are its own.
    return (await isLocked(join(dataDir, LOCK_FILE))) ? await readLocalFile.lastRunning(dataDir) : undefined;
  },
  /** The same of a server that runs, or was killed. */
  lastRunning: (dataDir: string): Promise<ServerAddresses | undefined> =>
    readStrings(dataDir, RUNNING_FILE, ['url', 'playerUrl'] as const),
  demo: (dataDir: string): Promise<DemoPlayer | undefined> =>
    readStrings(dataDir, DEMO_FILE, ['gameKey', 'playerId', 'token'] as const),
};

/** Whether a process holds the lock of a data directory, which ends with it. */
async function isLocked(file: string): Promise<boolean> {
  // The package is loaded only here, because commands should start quickly.
  const { default: Libsql } = await import('libsql');
  try {
    const connection = new Libsql(file, { readonly: true, fileMustExist: true });
    try {
      connection.exec('BEGIN; SELECT 1 FROM sqlite_master');
      return false;
    } finally {
      connection.close();
    }
  } catch (error) {
    return error instanceof Libsql.SqliteError && error.code === 'SQLITE_BUSY';
  }
}

const OPEN_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function readStrings<Name extends string>(
  dataDir: string,
  file: string,
  names: readonly Name[],
): Promise<Record<Name, string> | undefined> {
  try {
    const found = JSON.parse(decodeText(await readOwn(join(dataDir, file)))) as Record<Name, unknown>;
    return names.every((name) => typeof found[name] === 'string') ? (found as Record<Name, string>) : undefined;
  } catch (error) {
    if (error instanceof StartupError) throw error;
    return undefined;
  }
}

async function readOwn(path: string): Promise<Buffer> {
  // What has been opened is looked at, so that nothing else can take its place. Servers leave no links and no pipes, to
  // open one of which would wait for its writer.
  const file = await open(path, OPEN_FILE);
  try {
    const found = await file.stat();
    assertOwnFile(path, found);
    if (!found.isFile()) throw new Error(`${path} is not a file`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
