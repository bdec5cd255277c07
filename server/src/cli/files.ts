import { randomUUID } from 'node:crypto';
import { lstat, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describeFileFault } from '../file-fault.ts';
import { makeDirectories } from '../make-directories.ts';
import { decodeText, EncodingError } from '../text.ts';
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

/** The text file. Throws a CommandError when it cannot be read. */
export async function readText(path: string): Promise<string> {
  const text = await readTextIfPresent(path);
  if (text === undefined) throw new CommandError(`cannot read "${path}": there is no such file`);
  return text;
}

/** The text file, or undefined when there is none. Throws a CommandError when it cannot be read. */
export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    return decodeText(await readFile(path));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    const reason = error instanceof EncodingError ? error.message : codeOf(error);
    throw new CommandError(`cannot read "${path}": ${reason}`, { cause: error });
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

/** Creates or replaces the file, which is whole or as it was before. Throws a CommandError. */
export async function writeOutputFile(path: string, content: string | Uint8Array): Promise<void> {
  try {
    const found = await stat(path).catch(() => undefined);
    // A device or a pipe, such as /dev/stdout, stays what it is, and so does a file that others link to.
    if (found !== undefined && (!found.isFile() || (await lstat(path)).isSymbolicLink() || found.nlink > 1)) {
      await writeFile(path, content);
      return;
    }
    const temporary = `${path}.${randomUUID()}`;
    try {
      await writeFile(temporary, content, { flag: 'wx', flush: true, ...(found && { mode: found.mode & 0o777 }) });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    throw new CommandError(`cannot write "${path}": ${describeFileFault(error)}`, { cause: error });
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
