import { type Call, CallError, createCall } from './api/calls.ts';
import type { OperationName, Outputs } from './api/operations.ts';
import type { AccessKey } from './api/signature.ts';
import { signal } from './store.ts';
import { finish, goToProvider, type LentKey, providerOf, type Returned } from './team-sign-in.ts';

/** Who is at the console: an access key, and what its policies say. There is nothing of it on the server. */
export interface Session {
  readonly accessKeyId: string;
  readonly call: Call;
  /** When the key ends by itself; undefined for one that does not. */
  readonly expires: string | undefined;
}

/** Why the page for signing in is there again: the key has expired, or could not be revoked when its person went. */
export type Farewell = 'expired' | 'keyLeft';

const STORED = 'respark.access-key';

/** The server's own address is one step above the pages, also where a proxy has put both under a path. */
const BASE = new URL('../', document.baseURI);
/** A browser counts no further. */
const MAX_TIMER_MS = 2_147_483_647;

export const farewell = signal<Farewell | undefined>(undefined);

export const session = signal<Session | undefined>(restored());

function restored(): Session | undefined {
  const stored = sessionStorage.getItem(STORED);
  if (stored === null) return undefined;
  try {
    const opened = open(JSON.parse(stored) as AccessKey & Partial<LentKey>);
    leaveInTime(opened);
    return opened;
  } catch {
    return undefined;
  }
}

function open(key: AccessKey & Partial<LentKey>): Session {
  return { accessKeyId: key.accessKeyId, call: createCall({ key, base: BASE }), expires: key.expires };
}

/** Shows the page for signing in once the key has expired. */
function leaveInTime(opened: Session): void {
  if (opened.expires === undefined) return;
  const leftMs = Date.parse(opened.expires) - Date.now();
  setTimeout(
    () => {
      if (session.get() === opened) leave('expired');
    },
    Math.min(Math.max(leftMs, 0), MAX_TIMER_MS),
  );
}

function leave(why: Farewell | undefined): void {
  sessionStorage.removeItem(STORED);
  farewell.set(why);
  session.set(undefined);
}

/**
 * Signs in, if the server takes the key: any answer to a signed call says so, even that the key may not make it. The
 * secret is kept for this tab only when that was asked for; otherwise it is gone with the page.
 */
export async function signIn(key: AccessKey & Partial<LentKey>, { isKept }: { isKept: boolean }): Promise<void> {
  const opened = open(key);
  try {
    await opened.call('GetServerInfo', {});
  } catch (error) {
    if (!(error instanceof CallError && error.code === 'AccessDeniedException')) throw error;
  }
  if (isKept) sessionStorage.setItem(STORED, JSON.stringify(key));
  farewell.set(undefined);
  session.set(opened);
  leaveInTime(opened);
}

/** Signs in with the key that the server gives for the code of its link. */
export async function signInWithCode(code: string): Promise<void> {
  const reply = await fetch(new URL('console/sign-in', BASE), { method: 'POST', body: code, cache: 'no-store' });
  const said = await reply.text();
  if (!reply.ok) throw new Error(said.trim());
  // The code is used up, so the key stays for as long as the tab does.
  await signIn(JSON.parse(said) as AccessKey, { isKept: true });
}

export const findProvider = () => providerOf(BASE);
export const beginAtProvider = () => goToProvider(BASE);

/** Signs in with the key that the server gives for the answer of the provider, and shows the page that was wanted. */
export async function signInFromProvider(returned: Returned): Promise<void> {
  const { key, wanted } = await finish(BASE, returned);
  // No step back in the browser's history leads to an answer that is used up.
  location.replace(wanted);
  await signIn(key, { isKept: true });
}

/** A key that was only lent is given back, so that it is worth nothing any more. */
export async function signOut(): Promise<void> {
  const before = session.get();
  leave(undefined);
  if (before?.expires === undefined) return;
  try {
    await before.call('RevokeOwnAccessKey', {});
  } catch (error) {
    const isOver = error instanceof CallError && error.code === 'UnrecognizedClientException';
    if (!isOver) farewell.set('keyLeft');
  }
}

export type { OperationName, Outputs };
