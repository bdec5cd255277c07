import { shown } from '../../text.ts';
import { needs, pair, pointless } from '../checks.ts';
import { integer, list, type Setting, secret, text, type ValuesOf, variableOf } from '../setting.ts';
import type { listeners } from './listeners.ts';

/** The names of the roles, which a test holds against those that there are. */
export const SIGN_IN_ROLES = ['viewer', 'moderator', 'operator', 'developer', 'admin'] as const;

const ROLE = new RegExp(`^(?:${SIGN_IN_ROLES.join('|')})(?:@[\\w-]{1,36}(?:/[\\w-]{1,36})?)?$`);
const DEFAULT_MINUTES = 480;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;

const rows = {
  signInIssuer: issuer(
    'Issuer of the OpenID provider by which teams sign in to the console (docs/console.md), as in its tokens, to the last character; if not set, people sign in with access keys alone. The server asks it for what else it must know. A provider on a private network must be in RESPARK_IDENTITY_HOSTS.',
  ),
  signInClientId: text({
    default: undefined,
    rule: '1-255 printable characters without spaces',
    pattern: /^[!-~]{1,255}$/,
    help: 'Client id that the provider has given this server.',
  }),
  signInClientSecret: secret({
    rule: '1-1024 printable characters',
    pattern: /^[ -~]{1,1024}$/,
    help: 'Secret of that client; if not set, the provider must take the client for a public one, which PKCE alone protects.',
  }),
  signInRoles: list({
    rule: 'pairs of a group and a role, such as admins=admin or live-ops=developer@Demo/Dev for one game or one stage of it, separated by commas',
    isItem: (item) => faultOfRole(item) === undefined,
    adviseOnItem: faultOfRole,
    help: 'What the people of each group of the provider may do. The first pair counts whose group somebody is in, so what allows most comes first; a person who is in none of the groups does not get in. A group is spelled as in the token and has no comma.',
  }),
  signInGroupsClaim: text({
    default: 'groups',
    rule: '1-255 printable characters without spaces',
    pattern: /^[!-~]{1,255}$/,
    help: 'Claim of the ID token that names the groups: a list of texts, or one text, such as hd for the domain of a Google Workspace. An email address counts only when the provider has verified it.',
  }),
  signInScopes: list({
    rule: 'names of scopes, separated by commas',
    isItem: (item) => /^[!#-[\]-~]{1,100}$/.test(item),
    help: 'Scopes that the server asks the provider for, beside openid, profile and email; some put groups into the token only for one such as groups.',
  }),
  signInKeyMinutes: integer({
    default: DEFAULT_MINUTES,
    min: 5,
    max: 10_080,
    help: 'How long somebody stays signed in by the provider: after that, their access key has expired. A group that somebody has left counts until then.',
  }),
  signInName: text({
    default: undefined,
    rule: '1-60 characters',
    pattern: /^[^\p{C}]{1,60}$/u,
    help: 'Name of the provider on the button of the console; if not set, the host of the issuer.',
  }),
};

type Values = ValuesOf<typeof rows>;

export const signIn = {
  title: 'Sign-in to the console',
  rows,
  checks: [
    pair('signInIssuer', 'signInClientId'),
    needs('signInClientSecret', 'signInIssuer', 'nobody is signed in with it'),
    needs('signInName', 'signInIssuer', 'there is no button to name'),
    pointless('signInGroupsClaim', 'groups', 'signInIssuer'),
    pointless('signInKeyMinutes', DEFAULT_MINUTES, 'signInIssuer'),
    findMissingRoles,
    findPointlessScopes,
    findUnknownAddress,
  ],
};

function issuer(help: string): Setting<string | undefined> {
  return {
    default: undefined,
    rule: 'an https URL without credentials, a query or a fragment, or an http one of this machine',
    placeholder: 'url',
    isSecret: false,
    help,
    parse: (given) => (isIssuer(given) ? given : undefined),
  };
}

function isIssuer(given: string): boolean {
  if (!/^https?:\/\/[^\s?#@\\]{1,240}$/.test(given) || !URL.canParse(given)) return false;
  const { protocol, hostname } = new URL(given);
  return protocol === 'https:' || LOOPBACK.test(hostname);
}

/** Completes `"…"`, a pair that breaks the rule. */
function faultOfRole(item: string): string | undefined {
  const at = item.lastIndexOf('=');
  if (at <= 0) return 'does not begin with a group and =: write it as group=role';
  if (item.length > 300) return 'has more than 300 characters';
  const role = item.slice(at + 1);
  if (ROLE.test(role)) return undefined;
  return `gives ${shown(role)}: a role is ${SIGN_IN_ROLES.join(', ')}, perhaps with @GAME or @GAME/STAGE behind it`;
}

function findMissingRoles({ signInIssuer, signInRoles }: Values): string | undefined {
  const [issuerName, roles] = [variableOf('signInIssuer'), variableOf('signInRoles')];
  if (signInIssuer !== undefined && signInRoles.length === 0)
    return `${issuerName} is set without ${roles}, so nobody who signs in would get in; set both or neither`;
  if (signInIssuer === undefined && signInRoles.length > 0)
    return `${roles} is set without ${issuerName}, so nobody signs in; set both or neither`;
  return undefined;
}

function findPointlessScopes({ signInIssuer, signInScopes }: Values): string | undefined {
  if (signInIssuer !== undefined || signInScopes.length === 0) return undefined;
  return `${variableOf('signInScopes')} is set without ${variableOf('signInIssuer')}, so nobody is asked; set both or neither`;
}

/** The provider sends people back to an address that it knows, and never to one that a request has named. */
function findUnknownAddress({
  signInIssuer,
  host,
  publicUrl,
}: Values & ValuesOf<typeof listeners.rows>): string | undefined {
  if (signInIssuer === undefined || publicUrl !== undefined || LOOPBACK.test(host)) return undefined;
  const [issuerName, url] = [variableOf('signInIssuer'), variableOf('publicUrl')];
  return `${issuerName} is set without ${url}, so the server does not know where the provider should send people back to; set ${url} to the address of this server as browsers reach it`;
}
