import { type Call, CallError, createCaller } from './api/calls.ts';
import type { OperationName, Outputs } from './api/operations.ts';
import type { AccessKey } from './api/signature.ts';
import { ofTab } from './storage.ts';
import { signal } from './store.ts';
import { finish, goToProvider, type LentKey, providerOf, type Returned } from './team-sign-in.ts';

/** The access key that is signed in, and the calls that it signs. The server keeps no session for it. */
export interface Session {
  readonly accessKeyId: string;
  readonly call: Call;
  /** When the key ends by itself; undefined for one that does not. */
  readonly expires: string | undefined;
  /** Whether the person signed in by a link of the server, and so has never seen the key. */
  readonly isOfLink: boolean;
}

/**
 * Why the page for signing in is shown again: the key has expired, the server does not know it any more, or it could
 * not be revoked at the sign-out.
 */
export type Farewell = 'expired' | 'keyGone' | 'keyLeft';

/** A key as it is kept for the tab. */
type GivenKey = AccessKey & Partial<LentKey> & { readonly isOfLink?: true };

interface Opened extends Session {
  /** How long the key is still good for. */
  leftMs(): number;
  /** How far the browser's clock is behind the server's. */
  behindMs(): number;
}

const STORED = 'respark.access-key';

/** The server's own address is one step above the pages, also where a proxy has put both under a path. */
const BASE = new URL('../', document.baseURI);
/** How often a server that does not answer is asked whether a key has really expired. */
const ASK_AGAIN_MS = 5_000;

export const farewell = signal<Farewell | undefined>(undefined);

export const session = signal<Opened | undefined>(restored());

function restored(): Opened | undefined {
  const stored = ofTab.getItem(STORED);
  if (stored === null) return undefined;
  try {
    const opened = open(JSON.parse(stored) as GivenKey);
    // It is the session only when this has returned.
    queueMicrotask(() => leaveInTime(opened));
    return opened;
  } catch {
    return undefined;
  }
}

function open(key: GivenKey): Opened {
  const { call, now, behindMs } = createCaller({ key, base: BASE });
  const { accessKeyId, expires, isOfLink = false } = key;
  const leftMs = () => (expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires) - now());
  const opened: Opened = {
    ...{ accessKeyId, expires, isOfLink, leftMs, behindMs },
    async call(name, input, signal) {
      try {
        return await call(name, input, signal);
      } catch (error) {
        // Further calls with a key that is no longer valid would count against everybody at the same address.
        if (isUnknownKey(error) && session.get() === opened) leave(leftMs() > 0 ? 'keyGone' : 'expired');
        throw error;
      }
    },
  };
  return opened;
}

/**
 * What the server's clock said when the browser's said `at`. Times that are sent to the server, or counted from its
 * times, are by its clock: that of a browser may be hours off.
 */
export function onServer(at: number): number {
  return at + (session.get()?.behindMs() ?? 0);
}

function isUnknownKey(error: unknown): boolean {
  return error instanceof CallError && error.code === 'UnrecognizedClientException';
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** Shows the page for signing in once the key has expired. */
function leaveInTime(opened: Opened): void {
  clearTimeout(timer);
  if (session.get() !== opened || opened.expires === undefined) return;
  timer = setTimeout(() => void leaveIfOver(opened), Math.max(opened.leftMs(), 0));
}

/** A browser's clock may be ahead, so the server is asked for the time before the session ends. */
async function leaveIfOver(opened: Opened): Promise<void> {
  const isAnswered = await opened.call('GetServerInfo', {}).then(
    () => true,
    (error) => error instanceof CallError && error.status !== 0,
  );
  if (session.get() !== opened) return;
  if (!isAnswered) {
    clearTimeout(timer);
    timer = setTimeout(() => void leaveIfOver(opened), ASK_AGAIN_MS);
  } else if (opened.leftMs() > 0) leaveInTime(opened);
  else leave('expired');
}

// While a computer sleeps, its timers do too.
document.addEventListener('visibilitychange', () => {
  const opened = session.get();
  if (!document.hidden && opened !== undefined) leaveInTime(opened);
});

// A step back may find this page as it was left, although somebody has signed out in the tab since, or in with another key.
// A page that is loaded anew is signed in only with what the tab keeps, and a page that is gone back to is no more.
addEventListener('pageshow', ({ persisted }) => {
  const opened = session.get();
  if (!persisted || opened === undefined) return;
  if (ofTab.isLasting && idOfKept() === opened.accessKeyId) return;
  const kept = ofTab.isLasting ? restored() : undefined;
  if (kept === undefined) return leave(undefined);
  farewell.set(undefined);
  session.set(kept);
});

function idOfKept(): string | undefined {
  try {
    return (JSON.parse(ofTab.getItem(STORED) ?? '{}') as Partial<GivenKey>).accessKeyId;
  } catch {
    return undefined;
  }
}

function leave(why: Farewell | undefined): void {
  ofTab.removeItem(STORED);
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
  if (session.get() === undefined) begin(opened, key, { isKept });
}

function begin(opened: Opened, key: AccessKey, { isKept }: { isKept: boolean }): void {
  if (isKept) ofTab.setItem(STORED, JSON.stringify(key));
  farewell.set(undefined);
  session.set(opened);
  leaveInTime(opened);
}

/**
 * A key that the server has just given is taken without a test call: if that failed, the key would be lost, though good
 * for hours. It is given back if somebody else has signed in meanwhile, who must not go on under another name than they
 * know of.
 */
function signInWithGiven(key: GivenKey, wanted?: string): void {
  const opened = open(key);
  if (session.get() !== undefined) {
    if (key.expires !== undefined) opened.call('RevokeOwnAccessKey', {}).catch(() => {});
    return;
  }
  // The browser's Back must not lead to an answer that is used up.
  if (wanted !== undefined) location.replace(wanted);
  begin(opened, key, { isKept: true });
}

/** Signs in with the key that the server gives for the code of its link. The cause of an error is the status of the reply. */
export async function signInWithCode(code: string): Promise<void> {
  const reply = await fetch(new URL('console/sign-in', BASE), { method: 'POST', body: code, cache: 'no-store' });
  const said = await reply.text();
  if (!reply.ok) throw new Error(said.trim(), { cause: reply.status });
  // The code is used up, so the key stays for as long as the tab does.
  signInWithGiven({ ...(JSON.parse(said) as AccessKey), isOfLink: true });
}

export const findProvider = () => providerOf(BASE);
export const beginAtProvider = () => goToProvider(BASE);

/** Signs in with the key that the server gives for the answer of the provider, and shows the page that was wanted. */
export async function signInFromProvider(returned: Returned): Promise<void> {
  const { key, wanted } = await finish(BASE, returned);
  signInWithGiven(key, wanted);
}

/** A key that was only lent is given back, so that it is worth nothing any more. */
export async function signOut(): Promise<void> {
  const before = session.get();
  leave(undefined);
  if (before?.expires === undefined) return;
  try {
    await before.call('RevokeOwnAccessKey', {});
  } catch (error) {
    if (!isUnknownKey(error)) farewell.set('keyLeft');
  }
}

export type { OperationName, Outputs };
