import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium, openConsole, signIn, write } from '../support/console-page.ts';
import { ROLE } from '../support/domain.ts';
import { fileOf } from '../support/game-document.ts';
import { importDocument } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

test('[chromium] a time with a year of five digits breaks no page, and means nobody', { skip }, async (t) => {
  const server = await startTestServer(t);
  await server.connect();
  const opened = await signIn(server.url, ROOT, { hash: `#/jobs?${PLACE}` });
  await opened.press('Start a job…');
  await opened.page.waitForSelector('dialog input[type=datetime-local]');
  await opened.page.$eval('dialog input[type=datetime-local]', (field) => {
    field.value = '20261-11-29T10:00';
    field.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await opened.fill('Reason', 'UPDATE');
  await opened.press('Show what it will do');
  await opened.shows('Member must be an ISO 8601 date and time');
  assert.equal(await opened.page.$('dialog footer .danger'), null, 'nothing can be started');
  await opened.assertSound();
});

test('[chromium] an editor that could not be loaded is not taken for one without a text', { skip }, async (t) => {
  const server = await startTestServer(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const opened = await signIn(server.url, ROOT, { hash: `#/configuration?${PLACE}` });
  await opened.shows('RequestHandlers');
  await opened.page.setRequestInterception(true);
  opened.page.on('request', (request) => {
    // A new version of the server has files of other names.
    void (/\/editor-[^/]*\.js$/.test(request.url()) ? request.respond({ status: 404, body: '' }) : request.continue());
  });
  await opened.press('Greet');
  await opened.shows('This page could not be loaded. Was the server updated?');
});

test('[chromium] a server that takes calls and never answers is said not to answer', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await openConsole(server.url, { hash: `#/players?${PLACE}` });
  // The limit is a minute, which is too long for a test.
  await opened.page.evaluateOnNewDocument(`{
    const later = setTimeout;
    globalThis.setTimeout = (task, ms, ...rest) => later(task, ms >= 60_000 ? 1_000 : ms, ...rest);
  }`);
  await opened.page.reload();
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.press('Sign in');
  await opened.shows('0 players online');
  await opened.page.setRequestInterception(true);
  let isSilent = true;
  opened.page.on('request', (request) => {
    if (!isSilent) void request.continue();
  });
  await opened.shows('The server does not answer.');
  isSilent = false;
  await opened.page.waitForFunction("!document.body.innerText.includes('The server does not answer.')");
});

test('[chromium] all games can be chosen, however many there are', { skip }, async (t) => {
  const server = await startTestServer(t, { settings: { writeCallsBurst: 1_000, maxGames: 1_000 } });
  for (let n = 0; n < 110; n += 1)
    await rawCall(server, 'POST', '/game', { body: { GameName: `Game-${String(n).padStart(3, '0')}` } });
  await rawCall(server, 'POST', '/game/Game-109/stage', { body: { StageName: STAGE, Role: ROLE } });
  const opened = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  await opened.page.waitForFunction("document.querySelectorAll('.place select')[0].options.length === 111");
  await opened.choose('Game', 'Game-109');
  await opened.page.waitForFunction(`location.hash === '#/players?game=Game-109&stage=${STAGE}'`);
});

test('[chromium] a policy that is not a key’s yet stays while other pages are looked at, and goes with its writer', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/policy?${PLACE}` });
  await write(opened, '{"Version":"2012-10-17","Statement":[]} ');
  const text = () =>
    opened.page.waitForFunction(
      "document.querySelector('.code-editor')?.shadowRoot?.querySelector('.cm-content')?.innerText",
    );
  await opened.press('Audit');
  await opened.shows('respark audit verify');
  await opened.page.goBack();
  assert.match(String(await (await text()).jsonValue()), /"Statement":\[\]/);
  await opened.press('Sign out');
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.press('Sign in');
  assert.match(String(await (await text()).jsonValue()), /Support/);
});

test('[chromium] a browser that lets pages keep nothing shows the console all the same', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await openConsole(server.url, { hash: `#/players?${PLACE}` });
  await opened.page.evaluateOnNewDocument(`for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(globalThis, name, { get() { throw new DOMException('denied', 'SecurityError'); } })`);
  await opened.page.reload();
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.press('Stay signed in in this tab');
  await opened.press('Sign in');
  await opened.shows('0 players online');
  await opened.choose('Colours', 'dark');
  await opened.page.waitForFunction("document.documentElement.dataset.theme === 'dark'");
  await opened.press('Sign out');
  await opened.shows('Secret access key');
  await opened.assertSound();
});

test('[chromium] a proxy that has had no answer is not taken for a server that has refused', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/blocks?${PLACE}` });
  await opened.press('Block a player…');
  await opened.fill('Player id', 'anna');
  await opened.shows('0 connections end.');
  await opened.page.setRequestInterception(true);
  opened.page.on('request', async (request) => {
    if (request.method() !== 'POST') return void request.continue();
    await rawCall(server, 'POST', new URL(request.url()).pathname);
    await request.respond({ status: 504, contentType: 'text/html', body: '<h1>504 Gateway Time-out</h1>' });
  });
  await opened.press('Block and close 0 connections');
  assert.doesNotMatch(await opened.shows('nobody knows here whether it was done'), /BlockPlayer failed/);
});

test('[chromium] a browser that lets pages keep nothing asks before a link takes what was typed', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const opened = await openConsole(server.url, {
    hash: `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`,
  });
  await opened.page.evaluateOnNewDocument(`Object.defineProperty(globalThis, 'sessionStorage', {
    get() { throw new DOMException('denied', 'SecurityError'); } })`);
  await opened.page.reload();
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.press('Sign in');
  await write(opened, "return 'mine';");
  await opened.shows('not saved');
  const asked: string[] = [];
  opened.page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    void dialog.dismiss();
  });
  await opened.page.evaluate("setTimeout(() => { location.hash = '#code=another'; })");
  await until(() => asked.length > 0);
  assert.deepEqual(asked, ['beforeunload']);
  await opened.page.goBack();
  await opened.shows(/Greet not saved/);
});

test('[chromium] an answer that is lost to a look at what would happen leaves nobody in doubt', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/jobs?${PLACE}` });
  await opened.press('Start a job…');
  await opened.choose('Whom', 'everybody');
  await opened.fill('Reason', 'UPDATE');
  await opened.page.setRequestInterception(true);
  const bodies: string[] = [];
  opened.page.on('request', (request) => {
    if (request.method() !== 'POST') return void request.continue();
    bodies.push(request.postData() ?? '');
    void request.respond({ status: 504, contentType: 'text/html', body: '<h1>504 Gateway Time-out</h1>' });
  });
  await opened.press('Show what it will do');
  assert.doesNotMatch(await opened.shows('so nothing was done. Ask again.'), /nobody knows/);
  assert.match(bodies.join(), /"DryRun":true/);
});
