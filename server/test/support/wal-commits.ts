import { readFileSync } from 'node:fs';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const SALT_IN_HEADER = 16;
const SALT_IN_FRAME = 8;
const SALT_BYTES = 8;

/** How many transactions are in the WAL of a database, of all processes (sqlite.org/fileformat2.html#walformat). */
export function commitsInWal(file: string): number {
  const bytes = readFileSync(`${file}-wal`);
  const frameBytes = FRAME_HEADER_BYTES + bytes.readUInt32BE(8);
  const salt = bytes.subarray(SALT_IN_HEADER, SALT_IN_HEADER + SALT_BYTES);
  let commits = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= bytes.length; at += frameBytes) {
    // Frames of an earlier round may follow those of this one.
    if (!salt.equals(bytes.subarray(at + SALT_IN_FRAME, at + SALT_IN_FRAME + SALT_BYTES))) break;
    if (bytes.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}
