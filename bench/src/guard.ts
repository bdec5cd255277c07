import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { temporaryDirectory } from './running-contestant.ts';

/** What guards the routes of one or more servers, as `peers/disconnect-route.ts` does, and a caller who may use them. */
export interface Guard {
  /** The last words of a server's command line, and what removes its file when it has ended. */
  newServer(): { readonly args: readonly string[]; readonly release: () => void };
  readonly headers: Readonly<Record<string, string>>;
}

/** The caller's token is good for the next hour. */
export async function createGuard(): Promise<Guard> {
  const secret = randomBytes(32).toString('base64url');
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('operator')
    .setAudience('disconnect')
    .setExpirationTime('1 hour')
    .sign(new TextEncoder().encode(secret));
  return {
    newServer() {
      const directory = temporaryDirectory();
      return { args: [join(directory.path, 'audit.jsonl'), secret], release: directory.remove };
    },
    headers: { authorization: `Bearer ${token}` },
  };
}
