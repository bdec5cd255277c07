import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { makeConsoleLink } from '../../src/main.ts';
import { readAudit } from '../support/administration.ts';
import { chromium, openConsole } from '../support/console-page.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

test('[chromium] the link of a start signs a newcomer in, once, and they send a player away', { skip }, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const { hash } = new URL(server.consoleLink ?? '');
  const opened = await openConsole(server.url, { hash });
  await opened.shows(`${GAME} · ${STAGE}`);
  assert(!String(await opened.page.evaluate('location.href')).includes('code'), 'the code is out of the address');
  await opened.page.reload();
  await opened.shows(`${GAME} · ${STAGE}`);
  await opened.shows(/Signed in as \w+ \(a key made by a link of the server\)/);
  await opened.press('Players');
  await opened.press(player.playerId);
  await opened.press('Disconnect…');
  await opened.press('Show what it will do');
  await opened.press('Disconnect 1 connection');
  await opened.shows('1 connection closed.');
  assert.equal((await player.closed).code, 4500);
  await opened.assertSound();

  const again = await openConsole(server.url, { hash });
  await again.shows('The link does not sign in: it was used, is older than a minute');
  await again.press('Details');
  await again.shows('the code was used, or is older than a minute');
  const later = await openConsole(server.url, { hash, language: 'de' });
  const refused = await later.shows('Der Link meldet nicht an: Er wurde schon benutzt');
  assert.doesNotMatch(refused, /the code|older than/, 'the server’s own words are for those who ask for them');
  await again.fill('Access key id', ROOT.accessKeyId);
  await again.fill('Secret access key', 'not the secret');
  await again.press('Sign in');
  assert.doesNotMatch(await again.shows('The secret does not belong to this access key'), /The link does not sign in/);
  const made = await readAudit(server, { operation: 'CreateAccessKey', isLocal: true });
  assert.equal(made.length, 1, 'the key is on record');
});

test('[chromium] pages of somebody else’s use up no link, whatever codes they have the console opened with', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await openConsole(server.url);
  for (let n = 0; n < 15; n += 1) {
    const tried = opened.page.waitForResponse((reply) => reply.request().method() === 'POST');
    await opened.page.goto('about:blank');
    await opened.page.goto(`${server.url}/console/#code=made-up-${n}`);
    assert.equal((await tried).status(), 403);
  }
  const { hash } = new URL(server.consoleLink ?? '');
  await fetch(`${server.url}/console/sign-in?${hash.slice(1)}`);
  const person = await openConsole(server.url, { hash });
  await person.shows(`${GAME} · ${STAGE}`);
});

test('[chromium] a page that a browser makes ready without being asked to uses up no link, and one that is signed in keeps none', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const { hash } = new URL(server.consoleLink ?? '');
  const opened = await openConsole(server.url);
  await opened.shows('Secret access key');
  const { identifier } = await opened.page.evaluateOnNewDocument(
    "Object.defineProperty(document, 'prerendering', { get: () => globalThis.isOpened !== true })",
  );
  const asked: string[] = [];
  opened.page.on('request', (request) => void (request.method() === 'POST' && asked.push(request.url())));
  await opened.page.goto('about:blank');
  await opened.page.goto(`${server.url}/console/${hash}`);
  await opened.shows('Secret access key');
  await pause(300);
  assert.deepEqual(asked, []);
  await opened.page.evaluate("globalThis.isOpened = true; document.dispatchEvent(new Event('prerenderingchange'))");
  await opened.shows(`${GAME} · ${STAGE}`);
  assert.equal(asked.length > 0, true);
  await opened.page.removeScriptToEvaluateOnNewDocument(identifier);
  await opened.page.evaluate("location.hash = '#code=another'");
  await opened.page.waitForFunction("!location.href.includes('another')");
  await opened.shows(`${GAME} · ${STAGE}`);
  await opened.page.goBack();
  assert.ok(!String(await opened.page.evaluate('location.href')).includes('another'));
});

test('[chromium] a command prints another link of a server that runs, which is on record and takes the place of the last', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const link = async () => {
    const world = createTestWorld({ main: { makeConsoleLink }, local: { url: server.url } });
    assert.equal(await world.run('console', '--data-dir', server.dataDir), 0, world.err());
    assert.match(world.err(), /works once, within a minute/);
    return new URL(world.out().trim());
  };
  const before = await link();
  const { origin, pathname, hash } = await link();
  assert.equal(`${origin}${pathname}`, `${server.url}/console/`);
  assert.equal(statSync(join(server.dataDir, 'console-code.json')).mode & 0o777, 0o600);
  assert(!readFileSync(join(server.dataDir, 'console-code.json'), 'utf8').includes(hash.replace('#code=', '')));
  const opened = await openConsole(server.url, { hash: before.hash });
  await opened.shows('npx respark console prints another link');
  const again = await openConsole(server.url, { hash });
  await again.shows(`${GAME} · ${STAGE}`);
  assert(!existsSync(join(server.dataDir, 'console-code.json')), 'it is good once');
  assert.equal((await readAudit(server, { operation: 'CreateConsoleLink', isLocal: true })).length, 2);
});

test('nobody else gets a key for a code: no other machine, page or name, and no proxy', async (t) => {
  const server = await startTestServer(t);
  const code = new URL(server.consoleLink ?? '').hash.replace('#code=', '');
  const origin = server.url;
  const ask = (headers: Record<string, string>, body = code) =>
    fetch(`${server.url}/console/sign-in`, { method: 'POST', body, headers });
  const refused = {
    'another page': { origin: 'https://evil.example' },
    'no page': {},
    'a page that says nothing': { origin: 'null' },
    'a proxy': { origin, 'x-forwarded-for': '203.0.113.9' },
    'a proxy that names this machine': { origin, via: '1.1 proxy' },
  };
  for (const [who, headers] of Object.entries(refused))
    assert.equal((await ask(headers as Record<string, string>)).status, 403, who);
  assert.equal((await ask({ origin }, 'x'.repeat(2_000))).status, 400);
  assert.equal((await ask({ origin }, 'guess')).status, 403);
  const given = await ask({ origin });
  assert.equal(given.status, 200);
  assert.equal(given.headers.get('cache-control'), 'no-store');
  assert.deepEqual(Object.keys((await given.json()) as object), ['accessKeyId', 'secretAccessKey']);
  assert.equal((await ask({ origin })).status, 403);
});
