import { isIP } from 'node:net';
import { parseJson } from '@respark/protocol';
import type { JWK } from 'jose';
import type { Clock } from '../clock.ts';
import { decodeText, shown } from '../text.ts';
import { exchange } from './http-exchange.ts';
import { always, createAddressesOf, type LookUps } from './look-up.ts';
import { OutsideFault } from './outside-fault.ts';
import { isPublic } from './public-address.ts';

/** A set of keys has a few kilobytes, and is read in the event loop. */
const MAX_BYTES = 32_768;
const MAX_KEYS = 20;
/** What a key for a signature has, and what gives a private one away; certificates, which may be long, are not looked at. */
const MEMBERS = ['kty', 'kid', 'alg', 'use', 'key_ops', 'crv', 'x', 'y', 'n', 'e', 'd', 'k'] as const;
/**
 * Of an RSA key, in characters of base64url: 8,192 bits and 32. With an exponent as long as the modulus, each token would
 * take a thread thirty times as long, whoever sent it, and all games share the threads.
 */
const MAX_MODULUS_CHARACTERS = 1_366;
const MAX_EXPONENT_CHARACTERS = 6;
/** Shorter than a player waits for the welcome. */
const TIMEOUT_MS = 3_000;

export interface PublishedKeysSettings {
  /** Hosts that keys may be fetched from although their addresses are not public. */
  readonly identityHosts: readonly string[];
}

/** What a provider has published, and for how long it says that this is good; undefined if it does not say. */
export interface PublishedKeys {
  readonly keys: readonly JWK[];
  readonly maxAgeMs: number | undefined;
}

/**
 * Gets a set of keys (RFC 7517) from its URL, over one connection of its own. Rejects with an `OutsideFault` within
 * seconds when that cannot be done. Nothing that comes back is shown to anybody but the keys.
 */
export type FetchPublishedKeys = (url: string) => Promise<PublishedKeys>;

export function createFetchPublishedKeys({
  clock,
  lookUps,
  stopping,
  settings,
}: {
  clock: Pick<Clock, 'after'>;
  lookUps: LookUps;
  /** Ends what is under way when the server stops. */
  stopping: AbortSignal;
  settings: PublishedKeysSettings;
}): FetchPublishedKeys {
  const addressesOf = createAddressesOf({ lookUp: lookUps.public });
  const listedAddressesOf = createAddressesOf({ lookUp: lookUps.listed });
  const listed = new Set(settings.identityHosts);

  /** Where the connection may go, so that a name cannot lead to what is behind the server's own network. */
  async function addressesFor({ hostname, host, port, protocol }: URL) {
    const place = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
    const name = hostname.replace(/^\[|\]$/g, '');
    const isListed = listed.has(hostname) || listed.has(place);
    const lookUp = isListed ? listedAddressesOf : (host: string) => addressesOf(host).catch(withAdvice);
    const addresses = isIP(name) === 0 ? await lookUp(hostname) : [{ address: name, family: isIP(name) }];
    const fit = addresses.filter(({ address }) => isListed || isPublic(address));
    if (fit.length > 0) return fit;
    const message = `${shown(host)} stands for addresses of a private network: add it to RESPARK_IDENTITY_HOSTS if keys may be fetched from there`;
    throw new OutsideFault('not_allowed', message);
  }

  return async (text) => {
    const url = new URL(text);
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, stopping]);
    const late = new OutsideFault('timeout', `${url.host} did not answer within ${TIMEOUT_MS} ms`);
    return await new Promise((resolve, reject) => {
      const cancel = clock.after(TIMEOUT_MS, () => {
        reject(late);
        controller.abort(late);
      });
      const work = async () => {
        const lookup = always(await addressesFor(url));
        signal.throwIfAborted();
        const request = { url, method: 'GET', headers: { accept: 'application/json' }, body: undefined, lookup };
        const limits = { signal, maxBytes: MAX_BYTES };
        const { status, headers, body } = await exchange({ ...request, agent: false }, limits).catch(inOwnWords(url));
        // A redirect is no success, and is not followed: the keys would be somebody else's.
        if (status !== 200) throw new OutsideFault('failed', `${url.host} answered with status ${status}`);
        return { keys: keysIn(body, url.host), maxAgeMs: maxAgeOf(headers['cache-control']) };
      };
      work().then(resolve, reject).finally(cancel);
    });
  };
}

/** A name that is only in the server's own network is unknown to public name servers. */
function withAdvice(error: unknown): never {
  const { code } = Object((error as { cause?: unknown }).cause) as { code?: unknown };
  if (!(error instanceof OutsideFault) || (code !== 'ENOTFOUND' && code !== 'ENODATA')) throw error;
  const message = `${error.message}: check the name, or add it to RESPARK_IDENTITY_HOSTS if it is in a private network`;
  throw new OutsideFault(error.code, message, { cause: error });
}

/** What is said of answers that are too long names a setting that is not for this one. */
function inOwnWords({ host }: URL): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof OutsideFault) || error.code !== 'too_large') throw error;
    throw new OutsideFault('too_large', `${host} answered with more than ${MAX_BYTES} bytes`, { cause: error });
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
