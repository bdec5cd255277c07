import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describeFileFault } from '../file-fault.ts';
import { makeDirectories } from '../make-directories.ts';
import { decodeText, EncodingError, printable } from '../text.ts';
import { CommandError, type World } from './world.ts';

/**
 * The whole text file, or stdin for `-`, without a byte order mark. Throws a CommandError (exit code 2) that begins with
 * `what`, such as a flag.
 */
export async function readInputText(world: World, path: string, what: string): Promise<string> {
  const fail = (problem: string, cause: unknown) => new CommandError(`${what} ${problem}`, { exitCode: 2, cause });
  const bytes = await (path === '-' ? buffer(world.stdin) : readFile(path)).catch((error: unknown) => {
    throw fail(`must name a file that can be read, got "${path}" (${codeOf(error)})`, error);
  });
  try {
    return decodeText(bytes);
  } catch (error) {
    if (error instanceof EncodingError) throw fail(`must name a text file, got "${path}": ${error.message}`, error);
    throw error;
  }
}

/** The text file, or undefined when there is none. Throws a CommandError when it cannot be read. */
export async function readTextIfPresent(path: string, flag: number = constants.O_RDONLY): Promise<string | undefined> {
  try {
    return decodeText(await readFile(path, { flag }));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    const reason = error instanceof EncodingError ? error.message : codeOf(error);
    throw new CommandError(`cannot read "${printable(path)}": ${reason}`, { cause: error });
  }
}

/** Makes the directory and those above it, unless they are there. Throws a CommandError. */
export function makeDirectory(path: string): void {
  try {
    makeDirectories(path);
  } catch (error) {
    throw new CommandError(`cannot make the directory "${path}": ${describeFileFault(error)}`, { cause: error });
  }
}

/**
 * Creates or replaces the file that the command line names, which is whole or as it was before. Throws a CommandError.
 */
export async function writeOutputFile(path: string, content: string | Uint8Array): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  // A device or a pipe, such as /dev/stdout, stays what it is, and so does a file that others link to.
  const stays = found !== undefined && (!found.isFile() || found.nlink > 1 || (await isLink(path)));
  if (!stays) return await replaceFile(path, content);
  await writeFile(path, content).catch((error: unknown) => {
    throw writeFault(path, error);
  });
}

/**
 * Creates the file, or replaces it in one step, so that it is either the whole new one or as it was before. A link is replaced
 * itself, and what it leads to stays as it is. Throws a CommandError.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    const found = await lstat(path).catch(() => undefined);
    const mode = found?.isFile() === true ? { mode: found.mode & 0o777 } : {};
    try {
      // No file of this name is opened, nor a link followed: it must be a new one.
      await writeFile(temporary, content, { flag: 'wx', flush: true, ...mode });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    throw writeFault(path, error);
  }
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true;
}

function writeFault(path: string, error: unknown): CommandError {
  return new CommandError(`cannot write "${printable(path)}": ${describeFileFault(error)}`, { cause: error });
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
