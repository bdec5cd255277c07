import { timingSafeEqual } from 'node:crypto';
import { parseJson } from '@respark/protocol';
import type { Clock } from '../../clock.ts';
import type { Sealer } from '../../keyring.ts';
import type { Log } from '../../log.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import { createRareWarnings } from '../../rare-warnings.ts';
import { excerpt, printable, shown } from '../../text.ts';
import type { Audit, Change } from '../audit/audit.ts';
import { type Access, type AccessKeyPair, type KeyMaker, MAX_DESCRIPTION_CHARACTERS } from './access.ts';
import type { Refusals } from './refusals.ts';
import { describeRole, policyOfRole, type Role, type RoleLimits } from './roles.ts';
import { type SignInBegun, SignInFault, type SignInProvider, type SignInReturn } from './sign-in-provider.ts';

/** The call by which somebody comes back from the provider. */
export interface SignInCaller {
  readonly requestId: string;
  readonly sourceAddress: string;
}

/**
 * Lets people in whom an OpenID provider vouches for. They get an access key of their own, with the role of the first of
 * the settings' groups that they are in. What began a sign-in is sealed and kept by the browser alone, so any node can
 * finish what another has begun.
 */
export interface TeamSignIn {
  /** Rejects with a `SignInFault`. */
  begin(caller: SignInCaller): Promise<{ readonly url: string; readonly state: string; readonly ticket: string }>;
  /**
   * Rejects with a `SignInFault`, with a `quota_exceeded` ServiceError when there are too many keys, and with a `throttled`
   * one when too many people come back at once.
   */
  finish(
    returned: SignInReturn & { readonly state: string; readonly ticket: string },
    caller: SignInCaller,
  ): Promise<AccessKeyPair & { readonly expiresAt: number }>;
}

export interface TeamSignInSettings {
  readonly signInRoles: readonly string[];
  readonly signInGroupsClaim: string;
  readonly signInKeyMinutes: number;
}

interface GivenRole extends RoleLimits {
  readonly group: string;
  readonly role: Role;
}

interface Person {
  /** Names the person for good: the issuer gives it to no one else. */
  readonly sub: string;
  /** For people to read. */
  readonly words: string;
  readonly groups: ReadonlySet<string>;
}

/** How long a person may take at the provider. */
const TICKET_MS = 600_000;
const TICKET = 'sign-in ticket';
const SECRET_BYTES = 32;
const MAX_CODE_CHARACTERS = 4_096;
/** In how many browsers a person may be signed in at once. One more sign-in ends the oldest of them. */
const MAX_KEYS_OF_PERSON = 5;
const MAX_SUB_CHARACTERS = 255;
const MAX_WORDS_CHARACTERS = 120;
/** How many groups a refusal names when the person is in none of them. */
const MAX_NAMED_GROUPS = 10;

