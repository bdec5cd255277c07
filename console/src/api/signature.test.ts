import assert from 'node:assert/strict';
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { SignatureV4 } from '@smithy/signature-v4';
import { signatureOf } from './signature.ts';

const aws4 = createRequire(import.meta.url)('aws4') as {
  sign(request: object, credentials: object): { readonly headers: Readonly<Record<string, unknown>> };
};

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const AT = new Date('2026-03-04T05:06:07.890Z');

const CALLS = [
  { method: 'GET', path: '/game' },
  { method: 'GET', path: '/game?NextToken=a%2Bb%3D%3D&MaxResults=50' },
  { method: 'GET', path: `/respark/game/Demo/stage/Dev/player?PlayerIdPrefix=${encodeURIComponent("a b*'()!~ü🦊")}` },
  { method: 'DELETE', path: `/runtime/game/G/stage/S/player/${encodeURIComponent('a/b c%2F🦊')}/connection`, body: '' },
  { method: 'POST', path: '/game', body: '{"GameName":"Spiel Ä","Tags":{"a":"\\u0001🦊"}}' },
  { method: 'PATCH', path: '/respark/server?Types=b&Types=a&A=&Z' },
];

/** What the SDK of AWS wants of a hash. */
class NodeSha256 {
  readonly #hash: Hash | Hmac;
  constructor(secret?: Parameters<typeof createHmac>[1]) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret);
  }
  update(data: string | Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {}
}

const signatureIn = (header: unknown) => /Signature=(\w{64})$/.exec(String(header))?.[1];

for (const { method, path, body = '' } of CALLS) {
  const url = new URL(path, 'http://console.example:8080');
  const headers = signatureOf(KEY, { method, url, body, at: AT });

  test(`the SDK of AWS signs ${method} ${path} alike`, async () => {
    const signer = new SignatureV4({
      credentials: KEY,
      region: 'us-east-1',
      service: 'gamesparks',
      sha256: NodeSha256 as never,
    });
    const query: Record<string, string | string[]> = {};
    for (const name of new Set(url.searchParams.keys())) query[name] = url.searchParams.getAll(name);
    const signed: { readonly headers?: object } = Object(
      await signer.sign(
        {
          method,
          protocol: 'http:',
          hostname: url.hostname,
          path: url.pathname,
          query,
          headers: { host: url.host, 'x-amz-content-sha256': String(headers['x-amz-content-sha256']) },
          body,
        } as never,
        { signingDate: AT },
      ),
    );
    assert.equal(signatureIn(headers.authorization), signatureIn(Object(signed.headers).authorization));
  });

  test(`aws4 signs ${method} ${path} alike`, () => {
    const signed = aws4.sign(
      {
        method,
        path,
        body,
        service: 'gamesparks',
        region: 'us-east-1',
        headers: {
          Host: url.host,
          'X-Amz-Date': String(headers['x-amz-date']),
          'X-Amz-Content-Sha256': String(headers['x-amz-content-sha256']),
        },
        extraHeadersToIgnore: { 'content-length': true, 'content-type': true },
      },
      KEY,
    );
    assert.equal(signatureIn(headers.authorization), signatureIn(signed.headers.Authorization));
  });
}
