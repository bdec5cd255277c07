import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isLeftPart, isTemporary } from './server-files.ts';

/** Longer than a command takes to write a small file. */
const MAX_WRITING_MS = 600_000;

/** A supervisor that kills a server in its upgrade again and again must not fill the disk by that, nor leave secrets about. */
export function removeLeftParts(path: string, now: number): void {
  const isOld = (name: string) =>
    now - (lstatSync(join(path, name), { throwIfNoEntry: false })?.mtimeMs ?? now) > MAX_WRITING_MS;
  const names = readdirSync(path).filter((name) => isLeftPart(name) || (isTemporary(name) && isOld(name)));
  for (const name of names) rmSync(join(path, name), { recursive: true, force: true });
}
