import { readFile, writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
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

/** Creates or replaces the file. Throws a CommandError. */
export async function writeOutputFile(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(path, content);
  } catch (error) {
    throw new CommandError(`cannot write "${path}" (${codeOf(error)})`, { cause: error });
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
