import { createHash } from 'node:crypto';

/** A longer key is known by its digest, because an index has no room for it. */
const MAX_KEY_CHARACTERS = 256;

/** What an entry has in its primary key. */
export function idOfEntry(key: string): string {
  if (key.length <= MAX_KEY_CHARACTERS) return `=${key}`;
  return `#${createHash('sha256').update(key).digest('base64')}`;
}
