import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConsolePage, chromium, openConsole, signIn } from '../support/console-page.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

async function makeKey(server: { url: string }, body: { Role: string; LifetimeSeconds?: number }) {
  const { json } = await rawCall(server, 'POST', '/respark/access-key', { body });
  const { AccessKeyId: accessKeyId } = json.AccessKey as { AccessKeyId: string };
  return { accessKeyId, secretAccessKey: String(json.SecretAccessKey) };
}

/** Somebody whose key ends in `leftMs`, as far as their browser knows, in one in which `script` runs before each page. */
async function signedIn(server: { url: string }, leftMs: number, script: string, hash: string): Promise<ConsolePage> {
  const made = await makeKey(server, { Role: 'admin', LifetimeSeconds: 60 });
  const opened = await openConsole(server.url, { hash });
  await opened.page.evaluateOnNewDocument(script);
  const expires = new Date(Date.now() + leftMs).toISOString();
  const key = JSON.stringify({ ...made, expires });
  await opened.page.evaluate(`sessionStorage.setItem('respark.access-key', ${JSON.stringify(key)})`);
  await opened.page.reload();
  return opened;
}

test('[chromium] a key that was revoked elsewhere leads back to the sign-in, where a wrong one is still said to be', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const key = await makeKey(server, { Role: 'moderator' });
  const readers = [
    { language: 'en', online: '0 players online', gone: 'Your access key is no longer good' },
    { language: 'de', online: '0 Spieler online', gone: 'Ihr Access-Key gilt nicht mehr' },
  ];
  const tabs = [];
  for (const { language, online } of readers) {
    const opened = await signIn(server.url, key, { language, hash: `#/players?${PLACE}` });
    await opened.shows(online);
    tabs.push(opened);
  }
  await rawCall(server, 'DELETE', `/respark/access-key/${key.accessKeyId}`);
  for (const [index, opened] of tabs.entries()) {
    await opened.shows(readers[index]?.gone ?? '');
    await opened.assertSound();
  }

  const [opened] = tabs as [ConsolePage];
  await opened.fill('Access key id', key.accessKeyId);
  await opened.fill('Secret access key', key.secretAccessKey);
  await opened.press('Sign in');
  assert.match(await opened.shows('UnrecognizedClientException'), /There is no such access key: its id is misspelled/);
  await opened.assertSound();
  const other = await makeKey(server, { Role: 'viewer' });
  await opened.fill('Access key id', other.accessKeyId);
  await opened.fill('Secret access key', other.secretAccessKey);
  await opened.press('Sign in');
  await opened.shows('0 players online');
});

test('[chromium] what a key may not do is not in the navigation for a moment either, while that is still asked', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const key = await makeKey(server, { Role: 'viewer' });
  const opened = await openConsole(server.url, { hash: `#/players?${PLACE}` });
  const asked: (() => void)[] = [];
  await opened.page.setRequestInterception(true);
  opened.page.on('request', (request) => {
    const go = () => void request.continue();
    if (new URL(request.url()).pathname === '/respark/permission') asked.push(go);
    else go();
  });
  await opened.fill('Access key id', key.accessKeyId);
  await opened.fill('Secret access key', key.secretAccessKey);
  await opened.press('Sign in');
  await opened.page.waitForSelector('.console main');
  await until(() => asked.length > 0);
  const before = await opened.shows('Loading…');
  assert.ok(!before.includes('Access keys'));
  for (const go of asked.splice(0)) go();
  assert.doesNotMatch(await opened.shows('Records'), /Access keys/);
  await opened.shows('0 players online');
});

test('[chromium] what a key may do is not taken for what the next one may, which makes no call that it may not make', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const key = await makeKey(server, { Role: 'moderator' });
  const opened = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  await opened.shows('Access keys');
  await opened.press('Sign out');
  await opened.shows('Secret access key');
  const asked: string[] = [];
  opened.page.on('request', (request) => void asked.push(new URL(request.url()).pathname));
  await opened.fill('Access key id', key.accessKeyId);
  await opened.fill('Secret access key', key.secretAccessKey);
  await opened.press('Sign in');
  await opened.shows('0 players online');
  await opened.shows('Maintenance');
  assert.deepEqual(
    asked.filter((path) => path.startsWith('/respark/access-key')),
    [],
  );
  const { json } = await rawCall(server, 'GET', '/respark/audit-record?MaxResults=20');
  const records = json.AuditRecords as { Actor: string; Operation: string }[];
  assert.deepEqual(
    records.filter(({ Actor }) => Actor === key.accessKeyId),
    [],
    'no record says that somebody has tried what they may not do',
  );
});

test('[chromium] a page that is still being loaded has a heading, too', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  await opened.shows('0 players online');
  const parts: (() => void)[] = [];
  await opened.page.setRequestInterception(true);
  opened.page.on('request', (request) => {
    const go = () => void request.continue();
    if (request.url().endsWith('.js')) parts.push(go);
    else go();
  });
  const asked = opened.page.waitForRequest((request) => request.url().endsWith('.js'));
  await opened.press('Jobs');
  await asked;
  await opened.shows('Loading');
  await opened.assertSound();
  for (const go of parts.splice(0)) go();
  await opened.shows('Nobody has started a job');
});

