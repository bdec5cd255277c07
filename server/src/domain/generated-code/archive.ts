import { strToU8, zipSync } from 'fflate';
import { byName, type SourceFile } from './operations.ts';

// An archive tells the time in no zone, and fflate writes this process's: the same bytes come out everywhere.
const MODIFIED = new Date(2000, 0, 1);

/** A zip of the files; the same files make the same bytes. */
export function zipOf(files: readonly SourceFile[]): Uint8Array {
  const entries = [...files].sort(byName).map(({ name, text }) => [name, strToU8(text)]);
  return zipSync(Object.fromEntries(entries), { mtime: MODIFIED });
}
