import { userInfo } from 'node:os';

/** The user of this process as `id` shows it, such as `uid=1000(alice)`. On Windows, which has no such ids, the name. */
export function osUser(): string {
  const uid = process.geteuid?.();
  const name = userName();
  if (uid === undefined) return name ?? 'unknown';
  return name === undefined ? `uid=${uid}` : `uid=${uid}(${name})`;
}

/** A container may run as a user that has no name. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
