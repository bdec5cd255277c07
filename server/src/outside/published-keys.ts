import { parseJson } from '@respark/protocol';
import type { JWK } from 'jose';
import { decodeText } from '../text.ts';
import { OutsideFault } from './outside-fault.ts';
import type { AskProvider } from './provider-requests.ts';

/** A set of keys has a few kilobytes, and is read in the event loop. */
const MAX_BYTES = 32_768;
const MAX_KEYS = 20;
/** What a key for a signature has, and what gives a private one away; certificates, which may be long, are not looked at. */
const MEMBERS = ['kty', 'kid', 'alg', 'use', 'key_ops', 'crv', 'x', 'y', 'n', 'e', 'd', 'k'] as const;
/**
 * The longest modulus and exponent of an RSA key, in characters of base64url: 8,192 bits and 32. With an exponent as long
 * as the modulus, each token would take a thread thirty times as long, whoever sent it, and all games share the threads.
 */
const MAX_MODULUS_CHARACTERS = 1_366;
const MAX_EXPONENT_CHARACTERS = 6;
/** Shorter than a player waits for the welcome. */
const TIMEOUT_MS = 3_000;

/** What a provider has published, and for how long it says that this is good; undefined if it does not say. */
export interface PublishedKeys {
  readonly keys: readonly JWK[];
  readonly maxAgeMs: number | undefined;
}

/**
 * Gets a set of keys (RFC 7517) from its URL, over one connection of its own. Rejects with an `OutsideFault` within
 * seconds when that cannot be done. Nothing that comes back is shown to anybody but the keys. `owner` takes turns with others, such
 * as a game, whatever hosts its URLs name.
 */
export type FetchPublishedKeys = (url: string, owner: string) => Promise<PublishedKeys>;

export function createFetchPublishedKeys({ ask }: { ask: AskProvider }): FetchPublishedKeys {
  return async (text, owner) => {
    const url = new URL(text);
    const request = { url, method: 'GET', headers: { accept: 'application/json' }, body: undefined, owner };
    const { status, headers, body } = await ask(request, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
    // A redirect is no success, and is not followed: the keys would be somebody else's.
    if (status !== 200) throw new OutsideFault('failed', `${url.host} answered with status ${status}`);
    return { keys: keysIn(body, url.host), maxAgeMs: maxAgeOf(headers['cache-control']) };
  };
}

function keysIn(body: Uint8Array, whose: string): readonly JWK[] {
  let read: unknown;
  try {
    read = parseJson(decodeText(body));
  } catch (cause) {
    throw new OutsideFault('failed', `${whose} answered with what is not JSON`, { cause });
  }
  const { keys } = Object(read) as { keys?: unknown };
  const isSet = Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null);
  if (!isSet) throw new OutsideFault('failed', `${whose} answered with what is no set of keys (JWKS)`);
  if (keys.length > MAX_KEYS) throw new OutsideFault('failed', `${whose} has more than ${MAX_KEYS} keys`);
  return (keys as JWK[]).map((key) => {
    const isCostly = lengthOf(key.n) > MAX_MODULUS_CHARACTERS || lengthOf(key.e) > MAX_EXPONENT_CHARACTERS;
    // Without them the key has its name, and nothing that could be used.
    const members = isCostly ? MEMBERS.filter((name) => name !== 'n' && name !== 'e') : MEMBERS;
    const known = members.flatMap((name) =>
      typeof key[name] === 'string' || name === 'key_ops' ? [[name, key[name]]] : [],
    );
    return Object.fromEntries(known.filter(([, value]) => value !== undefined));
  });
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' ? value.length : 0;
}

function maxAgeOf(cacheControl = ''): number | undefined {
  const [, seconds] = /(?:^|[\s,])max-age="?(\d{1,9})"?(?:$|[\s,;])/i.exec(cacheControl) ?? [];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}
