import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type FolderFiles, INDEX_FILE, MODEL_FILE } from '../domain/configuration/folder.ts';
import { printable } from '../text.ts';
import { makeDirectory } from './files.ts';
import { findInFolder, listInFolder, readInFolder, removeInFolder, writeInFolder } from './folder-files.ts';
import { CommandError } from './world.ts';

/** The folders of a configuration's folder, and which files in them belong to it. */
const PARTS = [
  { folder: '', isPart: (name: string) => name === INDEX_FILE || name === MODEL_FILE },
  { folder: 'messages', isPart: (name: string) => name.endsWith('.json') },
  { folder: 'handlers', isPart: (name: string) => name.endsWith('.js') },
  { folder: 'sections', isPart: (name: string) => name.endsWith('.json') },
];

const PROJECT_FILE = 'jsconfig.json';

/** A configuration may have a megabyte, and its files no more. */
const MAX_FILES = 10_000;
const MAX_FOLDERS = 100;

/**
 * The files of a configuration's folder; others in it are left alone. Throws a CommandError when one cannot be read, and
 * for a symbolic link: see folder-files.ts.
 */
export async function readFolder(path: string): Promise<FolderFiles> {
  const files = new Map<string, string>();
  for (const file of await listFolder(path)) {
    const text = await readInFolder(path, file);
    if (text === undefined) {
      throw new CommandError(`cannot read "${printable(join(path, file))}": there is no such file`);
    }
    files.set(file, text);
  }
  return files;
}

/** Whether the folder is there, and has files of a configuration. Throws a CommandError. */
export async function hasConfiguration(path: string): Promise<boolean> {
  const isMissing = await stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
  return !isMissing && (await findFiles(path)).length > 0;
}

/**
 * A text that is another one when files were added, removed or saved. Resolves also when they cannot be looked at: what
 * is wrong is part of the text then.
 */
export async function stampOfFolder(path: string): Promise<string> {
  try {
    const stamps = (await listFolder(path)).map(async (file) => {
      const found = await lstat(join(path, file)).catch(() => undefined);
      return `${file} ${found?.ino} ${found?.mtimeMs} ${found?.size}`;
    });
    return (await Promise.all(stamps)).join('\n');
  } catch (error) {
    if (error instanceof CommandError) return error.message;
    throw error;
  }
}

/** The paths of the configuration's files in the folder, with `/` between their parts. Throws for a folder without any. */
async function listFolder(path: string): Promise<string[]> {
  const files = await findFiles(path);
  if (files.length === 0) {
    const meant = await findFolderIn(path);
    const hint = meant === undefined ? '' : `; did you mean "${printable(meant)}"?`;
    throw new CommandError(
      `the folder "${path}" has no configuration: "respark unpack FILE FOLDER" makes one of an exported document${hint}`,
    );
  }
  return files;
}

async function findFiles(path: string): Promise<string[]> {
  const files: string[] = [];
  for (const { folder, isPart } of PARTS) {
    for (const name of [...(await listInFolder(path, folder, isPart))].sort()) {
      if (files.length >= MAX_FILES) throw new CommandError(`the folder "${path}" has more than ${MAX_FILES} files`);
      files.push(folder === '' ? name : `${folder}/${name}`);
    }
  }
  return files;
}

/** A folder directly in this one that has a configuration. */
async function findFolderIn(path: string): Promise<string | undefined> {
  const entries = await readdir(path, { withFileTypes: true });
  for (const entry of entries.filter((entry) => entry.isDirectory()).slice(0, MAX_FOLDERS)) {
    const folder = join(path, entry.name);
    if ((await lstat(join(folder, INDEX_FILE)).catch(() => undefined))?.isFile() === true) return folder;
  }
  return undefined;
}

/**
 * Writes what makes editors take all of the folder for one project, and so complete scripts by the declarations in it,
 * unless there is one. Throws a CommandError.
 */
export async function writeProjectFile(path: string): Promise<void> {
  if ((await findInFolder(path, PROJECT_FILE)) === undefined) await writeInFolder(path, PROJECT_FILE, '{}\n');
}

/**
 * Writes the files, and removes those of the configuration that was there before. Throws a CommandError; for a symbolic
 * link before anything has changed.
 */
export async function writeFolder(path: string, files: FolderFiles): Promise<void> {
  makeDirectory(path);
  const before = await findFiles(path);
  for (const file of [...files.keys(), PROJECT_FILE]) await findInFolder(path, file);
  for (const file of before) if (!files.has(file)) await removeInFolder(path, file);
  for (const [file, text] of files) {
    // A file that cannot be read is replaced too.
    const old = await readInFolder(path, file).catch(() => undefined);
    if (old !== text) await writeInFolder(path, file, text);
  }
}
