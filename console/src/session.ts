import { type Call, CallError, createCall } from './api/calls.ts';
import type { OperationName, Outputs } from './api/operations.ts';
import type { AccessKey } from './api/signature.ts';
import { signal } from './store.ts';

/** Who is at the console: an access key, and what its policies say. There is nothing of it on the server. */
export interface Session {
  readonly accessKeyId: string;
  readonly call: Call;
}

const STORED = 'respark.access-key';

/** The server's own address is one step above the pages, also where a proxy has put both under a path. */
const BASE = new URL('../', document.baseURI);

export const session = signal<Session | undefined>(restored());

function restored(): Session | undefined {
  const stored = sessionStorage.getItem(STORED);
  if (stored === null) return undefined;
  try {
    return open(JSON.parse(stored) as AccessKey);
  } catch {
    return undefined;
  }
}

function open(key: AccessKey): Session {
  return { accessKeyId: key.accessKeyId, call: createCall({ key, base: BASE }) };
}

/**
 * Signs in, if the server takes the key: any answer to a signed call says so, even that the key may not make it. The
 * secret is kept for this tab only when that was asked for; otherwise it is gone with the page.
 */
export async function signIn(key: AccessKey, { isKept }: { isKept: boolean }): Promise<void> {
  const opened = open(key);
  try {
    await opened.call('GetServerInfo', {});
  } catch (error) {
    if (!(error instanceof CallError && error.code === 'AccessDeniedException')) throw error;
  }
  if (isKept) sessionStorage.setItem(STORED, JSON.stringify(key));
  session.set(opened);
}

/** Signs in with the key that the server gives for the code of its link. */
export async function signInWithCode(code: string): Promise<void> {
  const reply = await fetch(new URL('console/sign-in', BASE), { method: 'POST', body: code, cache: 'no-store' });
  const said = await reply.text();
  if (!reply.ok) throw new Error(said.trim());
  // The code is used up, so the key stays for as long as the tab does.
  await signIn(JSON.parse(said) as AccessKey, { isKept: true });
}

export function signOut(): void {
  sessionStorage.removeItem(STORED);
  session.set(undefined);
}

export type { OperationName, Outputs };
