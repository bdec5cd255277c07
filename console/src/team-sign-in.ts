import type { AccessKey } from './api/signature.ts';
import { ofTab } from './storage.ts';

/** A key that ends by itself. */
export interface LentKey extends AccessKey {
  readonly expires: string;
}

/** Why nobody was signed in, and the id under which the server's log has more of it. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
  /** The server has refused or did not answer, the provider has, or what the provider answered was not asked for here. */
  readonly kind: 'refused' | 'away' | 'provider' | 'stranger';
  readonly requestId: string | undefined;

  constructor(kind: SignInError['kind'], message = '', requestId?: string) {
    super(message);
    this.kind = kind;
    this.requestId = requestId;
  }
}

/** What this tab keeps while its person is at the provider. */
interface Begun {
  readonly state: string;
  readonly ticket: string;
  /** The page that the person wanted, as the part of the address behind the `#`. */
  readonly wanted: string;
}

/** What the provider has sent the person back with. */
export interface Returned {
  readonly answer: URLSearchParams;
  readonly begun: Begun | undefined;
}

const STORED = 'respark.sign-in';

/** The name of the provider by which teams sign in; undefined where there is none. */
export async function providerOf(base: URL): Promise<string | undefined> {
  const reply = await fetch(new URL('console/sign-in', base), { cache: 'no-store' });
  const { provider } = (await reply.json()) as { provider?: unknown };
  return typeof provider === 'string' ? provider : undefined;
}

/** Goes to the provider. What proves later that this tab has begun the sign-in stays in the tab. */
export async function goToProvider(base: URL): Promise<void> {
  const { url, state, ticket } = (await post(new URL('console/sign-in/begin', base), {})) as Begun & { url: string };
  const begun: Begun = { state, ticket, wanted: location.hash };
  ofTab.setItem(STORED, JSON.stringify(begun));
  location.assign(url);
}

/** What the address says of a sign-in at the provider. It leaves the address at once, and is good once. */
export function takeReturn(): Returned | undefined {
  const answer = new URLSearchParams(location.search);
  if (!answer.has('state') || !(answer.has('code') || answer.has('error'))) return undefined;
  const stored = ofTab.getItem(STORED);
  ofTab.removeItem(STORED);
  history.replaceState(null, '', location.pathname);
  return { answer, begun: stored === null ? undefined : (JSON.parse(stored) as Begun) };
}

/** Gets a key for what the provider has answered, and the page that the person wanted. */
export async function finish(
  base: URL,
  { answer, begun }: Returned,
): Promise<{ readonly key: LentKey; readonly wanted: string }> {
  // An attacker may have sent the person here with an answer of their own, to have them act under a strange name.
  if (begun === undefined || begun.state !== answer.get('state')) throw new SignInError('stranger');
  const error = answer.get('error');
  if (error !== null)
    throw new SignInError('provider', [error, answer.get('error_description')].filter(Boolean).join(': '));
  const { state, ticket, wanted } = begun;
  const asked = { state, ticket, code: answer.get('code'), issuer: answer.get('iss') ?? undefined };
  const key = (await post(new URL('console/sign-in/finish', base), asked)) as LentKey;
  return { key, wanted: wanted.startsWith('#/') ? wanted : '#/' };
}

async function post(url: URL, body: object): Promise<unknown> {
  let reply: Response;
  try {
    reply = await fetch(url, { method: 'POST', body: JSON.stringify(body), cache: 'no-store', credentials: 'omit' });
  } catch {
    throw new SignInError('away');
  }
  const said = (await reply.json().catch(() => ({}))) as { Message?: unknown };
  if (reply.ok) return said;
  const message = typeof said.Message === 'string' ? said.Message : reply.statusText;
  throw new SignInError('refused', message, reply.headers.get('x-amzn-requestid') ?? undefined);
}
