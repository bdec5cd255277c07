import { randomUUID } from 'node:crypto';
import { lstat, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describeFileFault } from '../file-fault.ts';
import { CommandError, type World } from './world.ts';

/** The whole file, or stdin for `-`. Throws a CommandError (exit code 2) that begins with `what`, such as a flag. */
export async function readInputFile(world: World, path: string, what: string): Promise<Buffer> {
  try {
    return path === '-' ? await buffer(world.stdin) : await readFile(path);
  } catch (error) {
    throw new CommandError(`${what} must name a file that can be read, got "${path}" (${codeOf(error)})`, {
      exitCode: 2,
      cause: error,
    });
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