test('[chromium] a computer that has slept past the end of a key leads back to the sign-in when it is looked at', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const sleep = `{
    const later = setTimeout;
    globalThis.setTimeout = (task, ms, ...rest) => ms > 1_000 ? 0 : later(task, ms, ...rest);
  }`;
  const opened = await signedIn(server, 5_000, sleep, `#/audit?${PLACE}`);
  await opened.shows('CreateAccessKey');
  const { expires } = JSON.parse(String(await opened.page.evaluate("sessionStorage.getItem('respark.access-key')")));
  await opened.page.waitForFunction(`Date.now() > ${Date.parse(expires)}`);
  assert.match(await opened.shows('CreateAccessKey'), /Sign out/);
  await opened.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
  await opened.shows('Your sign-in has ended. Sign in again.');
  await opened.assertSound();
});

test('[chromium] a browser whose clock is ahead stays signed in until the key has really expired', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const ahead = `{
    const Real = Date;
    globalThis.Date = class extends Real {
      constructor(...given) { super(...(given.length === 0 ? [Real.now() + 3_600_000] : given)); }
      static now() { return Real.now() + 3_600_000; }
    };
  }`;
  const opened = await signedIn(server, 60_000, ahead, `#/players?${PLACE}`);
  const answered = () =>
    opened.page.waitForResponse((reply) => reply.ok() && new URL(reply.url()).pathname.endsWith('/player'));
  await answered();
  await answered();
  assert.match(await opened.shows('0 players online'), /Sign out/);
  await opened.assertSound();

  const brief = await signedIn(server, 3_000, ahead, `#/players?${PLACE}`);
  await brief.shows('Your sign-in has ended. Sign in again.');
});

test('[chromium] whoever is signed in until soon is told when that is, and nobody else', { skip }, async (t) => {
  const server = await startTestServer(t);
  const later = await signedIn(server, 3_600_000, '', `#/players?${PLACE}`);
  assert.doesNotMatch(await later.shows('0 players online'), /Your sign-in ends/);
  const soon = await signedIn(server, 200_000, '', `#/players?${PLACE}`);
  await soon.shows(/Your sign-in ends at .*\d\d:\d\d:\d\d\. Save what you have typed/);
  await soon.assertSound();
});

test('[chromium] a step back to a page as it was left signs nobody in whom the tab does not keep', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const [mine, another] = [await makeKey(server, { Role: 'moderator' }), await makeKey(server, { Role: 'viewer' })];
  const elsewhere = new URL('/healthz', server.url).href;
  const stored = ({ page }: ConsolePage) => page.evaluate("sessionStorage.getItem('respark.access-key')");
  const isPageAsLeft = ({ page }: ConsolePage) => page.waitForFunction('globalThis.isAsLeft === true');
  /** Signs in, leaves for another page, does `meanwhile` on a new page of the console in the same tab, and goes back. */
  async function comeBack(isKept: boolean, meanwhile: (opened: ConsolePage) => Promise<void>): Promise<ConsolePage> {
    const opened = await openConsole(server.url, { hash: `#/blocks?${PLACE}` });
    const { page } = opened;
    await opened.fill('Access key id', mine.accessKeyId);
    await opened.fill('Secret access key', mine.secretAccessKey);
    if (isKept) await opened.press('Stay signed in in this tab');
    await opened.press('Sign in');
    await opened.shows('Sign out');
    await page.evaluate("addEventListener('pageshow', (event) => { globalThis.isAsLeft = event.persisted; })");
    const steps = Number(await page.evaluate('history.length'));
    await page.goto(elsewhere);
    await page.goto(new URL(`/console/#/blocks?${PLACE}`, server.url).href);
    await meanwhile(opened);
    const back = steps - Number(await page.evaluate('history.length'));
    await page.evaluate(`history.go(${back})`);
    await isPageAsLeft(opened);
    return opened;
  }

  const out = await comeBack(true, async (opened) => {
    await opened.press('Sign out');
    await opened.shows('Secret access key');
  });
  await out.shows('Secret access key');
  await out.assertSound();

  const forgotten = await comeBack(false, async (opened) => void (await opened.shows('Secret access key')));
  await forgotten.shows('Secret access key');

  const changed = await comeBack(true, async (opened) => {
    await opened.press('Sign out');
    await opened.fill('Access key id', another.accessKeyId);
    await opened.fill('Secret access key', another.secretAccessKey);
    await opened.press('Stay signed in in this tab');
    await opened.press('Sign in');
    await opened.shows('Sign out');
  });
  await changed.shows(another.accessKeyId);
  assert.match(String(await stored(changed)), new RegExp(another.accessKeyId));

  const same = await comeBack(true, async (opened) => void (await opened.shows('Sign out')));
  await same.shows(mine.accessKeyId);
  await same.assertSound();
});
