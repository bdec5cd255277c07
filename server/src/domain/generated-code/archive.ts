import { strToU8, zipSync } from 'fflate';
import { byName, type SourceFile } from './game-messages.ts';

/** A zip of the files; the same files make the same bytes. */
export function zipOf(files: readonly SourceFile[]): Uint8Array {
  const entries = [...files].sort(byName).map(({ name, text }) => [name, strToU8(text)]);
  // A zip has local times without a zone, and fflate writes them in this process's zone. A date that is local as well
  // gives the same bytes everywhere.
  return zipSync(Object.fromEntries(entries), { mtime: new Date(2000, 0, 1) });
}
