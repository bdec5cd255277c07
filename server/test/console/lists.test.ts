import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { HTTPRequest, Page } from 'puppeteer-core';
import { chromium, openConsole, signIn } from '../support/console-page.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const IN_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;

const connect = async (server: TestServer, playerId: string) => {
  const { json } = await rawCall(server, 'POST', `${IN_STAGE}/player/${playerId}/token`);
  await server.connect({ token: String(json.AuthenticationToken) });
};

/** Holds back the calls that ask for the first page of a list. */
async function holdFirstPage(page: Page, end: string) {
  const held: HTTPRequest[] = [];
  let isHolding = true;
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    const isMeant = request.method() === 'GET' && pathname.endsWith(end) && !searchParams.has('NextToken');
    if (isHolding && isMeant) held.push(request);
    else void request.continue().catch(() => {});
  });
  return {
    arrived: () => until(() => held.length > 0),
    release() {
      isHolding = false;
      // The page may have given up a request meanwhile, which then cannot be continued.
      for (const request of held.splice(0)) void request.continue().catch(() => {});
    },
  };
}

/** The ids in the first column. */
const rowsOf = (page: Page) =>
  page.$$eval('tbody tr', (rows) => rows.map((row) => row.querySelector('a')?.href.split('player=').at(-1) ?? ''));

/** Presses for more until there is no more. The button goes some frames after the rows of the last page have begun to come. */
async function showAll(page: Page): Promise<void> {
  await until(async () => {
    await page.evaluate("document.querySelector('.more button:not([aria-disabled=true])')?.click()");
    return (await page.$('.more')) === null;
  });
}

test('[chromium] what comes behind the pages of a list that is read anew comes behind the new one', {
  skip,
}, async (t) => {
  const server = await startTestServer(t, { settings: { writeCallsBurst: 1_000 } });
  const ids = Array.from({ length: 120 }, (_, n) => `p-${String(n).padStart(3, '0')}`);
  for (const id of ids) await rawCall(server, 'POST', `${IN_STAGE}/player/${id}/block`);
  const opened = await signIn(server.url, ROOT, { hash: `#/blocks?${PLACE}` });
  await opened.shows('p-000');
  const shown = (await rowsOf(opened.page)).length;
  assert.ok(shown < 120, `${shown} of 120 are on the first page`);
  await opened.press('Unblock… p-000');
  const reading = await holdFirstPage(opened.page, '/block');
  await opened.press('Unblock');
  await reading.arrived();
  await opened.page.waitForFunction("document.querySelector('dialog') === null");
  // The old list is still shown at this press.
  await opened.page.$eval('.more button', (button) => button.click());
  await pause(500);
  reading.release();
  await opened.page.waitForFunction("!document.querySelector('tbody').innerText.includes('p-000')");
  await showAll(opened.page);
  assert.deepEqual((await rowsOf(opened.page)).sort(), ids.slice(1));
  await opened.assertSound();
});

test('[chromium] a live list of several pages shows nobody twice and leaves nobody out, whoever comes meanwhile', {
  skip,
}, async (t) => {
  const server = await startTestServer(t, {
    settings: { writeCallsBurst: 1_000, maxConnectionsPerAddress: 1_000, handshakesPerSecondPerAddress: 1_000 },
  });
  const ids = Array.from({ length: 130 }, (_, n) => `p-${String(n).padStart(3, '0')}`);
  for (const id of ids) await connect(server, id);
  const opened = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  await opened.shows('p-000');
  // The rows come a few in each frame.
  await opened.page.waitForFunction("document.querySelectorAll('tbody tr').length >= 50");
  const reading = await holdFirstPage(opened.page, '/player');
  await connect(server, 'a-newcomer');
  await showAll(opened.page);
  reading.release();
  await pause(500);
  const rows = await rowsOf(opened.page);
  assert.deepEqual([...new Set(rows)].length, rows.length, 'somebody is there twice');
  assert.deepEqual(
    ids.filter((id) => !rows.includes(id)),
    [],
  );
  await opened.shows('With several pages the list is not live. It is as of');
  await opened.assertSound();
  await opened.press('Refresh');
  // What is out of sight is not among what is shown.
  await opened.page.waitForFunction("document.querySelector('tbody').textContent.includes('a-newcomer')");
  assert.doesNotMatch(await opened.shows('Show more'), /not live/);
});

test('[chromium] a page that was opened while nobody looked is there when somebody does', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await openConsole(server.url, { hash: `#/blocks?${PLACE}` });
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.page.evaluate(`globalThis.isAway = true;
    Object.defineProperty(document, 'hidden', { get: () => globalThis.isAway })`);
  const asked: string[] = [];
  opened.page.on('request', (request) => void asked.push(new URL(request.url()).pathname));
  await opened.press('Sign in');
  await opened.page.waitForSelector('.console main');
  await pause(300);
  assert.ok(!asked.some((path) => path.endsWith('/block')), 'nobody looks at the list');
  await opened.page.evaluate("globalThis.isAway = false; document.dispatchEvent(new Event('visibilitychange'))");
  await opened.shows('Nobody is blocked');
  await opened.assertSound();
});

test('[chromium] a list of which a page does not show all says so', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/home?${PLACE}` });
  await opened.shows(`${GAME} · ${STAGE}`);
  await opened.page.setRequestInterception(true);
  opened.page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (!pathname.endsWith('/block')) return void request.continue();
    const from = Number(searchParams.get('NextToken') ?? 0);
    const Blocks = Array.from({ length: 1_000 }, (_, n) => ({ PlayerId: `p-${from + n}`, StageName: STAGE }));
    void request.respond({
      contentType: 'application/json',
      body: JSON.stringify({ Blocks, NextToken: `${from + 1_000}` }),
    });
  });
  await opened.press('Blocks');
  await opened.shows('p-0');
  await opened.page.$eval('.more button', (button) => button.click());
  await opened.page.waitForFunction(
    "document.querySelector('main').textContent.includes('There are more than these 2,000')",
  );
  assert.equal(await opened.page.$('.more'), null);
});
