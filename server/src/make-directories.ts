import { mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes the directory and those above it that are missing, all with the same mode; does nothing when it is there. The
 * recursive mkdir of Node.js does not serve: where nothing can be made, as in /proc, it tries again for ever, and in other
 * places it names another cause than there is.
 */
export function makeDirectories(path: string, mode = 0o777): void {
  const missing: string[] = [];
  let above = resolve(path);
  while (statSync(above, { throwIfNoEntry: false }) === undefined && above !== dirname(above)) {
    missing.unshift(above);
    above = dirname(above);
  }
  for (const directory of missing) makeDirectory(directory, mode);
}

function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another process may have made it meanwhile.
    if (code === 'EEXIST' && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
    const parent = dirname(path);
    if (code === 'ENOENT' && statSync(parent, { throwIfNoEntry: false }) !== undefined) {
      throw new Error(`nobody can make a directory in ${parent}: choose another place`, { cause: error });
    }
    throw error;
  }
}
