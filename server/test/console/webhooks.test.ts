import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium, openConsole, signIn } from '../support/console-page.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';
import { startReceiver } from '../support/webhook-receiver.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

test('[chromium] what a receiver refuses is seen while it waits, and that it was delivered in the end', {
  skip,
}, async (t) => {
  const server = await startTestServer(t, { settings: { webhookPrivateHosts: ['127.0.0.1'] } });
  const receiver = await startReceiver(t);
  receiver.answer(503, { 'retry-after': '5' });
  await rawCall(server, 'POST', `/respark/game/${GAME}/webhook`, { body: { Url: receiver.url } });
  const opened = await signIn(server.url, ROOT, { hash: `#/webhooks?${PLACE}` });
  await opened.press(`Deliveries… ${receiver.url}`);
  await opened.shows('No attempt is known.');
  await opened.shows('0 events wait.');
  await opened.assertSound();

  await server.connect();
  await opened.shows('1 event waits.');
  const refused = await opened.shows('at the earliest at');
  assert.match(refused, /connection\.opened.*503.*tried again/s);
  await opened.assertSound();
  receiver.answer(0);
  await opened.shows(/(socket|reset|closed|answer).*tried again.*503/is);
  receiver.answer(204);
  await opened.shows('0 events wait.');
  const delivered = await opened.shows('204');
  assert.match(delivered, /delivered.*503.*tried again/s);
  assert.equal(receiver.events.length, 1);
  await opened.assertSound();

  const german = await signIn(server.url, ROOT, {
    language: 'de',
    theme: 'dark',
    width: 390,
    hash: `#/webhooks?${PLACE}`,
  });
  await german.press(`Zustellungen … ${receiver.url}`);
  await german.shows('zugestellt');
  await german.shows('0 Ereignisse warten.');
  const tooWide = await german.page.evaluate('document.documentElement.scrollWidth - innerWidth');
  assert.ok(Number(tooWide) <= 0, `the page is ${tooWide} pixels wider than the screen`);
  await german.assertSound();
});

test('[chromium] a webhook is created for the types of events that are ticked, and for all when none is', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/webhooks?${PLACE}` });
  const create = async (url: string, types: readonly string[]) => {
    await opened.press('Create a webhook…');
    await opened.fill('URL', url);
    for (const type of types) await opened.press(type);
    await opened.assertSound();
    await opened.page.keyboard.press('Enter');
    await opened.shows('The secret, with which the receiver checks signatures.');
    await opened.press('Close');
  };
  await create('https://hooks.example/some', [
    'player.blocked',
    'connection.closed',
    'deployment.completed',
    'connection.closed',
  ]);
  await create('https://hooks.example/all', []);
  const { json } = await rawCall(server, 'GET', `/respark/game/${GAME}/webhook`);
  const made = json.Webhooks as readonly { Url: string; EventTypes?: readonly string[] }[];
  assert.deepEqual(Object.fromEntries(made.map(({ Url, EventTypes = [] }) => [new URL(Url).pathname, EventTypes])), {
    '/some': ['player.blocked', 'deployment.completed'],
    '/all': [],
  });
});

test('[chromium] a webhook is switched off only after whoever presses has read which one it is', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const [first, second] = ['https://hooks.example/first', 'https://hooks.example/second'];
  for (const Url of [first, second]) await rawCall(server, 'POST', `/respark/game/${GAME}/webhook`, { body: { Url } });
  const states = async () => {
    const { json } = await rawCall(server, 'GET', `/respark/game/${GAME}/webhook`);
    const made = json.Webhooks as readonly { Url: string; State: string }[];
    return [first, second].map((url) => made.find(({ Url }) => Url === url)?.State);
  };
  const opened = await signIn(server.url, ROOT, { hash: `#/webhooks?${PLACE}` });
  await opened.press(`Switch off… ${second}`);
  assert.deepEqual(await states(), ['ENABLED', 'ENABLED']);
  assert.equal(await opened.page.$eval('dialog .subject', (each) => each.textContent), second);
  await opened.assertSound();
  await opened.press('Switch the webhook off');
  await opened.press(`Switch on… ${second}`);
  assert.deepEqual(await states(), ['ENABLED', 'DISABLED']);
  await opened.press('Switch the webhook on');
  await opened.page.waitForFunction("document.querySelector('dialog') === null");
  assert.deepEqual(await states(), ['ENABLED', 'ENABLED']);
});

test('[chromium] times are those of the server, also in a browser whose clock is hours ahead', { skip }, async (t) => {
  const server = await startTestServer(t);
  await rawCall(server, 'POST', `/respark/game/${GAME}/webhook`, { body: { Url: 'https://hooks.example/all' } });
  await server.connect();
  const opened = await openConsole(server.url, { hash: `#/webhooks?${PLACE}` });
  await opened.page.evaluateOnNewDocument(`{
    const Real = Date;
    const later = () => Real.now() + 5 * 3_600_000;
    globalThis.Date = class extends Real {
      constructor(...given) { super(...(given.length === 0 ? [later()] : given)); }
      static now() { return later(); }
    };
  }`);
  await opened.page.reload();
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.press('Sign in');
  const replayed = opened.page.waitForRequest((request) => request.url().endsWith('/replay'));
  await opened.press('Replay… https://hooks.example/all');
  await opened.press('Replay');
  const { Since } = JSON.parse((await replayed).postData() ?? '') as { Since: string };
  // For a time in the future, the server would skip everything that waits.
  const agoMs = Date.now() - Date.parse(Since);
  assert.ok(Math.abs(agoMs - 3_600_000) < 60_000, `${agoMs} ms ago`);
  await opened.page.evaluate(`location.hash = '#/players?${PLACE}'`);
  await opened.page.waitForSelector('tbody time');
  assert.match(await opened.page.$eval('tbody time', (each) => each.textContent ?? ''), /^\d+ s$/);
  await opened.page.evaluate(`location.hash = '#/audit?${PLACE}&hours=1'`);
  await opened.shows('CreateWebhook');
  await opened.assertSound();
});
