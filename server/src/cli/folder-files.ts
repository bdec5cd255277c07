import { constants, type Dirent, type Stats } from 'node:fs';
import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describeFileFault } from '../file-fault.ts';
import { printable } from '../text.ts';
import { makeDirectory, readTextIfPresent, replaceFile } from './files.ts';
import { CommandError } from './world.ts';

// A folder may come from a stranger, with symbolic links that lead to any file of the user: nothing here follows a link
// below the folder. The folder itself may be one, because its user has named it. Paths in it have `/` between their parts.

/** On Windows these flags are undefined, which adds nothing. Without O_NONBLOCK, a pipe would wait for its writer. */
const READ_NO_LINK = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What has this path in the folder; undefined when nothing has. Throws a CommandError when a part of it is a link. */
export async function findInFolder(folder: string, path: string): Promise<Stats | undefined> {
  let found: Stats | undefined;
  let place = folder;
  for (const part of path.split('/')) {
    place = join(place, part);
    try {
      found = await lstat(place);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new CommandError(`cannot use "${printable(place)}": ${describeFileFault(error)}`, { cause: error });
    }
    if (found.isSymbolicLink()) throw linkFault(place);
  }
  return found;
}

/**
 * What is in a folder of the folder, or in itself for an empty path; nothing when a folder in it is not there. Throws a
 * CommandError, also when one of those that `isMeant` picks is a link.
 */
export async function listInFolder(
  folder: string,
  path: string,
  isMeant: (name: string) => boolean,
): Promise<readonly string[]> {
  if (path !== '') await findInFolder(folder, path);
  const place = join(folder, path);
  const entries = await readdir(place, { withFileTypes: true }).catch((error: NodeJS.ErrnoException): Dirent[] => {
    if (error.code === 'ENOENT' && path !== '') return [];
    throw new CommandError(`cannot read the folder "${place}" (${error.code})`, { cause: error });
  });
  const meant = entries.filter(({ name }) => isMeant(name));
  const link = meant.find((entry) => entry.isSymbolicLink());
  if (link !== undefined) throw linkFault(join(place, link.name));
  return meant.map(({ name }) => name);
}

/** The text file, or undefined when there is none. Throws a CommandError when it cannot be read, or is behind a link. */
export async function readInFolder(folder: string, path: string): Promise<string | undefined> {
  const found = await findInFolder(folder, path);
  // A pipe without a writer would be read as an empty file.
  if (found !== undefined && !found.isFile()) {
    const kind = found.isDirectory() ? 'a directory' : 'a pipe, a socket or a device';
    throw new CommandError(`cannot read "${printable(join(folder, path))}": it is ${kind}: put a file in its place`);
  }
  // What has become a link since then is not opened.
  return await readTextIfPresent(join(folder, path), READ_NO_LINK);
}

/** Creates or replaces the file, in a folder that is made when it is missing. Throws a CommandError. */
export async function writeInFolder(folder: string, path: string, text: string): Promise<void> {
  await findInFolder(folder, path);
  const parts = path.split('/');
  if (parts.length > 1) makeDirectory(join(folder, ...parts.slice(0, -1)));
  // A new file takes its place, so that another name of the old one, a hard link, keeps its content.
  await replaceFile(join(folder, path), text);
}

/** Removes the file, if it is there. Throws a CommandError. */
export async function removeInFolder(folder: string, path: string): Promise<void> {
  await findInFolder(folder, path);
  const place = join(folder, path);
  try {
    await rm(place, { force: true });
  } catch (error) {
    throw new CommandError(`cannot remove "${printable(place)}": ${describeFileFault(error)}`, { cause: error });
  }
}

function linkFault(place: string): CommandError {
  return new CommandError(
    `cannot use "${printable(place)}": it is a symbolic link, which may lead out of the folder: remove it, or put a file or folder of its own in its place`,
  );
}