export function createTeamSignIn(parts: {
  provider: SignInProvider;
  access: Pick<Access, 'createKey' | 'listKeysOf' | 'revokeKey'>;
  audit: Audit;
  refusals: Pick<Refusals, 'denied'>;
  sealer: Sealer;
  clock: Clock;
  random: RandomBytes;
  log: Pick<Log, 'info' | 'warn'>;
  /** Where the provider sends people back to. */
  returnUrl: () => string;
  settings: TeamSignInSettings;
}): TeamSignIn {
  const { provider, refusals, random, log, returnUrl, settings } = parts;
  const { seal, open } = createTickets(parts);
  const makeKey = createKeyOfPerson(parts);
  const warn = createRareWarnings(parts);
  const roles = settings.signInRoles.map(toGivenRole);
  const secret = () => Buffer.from(random(SECRET_BYTES)).toString('base64url');

  async function admit(claims: Readonly<Record<string, unknown>>, caller: SignInCaller) {
    const person = personIn(claims, settings.signInGroupsClaim);
    const given = roles.find(({ group }) => person.groups.has(group));
    if (given !== undefined) return await makeKey(person, given, caller);
    const { requestId, sourceAddress } = caller;
    const actor = actorOf(provider, person);
    const change = { requestId, cause: 'operator', actor, sourceAddress, operation: 'CreateAccessKey', resource: '' };
    await refusals.denied(change as Change, 'SignIn');
    throw refused(noneOf(roles, settings.signInGroupsClaim));
  }

  /** Logs a sign-in that was refused, and a provider that does not do its part. */
  function note(fault: SignInFault, { requestId, sourceAddress }: SignInCaller): void {
    const reason = fault.message;
    if (fault.isOfProvider) warn('', { requestId, reason }, 'nobody can sign in to the console');
    const cause = fault.isOfProvider ? 'SignInUnavailable' : 'SignInRefused';
    // Each of them, since people are told to look for their own; an address has only so many.
    log.info({ requestId, sourceAddress, operation: 'SignIn', cause, reason }, 'sign-in refused');
  }

  async function noted<T>(caller: SignInCaller, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SignInFault) note(error, caller);
      throw error;
    }
  }

  return {
    begin: (caller) =>
      noted(caller, async () => {
        const begun = { state: secret(), nonce: secret(), verifier: secret(), returnUrl: returnUrl() };
        return { url: await provider.pageOf(begun), state: begun.state, ticket: seal(begun) };
      }),

    finish: ({ code, issuer, state, ticket }, caller) =>
      noted(caller, async () => {
        const begun = open(ticket, state);
        if (code === '' || code.length > MAX_CODE_CHARACTERS)
          throw refused('the provider has sent you back without a code');
        return await admit(await provider.redeem({ code, issuer }, begun), caller);
      }),
  };
}

/**
 * What a sign-in began with, sealed. A ticket is good for ten minutes, for the state that belongs to it alone, and for the
 * provider at which it began: when the settings name another one meanwhile, that one gets no code of the first.
 */
function createTickets({
  provider: { issuer },
  sealer,
  clock,
}: {
  provider: Pick<SignInProvider, 'issuer'>;
  sealer: Sealer;
  clock: Pick<Clock, 'now'>;
}) {
  return {
    seal(begun: SignInBegun): string {
      const text = JSON.stringify({ ...begun, issuer, at: clock.now() });
      return Buffer.from(sealer.seal(Buffer.from(text), TICKET)).toString('base64url');
    },
    open(ticket: string, state: string): SignInBegun {
      const opened = sealer.open(Buffer.from(ticket, 'base64url'), TICKET);
      if (opened === undefined) throw refused('this sign-in was not begun at this server: begin again');
      const { at, issuer: whose, ...begun } = parseJson(Buffer.from(opened).toString()) as unknown as Sealed;
      if (whose !== issuer) throw refused('this sign-in was begun at another provider: begin again');
      if (!isSame(state, begun.state)) throw refused('the provider’s answer belongs to another sign-in: begin again');
      if (clock.now() - at > TICKET_MS) throw refused('this sign-in was begun more than ten minutes ago: begin again');
      return begun;
    },
  };
}

