import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { Parameters } from '../domain/runtime/outside.ts';
import { decodeText, shown } from '../text.ts';
import { notAllowed } from './allow-list.ts';
import type { Exchanges } from './exchanges.ts';
import type { HttpReply } from './http-exchange.ts';
import { createAddressesOf, type LookUp } from './look-up.ts';
import { OutsideFault } from './outside-fault.ts';
import { badArgument, isObject, type OptionRow, readOptions } from './parameters.ts';
import { isLoopback, isPublic } from './public-address.ts';
import { bareHostOf, placeOf } from './url-place.ts';

export interface FetchSettings {
  /** `host:port`, or `host` for https on port 443, spelled as in a URL. */
  readonly outsideHosts: readonly string[];
  readonly outsideMaxResponseBytes: number;
}

/**
 * `Http().Fetch(url, { Method?, Headers?, Body? }?)` → `{ Status, Headers, Body }`. Names of the answer's headers are in
 * lower case; its body is text, which must be UTF-8. A redirect is an answer like any other.
 */
export type Fetch = (parameters: Parameters, signal: AbortSignal) => Promise<unknown>;

const MAX_URL_CHARACTERS = 8_192;
const MAX_HEADERS = 64;
const MAX_HEADER_CHARACTERS = 8_192;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** What belongs to the connection, which is the server's. An encoding of the answer would not be undone. */
const OWN_HEADER =
  /^(?:accept-encoding|connection|content-length|expect|host|http2-settings|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade)$/;

const OPTIONS = {
  Method: {
    rule: `one of ${METHODS.join(', ')}`,
    read: (value) => (typeof value === 'string' && METHODS.includes(value) ? value : undefined),
  },
  Headers: {
    rule: 'an object with text for each header, such as {"Authorization": "Bearer …"}',
    read: (value) => (isObject(value) ? headersOf(value) : undefined),
  },
  Body: {
    rule: 'text, such as JSON.stringify makes of an object',
    read: (value) => (typeof value === 'string' ? value : undefined),
  },
} satisfies Readonly<Record<string, OptionRow>>;

export function createFetch({
  settings,
  lookUp,
  exchanges,
}: {
  settings: FetchSettings;
  lookUp: LookUp;
  exchanges: Exchanges;
}): Fetch {
  const { outsideMaxResponseBytes: maxBytes } = settings;
  const listed = new Set(settings.outsideHosts);
  const addressesOf = createAddressesOf({ lookUp });

  /** The addresses that a name may stand for. */
  async function checkedAddresses(host: string): Promise<LookupAddress[]> {
    const isFit = host === 'localhost' ? isLoopback : isPublic;
    const fit = (await addressesOf(host)).filter(({ address }) => isFit(address));
    if (fit.length > 0) return fit;
    const message = `${shown(host)} stands for addresses of a private network, which scripts may use only if RESPARK_OUTSIDE_HOSTS lists the address itself`;
    throw new OutsideFault('not_allowed', message);
  }

  return async ([given, options], signal) => {
    const url = urlOf(given);
    const {
      Method = 'GET',
      Headers = {},
      Body,
    } = readOptions(options, OPTIONS, 'Fetch') as {
      readonly Method?: string;
      readonly Headers?: Readonly<Record<string, string>>;
      readonly Body?: string;
    };
    if (Body !== undefined && (Method === 'GET' || Method === 'HEAD')) {
      throw badArgument(`a request with Method ${Method} must not have a Body`);
    }
    const place = placeOf(url);
    const isOrdinary = url.protocol === 'https:' && url.port === '';
    const isListed = listed.has(place) || (isOrdinary && listed.has(url.hostname));
    if (!isListed) throw notAllowed(`the host ${shown(place)}`, place, 'RESPARK_OUTSIDE_HOSTS');
    const request = { url: url.href, method: Method, headers: Headers, body: Body };
    // No address is looked up for one that is listed itself.
    const isAddress = isIP(bareHostOf(url)) !== 0;
    const where = isAddress ? {} : { addresses: await checkedAddresses(url.hostname) };
    signal.throwIfAborted();
    return answerOf(await exchanges.exchange({ ...request, ...where }, { signal, maxBytes }), url.host);
  };
}

function urlOf(given: unknown): URL {
  if (typeof given !== 'string' || given.length > MAX_URL_CHARACTERS || !URL.canParse(given)) {
    throw badArgument(`the URL of Fetch must be one of up to ${MAX_URL_CHARACTERS} characters, got ${shown(given)}`);
  }
  const url = new URL(given);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw badArgument(`the URL of Fetch must begin with https:// or http://, got ${shown(given)}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw badArgument('the URL of Fetch must not have a user name or a password: send a header Authorization');
  }
  return url;
}

function headersOf(given: Readonly<Record<string, unknown>>): Record<string, string> {
  const headers = new Map<string, string>();
  let characters = 0;
  for (const [written, value] of Object.entries(given)) {
    const name = written.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~\da-z-]+$/.test(name)) throw badArgument(`${shown(written)} is no name of a header`);
    if (OWN_HEADER.test(name)) throw badArgument(`scripts must not set the header ${shown(written)}`);
    if (headers.has(name)) throw badArgument(`the header ${shown(written)} is given twice`);
    // The value may be a secret, and is not shown.
    if (typeof value !== 'string' || !/^[\t -~]*$/.test(value)) {
      throw badArgument(`the header ${shown(written)} must be text of printable ASCII characters`);
    }
    headers.set(name, value);
    characters += name.length + value.length;
  }
  if (headers.size > MAX_HEADERS || characters > MAX_HEADER_CHARACTERS) {
    throw badArgument(`the headers must be ${MAX_HEADERS} at most, with ${MAX_HEADER_CHARACTERS} characters in all`);
  }
  return Object.fromEntries(headers);
}

function answerOf({ status, headers, body }: HttpReply, whom: string): unknown {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    const message = `${whom} answered in the encoding ${shown(encoding)}, which it was not asked for`;
    throw new OutsideFault('failed', message);
  }
  try {
    return { Status: status, Headers: headers, Body: decodeText(body) };
  } catch (cause) {
    throw new OutsideFault('failed', `${whom} answered with a body that is not UTF-8 text`, { cause });
  }
}
