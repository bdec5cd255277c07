import { hash } from 'node:crypto';
import { parseAuthorization } from '../../src/api/signature/authorization-header.ts';
import {
  createSigningKeyCache,
  type SignatureRefusal,
  signRequest,
  verifySignature,
} from '../../src/api/signature/sigv4.ts';
import { collectHeaders } from '../../src/http/exchange.ts';

export const ACCESS_KEY_ID = 'AKIDEXAMPLE';
export const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
export const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5);
export const TIMESTAMP = '20260102T030405Z';
export const CLOCK_SKEW_MS = 5 * 60_000;

/** A request as a server reads it from the wire. */
export interface Wire {
  method: string;
  rawPath: string;
  rawQuery: string;
  rawHeaders: string[];
  body: Uint8Array;
}

export function check(
  wire: Wire,
  { secretAccessKey = SECRET, nowMs = NOW_MS, signingKeys = createSigningKeyCache({ maxEntries: 10 }) } = {},
): SignatureRefusal | undefined {
  const request = { ...wire, headers: collectHeaders(wire.rawHeaders) };
  const authorization = parseAuthorization({ ...request, nowMs, clockSkewMs: CLOCK_SKEW_MS });
  if ('name' in authorization) return authorization;
  const readings = [{ host: request.headers.get('host')?.[0] ?? '', path: request.rawPath }];
  const payloadHash = hash('sha256', wire.body, 'hex');
  const verified = verifySignature({ ...request, readings, authorization, secretAccessKey, signingKeys }, payloadHash);
  return 'name' in verified ? verified : undefined;
}

/** Our own signature over an example request, with some of it replaced. */
export function signExample({ headers = {}, path = '/game/Demo?MaxResults=1', body = new Uint8Array() } = {}): Wire {
  const url = new URL(path, 'http://localhost:8080');
  const added = signRequest({
    method: 'GET',
    url,
    headers,
    body,
    accessKeyId: ACCESS_KEY_ID,
    secretAccessKey: SECRET,
    region: 'eu-central-1',
    nowMs: NOW_MS,
  });
  return {
    method: 'GET',
    rawPath: url.pathname,
    rawQuery: url.search.slice(1),
    rawHeaders: Object.entries({ ...headers, Host: url.host, ...added }).flat(),
    body,
  };
}

export function withHeader(wire: Wire, changed: string, value: string | undefined): Wire {
  const rawHeaders: string[] = [];
  for (let i = 0; i < wire.rawHeaders.length; i += 2) {
    if (wire.rawHeaders[i]?.toLowerCase() !== changed) rawHeaders.push(...wire.rawHeaders.slice(i, i + 2));
  }
  return { ...wire, rawHeaders: value === undefined ? rawHeaders : [...rawHeaders, changed, value] };
}

export function headerOf(wire: Wire, wanted: string): string {
  return collectHeaders(wire.rawHeaders).get(wanted)?.[0] ?? '';
}

export function editAuthorization(wire: Wire, edit: (value: string) => string): Wire {
  return withHeader(wire, 'authorization', edit(headerOf(wire, 'authorization')));
}
