import { strToU8, zipSync } from 'fflate';
import { byName, type SourceFile } from './game-messages.ts';

/** A zip of the files; the same files make the same bytes. */
export function zipOf(files: readonly SourceFile[]): Uint8Array {
  const entries = [...files].sort(byName).map(({ name, text }) => [name, strToU8(text)]);
  // An archive tells the time in no zone, and fflate writes this process's: thus it is the same time everywhere.
  return zipSync(Object.fromEntries(entries), { mtime: new Date(2000, 0, 1) });
}
