import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** The server takes any region, and this is the one that its own commands name. */
const REGION = 'us-east-1';
const SERVICE = 'gamesparks';

/**
 * The headers that sign a call by Signature Version 4. The browser's own cryptography is missing on pages that came by
 * plain HTTP, as they do from a server on a private network, so the hashes are those of a library.
 */
export function signatureOf(
  key: AccessKey,
  { method, url, body = '', at }: { method: string; url: URL; body?: string | undefined; at: Date },
): Readonly<Record<string, string>> {
  const time = `${at.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const scope = `${time.slice(0, 8)}/${REGION}/${SERVICE}/aws4_request`;
  const signed = { host: url.host, 'x-amz-content-sha256': hashOf(body), 'x-amz-date': time };
  const names = Object.keys(signed).join(';');
  const request = [
    method,
    url.pathname.split('/').map(encode).join('/'),
    canonicalQuery(url),
    ...Object.entries(signed).map(([name, value]) => `${name}:${value}`),
    '',
    names,
    signed['x-amz-content-sha256'],
  ].join('\n');
  const text = [ALGORITHM, time, scope, hashOf(request)].join('\n');
  const signature = bytesToHex(
    scope
      .split('/')
      .concat(text)
      .reduce(mac, utf8ToBytes(`AWS4${key.secretAccessKey}`)),
  );
  const { host: _, ...sent } = signed;
  const credential = `Credential=${key.accessKeyId}/${scope}`;
  return { ...sent, authorization: `${ALGORITHM} ${credential}, SignedHeaders=${names}, Signature=${signature}` };
}

const hashOf = (text: string) => bytesToHex(sha256(utf8ToBytes(text)));

const mac = (key: Uint8Array, text: string): Uint8Array => hmac(sha256, key, utf8ToBytes(text));

/** As RFC 3986 has it, which `encodeURIComponent` does not do for five characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function canonicalQuery(url: URL): string {
  const pairs = url.search.slice(1).split('&').filter(Boolean);
  const encoded = pairs.map((pair) => {
    const [name = '', ...value] = pair.split('=');
    return [name, value.join('=')].map((part) => encode(decodeURIComponent(part)));
  });
  return encoded
    .map(([name = '', value = '']) => [name, value] as const)
    .sort(([a, x], [b, y]) => (a === b ? order(x, y) : order(a, b)))
    .map((pair) => pair.join('='))
    .join('&');
}

const order = (a: string, b: string) => (a < b ? -1 : Number(a > b));