type Sealed = SignInBegun & { readonly issuer: string; readonly at: number };

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Makes the key of a person, and takes away the oldest of too many that they have. All of it is on record. */
function createKeyOfPerson({
  provider,
  access,
  audit,
  clock,
  random,
  settings,
}: Pick<Parameters<typeof createTeamSignIn>[0], 'provider' | 'access' | 'audit' | 'clock' | 'random' | 'settings'>) {
  const { host } = new URL(provider.issuer);
  const lifetimeMs = settings.signInKeyMinutes * 60_000;

  async function revokeOldest(subject: string, newest: string, sourceAddress: string): Promise<void> {
    const others = (await access.listKeysOf(subject)).filter(({ id }) => id !== newest);
    const oldest = others.slice(MAX_KEYS_OF_PERSON - 1);
    for (const { id } of oldest) {
      const change = {
        requestId: uuidV7(random, clock.now()),
        cause: 'server',
        actor: subject,
        sourceAddress,
      } as const;
      await access.revokeKey(id, { record: recordAs(audit, change, { because: 'too many sign-ins' }) });
    }
  }

  return async (person: Person, { group, role, ...limits }: GivenRole, caller: SignInCaller) => {
    const { requestId, sourceAddress } = caller;
    const subject = actorOf(provider, person);
    // What comes first is never cut: names may be as long as somebody likes.
    const description = `${describeRole(role, limits)}: ${person.words}, signed in at ${host}`;
    const key = {
      policy: JSON.stringify(policyOfRole(role, limits)),
      description: excerpt(description, MAX_DESCRIPTION_CHARACTERS),
      ...{ lifetimeMs, subject },
    };
    const change = { requestId, cause: 'operator', actor: subject, sourceAddress } as const;
    const record = recordAs(audit, change, { role: describeRole(role, limits), group: excerpt(group) });
    const { accessKeyId, secretAccessKey, expiresAt } = await access.createKey(key, { record });
    if (expiresAt === undefined) throw new Error(`the key ${accessKeyId} of a sign-in does not end`);
    await revokeOldest(subject, accessKeyId, sourceAddress);
    return { accessKeyId, secretAccessKey, expiresAt };
  };
}

function recordAs(
  audit: Audit,
  change: Omit<Change, 'operation' | 'resource'>,
  more: Readonly<Record<string, string>>,
): KeyMaker['record'] {
  return ({ operation, resource = '', details }, rule) =>
    audit.around({ ...change, operation, resource, details: { ...details, ...more } }, rule);
}

/** The name of a person in records. It is unique, which what people call themselves is not. */
function actorOf({ issuer }: Pick<SignInProvider, 'issuer'>, { sub }: Person): string {
  return `${issuer} ${sub}`;
}

function personIn(claims: Readonly<Record<string, unknown>>, groupsClaim: string): Person {
  const { sub, name, preferred_username: username, email, email_verified: isVerified } = claims;
  if (!isText(sub) || sub.length > MAX_SUB_CHARACTERS) throw refused('the ID token of the provider names nobody (sub)');
  // It would be spelled out in records, which somebody else's could be from the beginning, or cut there.
  if (printable(sub) !== sub)
    throw refused('the ID token of the provider names somebody by what cannot be shown (sub)');
  const called = [name, username].filter(isText).map(withoutBrackets).find(isText);
  const mail = isText(email) && isVerified === true ? withoutBrackets(email) : undefined;
  const words = called === undefined ? (mail ?? sub) : mail === undefined ? called : `${called} <${mail}>`;
  // A person who may write any address into their own profile must not get in by that.
  const isBelieved = groupsClaim !== 'email' || isVerified === true;
  const named = Object.hasOwn(claims, groupsClaim) && isBelieved ? [claims[groupsClaim]].flat() : [];
  return { sub, words: excerpt(words, MAX_WORDS_CHARACTERS), groups: new Set(named.filter(isText)) };
}

/** A person who chooses their own name must not choose what looks like an address that was verified. */
function withoutBrackets(text: string): string {
  return text.replace(/[<>]/g, '').trim();
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** `group=role@Game/Stage`, as the settings have checked it. */
function toGivenRole(pair: string): GivenRole {
  const at = pair.lastIndexOf('=');
  const [role = '', place = ''] = pair.slice(at + 1).split('@');
  const [game, stage] = place === '' ? [] : place.split('/');
  return { group: pair.slice(0, at), role: role as Role, game, stage };
}

function noneOf(roles: readonly GivenRole[], claim: string): string {
  const groups = [...new Set(roles.map(({ group }) => group))];
  const more = groups.length > MAX_NAMED_GROUPS ? ` and ${groups.length - MAX_NAMED_GROUPS} more` : '';
  const named = groups.slice(0, MAX_NAMED_GROUPS).map((group) => shown(group));
  return `the provider knows you, but its token has none of the groups that get in, ${named.join(', ')}${more}, in its claim ${shown(claim)}: ask whoever runs this server`;
}

function refused(message: string): SignInFault {
  return new SignInFault(message, { isOfProvider: false });
}
