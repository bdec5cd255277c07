import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../../src/config/config.ts';
import { createConsole } from '../../src/console/console.ts';
import { startTestServer } from '../support/server.ts';

/** What a browser loads before it shows anything, in gzip. */
const MAX_INITIAL_BYTES = 60 * 1024;

/** Without what `fetch` does by itself: it would unpack the body and hide how it came. */
async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers, redirect: 'manual' });
  return {
    response,
    body: Buffer.from(await response.arrayBuffer()),
    header: (name: string) => response.headers.get(name),
  };
}

test('the console comes with a strict policy, from the server alone, and its first load is small', async (t) => {
  const { url } = await startTestServer(t);
  const moved = await get(`${url}/console`);
  assert.equal(moved.response.status, 308);
  assert.equal(moved.header('location'), './console/');

  const page = await get(`${url}/console/`);
  assert.equal(page.response.status, 200);
  assert.equal(page.header('content-type'), 'text/html; charset=utf-8');
  assert.equal(page.header('cache-control'), 'no-cache');
  const policy = page.header('content-security-policy') ?? '';
  for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"])
    assert(policy.split('; ').includes(part), part);
  assert(!/unsafe|https?:|data:|\*/.test(policy), policy);

  const html = page.body.toString();
  assert(!/<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=/.test(html), 'nothing in the page is inline');
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link);
  assert(links.length >= 3, html);
  let bytes = 0;
  for (const link of links) {
    assert.match(link, /^\.\/assets\//, 'everything is the server’s own');
    const asset = await get(new URL(link, `${url}/console/`).href, { 'accept-encoding': 'gzip' });
    assert.equal(asset.response.status, 200, link);
    assert.equal(asset.header('content-encoding'), 'gzip');
    assert.equal(asset.header('cache-control'), 'public, max-age=31536000, immutable');
    bytes += Number(asset.header('content-length'));
  }
  t.diagnostic(`${(bytes / 1024).toFixed(1)} KiB in gzip`);
  assert(bytes <= MAX_INITIAL_BYTES, `the first load has ${bytes} bytes`);
});

test('what a browser has already is not sent again, and other paths lead nowhere', async (t) => {
  const { url } = await startTestServer(t);
  const page = await get(`${url}/console/`);
  const etag = page.header('etag') ?? '';
  const again = await get(`${url}/console/`, { 'if-none-match': `"other", W/${etag}` });
  assert.deepEqual([again.response.status, again.body.length], [304, 0]);
  assert.equal((await get(`${url}/console/`, { 'if-none-match': '"other"' })).response.status, 200);
  for (const path of ['/console/nothing.js', '/console/..%2f..%2fpackage.json', '/console/assets/', '/consoles']) {
    const { response } = await get(`${url}${path}`);
    assert(response.status === 404 || response.status === 403, `${path} ${response.status}`);
  }
});

test('the body is in gzip only for those who take it', async () => {
  const body = Buffer.from('<!doctype html>');
  const serve = createConsole({
    findFile: () => ({
      contentType: 'text/html',
      isHashed: false,
      etag: '"e"',
      body: () => body,
      gzipped: async () => Buffer.from('packed'),
    }),
  });
  const cases = { gzip: true, 'br, gzip;q=0.5': true, GZIP: true, 'gzip;q=0': false, 'gzip; q=0.0': false, br: false };
  for (const [coding, isPacked] of Object.entries(cases)) {
    const reply = await serve({ rawPath: '/console/', headers: new Map([['accept-encoding', [coding]]]) });
    assert.equal(reply.headers['content-encoding'], isPacked ? 'gzip' : undefined, coding);
    assert.equal(reply.headers.vary, 'Accept-Encoding');
  }
});

test('the pages may also reach where players connect, if that is elsewhere, and nothing can be slipped in with it', async () => {
  const reach = async (playerUrl?: string) => {
    const reply = await createConsole({ findFile: () => undefined, playerUrl })({
      rawPath: '/console',
      headers: new Map(),
    });
    return /connect-src ([^;]*);/.exec(String(reply.headers['content-security-policy']))?.[1];
  };
  assert.equal(await reach(), "'self'");
  assert.equal(await reach('wss://play.example/respark/connect'), "'self' wss://play.example");

  const load = (url: string) => loadSettings({ env: { RESPARK_PLAYER_URL: url }, flags: {} }).playerUrl;
  for (const url of ['ws://127.0.0.1:8081', 'wss://play.example', 'wss://play.example/respark/connect', 'ws://[::1]:1'])
    assert.equal(load(url), url);
  for (const url of [
    ...['https://play.example', 'wss://play.example/', 'wss://*', 'wss://*.example', 'wss://a@play.example'],
    ...[
      'wss://play.example; script-src *',
      'wss://play.example;script-src',
      'wss://a,b',
      'wss://a b',
      'wss://a?b',
      'wss://',
    ],
  ])
    assert.throws(() => load(url), /RESPARK_PLAYER_URL/, url);
});
