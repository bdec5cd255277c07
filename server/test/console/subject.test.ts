import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { HTTPRequest, Page } from 'puppeteer-core';
import { chromium, signIn, write } from '../support/console-page.ts';
import { ROLE } from '../support/domain.ts';
import { fileOf } from '../support/game-document.ts';
import { importDocument } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const OTHER = 'Live';
const OTHER_PLACE = `game=${GAME}&stage=${OTHER}`;
const inStage = (stage: string) => `/respark/game/${GAME}/stage/${stage}`;

/** A second stage of the game, which somebody looks after as well. */
async function addStage(server: TestServer): Promise<string> {
  const created = await rawCall(server, 'POST', `/game/${GAME}/stage`, { body: { StageName: OTHER, Role: ROLE } });
  assert.equal(created.status, 200, created.message);
  return (created.json.Stage as { GameKey: string }).GameKey;
}

async function playerNamed(server: TestServer, playerId: string, { stage = STAGE, gameKey = server.gameKey } = {}) {
  const { json } = await rawCall(server, 'POST', `${inStage(stage)}/player/${playerId}/token`);
  return await server.connect({ gameKey, token: String(json.AuthenticationToken) });
}

/** Holds back the calls whose path ends so, as a server that answers late does. */
async function hold(page: Page, end: string, method?: string) {
  const held: HTTPRequest[] = [];
  let isHolding = true;
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const isMeant = new URL(request.url()).pathname.endsWith(end) && request.method() === (method ?? request.method());
    if (isHolding && isMeant) held.push(request);
    else void request.continue();
  });
  return {
    arrived: () =>
      until(
        () => held.length > 0,
        () => `a call to ${end}`,
      ),
    release() {
      isHolding = false;
      for (const request of held.splice(0)) void request.continue();
    },
  };
}

const go = (page: Page, hash: string) => page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
const hasNoDialog = (page: Page) => page.waitForFunction("document.querySelector('dialog') === null");

test('[chromium] what was said of the kick of one player does not stand there as if it were about another', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const [anna, ben] = await Promise.all([playerNamed(server, 'anna'), playerNamed(server, 'ben')]);
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=anna` });
  await opened.shows('Connections (1)');
  await opened.press('Disconnect…');
  await opened.press('Show what it will do');
  await opened.shows('1 connection ends.');
  await go(opened.page, `#/player?${PLACE}&player=ben`);
  await hasNoDialog(opened.page);
  await opened.page.goBack();
  await opened.shows(/Player anna[\s\S]*Connections \(1\)/);
  await opened.press('Disconnect…');
  await opened.press('Show what it will do');
  await opened.press('Disconnect 1 connection');
  await opened.shows('1 connection closed.');
  await go(opened.page, `#/player?${PLACE}&player=ben`);
  const shown = await opened.shows(/Player ben[\s\S]*Connections \(1\)/);
  assert.doesNotMatch(shown, /1 connection closed\.[\s\S]*Proof/);
  await hasNoDialog(opened.page);
  assert.equal((await anna.closed).code, 4500);
  assert.equal(ben.ws.readyState, ben.ws.OPEN);
});

test('[chromium] a dialog about one stage does nothing to another that the way back leads to', { skip }, async (t) => {
  const server = await startTestServer(t);
  await addStage(server);
  const opened = await signIn(server.url, ROOT, { hash: `#/maintenance?${OTHER_PLACE}` });
  await opened.shows(`Stage ${OTHER}`);
  await go(opened.page, `#/maintenance?${PLACE}`);
  await opened.shows(`Stage ${STAGE}`);
  await opened.press('Close the stage…');
  await opened.page.waitForSelector('dialog[open]');
  await opened.page.goBack();
  await opened.shows(`Stage ${OTHER}`);
  await hasNoDialog(opened.page);
});

test('[chromium] whoever must type the names of stages reads which one the way back has led to', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await addStage(server);
  const Action = ['respark:ListPlayers', 'respark:CountConnections', 'respark:ListPermissions'];
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action, Resource: '*' }],
  });
  const { json } = await rawCall(server, 'POST', '/respark/access-key', { body: { Policy } });
  const { AccessKeyId: accessKeyId } = json.AccessKey as { AccessKeyId: string };
  const key = { accessKeyId, secretAccessKey: String(json.SecretAccessKey) };
  const opened = await signIn(server.url, key, { hash: `#/players?${PLACE}` });
  await opened.shows('0 players online');
  await opened.fill('Stage', OTHER);
  await opened.page.keyboard.press('Enter');
  await opened.page.waitForFunction(`location.hash.includes('stage=${OTHER}')`);
  await opened.page.goBack();
  await opened.page.waitForFunction(`location.hash.includes('stage=${STAGE}')`);
  await opened.page.waitForFunction(
    `[...document.querySelectorAll('.place input')].map(({ value }) => value).join(' ') === '${GAME} ${STAGE}'`,
  );
});

test('[chromium] a job means those of whom its preview was, whatever is typed while the server still counts', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const [bot, anna] = await Promise.all([playerNamed(server, 'bot-1'), playerNamed(server, 'anna')]);
  const opened = await signIn(server.url, ROOT, { hash: `#/jobs?${PLACE}` });
  await opened.press('Start a job…');
  await opened.fill('Player id begins with', 'bot-');
  const counting = await hold(opened.page, '/disconnect-job');
  await opened.press('Show what it will do');
  await counting.arrived();
  await opened.choose('Whom', 'everybody');
  counting.release();
  await opened.shows('1 connection of 1 player would end.');
  const asked = await opened.page.$eval('dialog', (each) => each.textContent);
  assert.ok(asked?.includes(`ids that begin with bot-`) && asked.includes(`${STAGE} of ${GAME}`), asked ?? '');
  await opened.press('Disconnect 1 connection');
  await opened.shows('ids that begin with bot-');
  assert.equal((await bot.closed).code, 4500);
  await opened.shows('completed');
  assert.equal(anna.ws.readyState, anna.ws.OPEN);
});

test('[chromium] a kick is what its preview was of, whatever is typed while the server is asked', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const anna = await playerNamed(server, 'anna');
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=anna` });
  await opened.shows('Connections (1)');
  await opened.press('Disconnect…');
  const asking = await hold(opened.page, '/disconnect');
  await opened.press('Show what it will do');
  await asking.arrived();
  await opened.choose('Block as well', '7200');
  asking.release();
  assert.doesNotMatch(await opened.shows('1 connection ends.'), /kept out/);
  await opened.press('Disconnect 1 connection');
  await opened.shows('1 connection closed.');
  assert.equal((await anna.closed).code, 4500);
  const { error } = await rawCall(server, 'GET', `${inStage(STAGE)}/player/anna/block`);
  assert.equal(error, 'ResourceNotFoundException', 'what was not shown is not done');
});

test('[chromium] nobody reads that nothing was done when the answer to a kick is lost', { skip }, async (t) => {
  const server = await startTestServer(t);
  const anna = await playerNamed(server, 'anna');
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=anna` });
  await opened.shows('Connections (1)');
  await opened.press('Disconnect…');
  await opened.press('Show what it will do');
  await opened.shows('Nothing has been done yet.');
  await opened.page.setRequestInterception(true);
  opened.page.on('request', async (request) => {
    const { pathname } = new URL(request.url());
    if (!pathname.endsWith('/disconnect')) return void request.continue();
    await rawCall(server, 'POST', pathname);
    await request.abort('connectionreset');
  });
  await opened.press('Disconnect 1 connection');
  const shown = await opened.shows('nobody knows here whether it was done');
  assert.doesNotMatch(shown, /Nothing has been done yet|tries again by itself/);
  assert.equal((await anna.closed).code, 4500);
});

test('[chromium] a block is said of whom the server has blocked, and not of whom somebody has typed meanwhile', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/blocks?${PLACE}` });
  await opened.press('Block a player…');
  await opened.fill('Player id', 'anna');
  await opened.shows('0 connections end.');
  const blocking = await hold(opened.page, '/player/anna/block');
  await opened.press('Block and close 0 connections');
  await blocking.arrived();
  await opened.fill('Player id', 'ben');
  blocking.release();
  await opened.shows('Blocked until');
  assert.equal(await opened.page.$eval('dialog .subject', (each) => each.textContent), 'anna');
});

test('[chromium] what is saved and deployed goes to the stage of the button, wherever somebody looks meanwhile', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await addStage(server);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const entry = 'section=GameSparks.Core.RequestHandlers&entry=Greet';
  const opened = await signIn(server.url, ROOT, { hash: `#/configuration?${PLACE}&${entry}` });
  await write(opened, 'return 2;');
  await opened.shows('not saved');
  const saving = await hold(opened.page, '/configuration');
  await opened.press(`Save and deploy to ${STAGE}`);
  await saving.arrived();
  await go(opened.page, `#/configuration?${OTHER_PLACE}&${entry}`);
  await opened.page.waitForFunction(`document.querySelector('.bar').textContent.includes('${OTHER}')`);
  saving.release();
  const deployed = async (stage: string) =>
    (await rawCall(server, 'GET', `/game/${GAME}/stage/${stage}/deployments`)).json.StageDeployments as unknown[];
  while ((await deployed(STAGE)).length + (await deployed(OTHER)).length === 0) await pause(20);
  assert.deepEqual([(await deployed(STAGE)).length, (await deployed(OTHER)).length], [1, 0]);
});

test('[chromium] what somebody has begun to save and deploy is not done in the name of who has signed in after them', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const { json } = await rawCall(server, 'POST', '/respark/access-key', { body: { Role: 'developer' } });
  const { AccessKeyId: accessKeyId } = json.AccessKey as { AccessKeyId: string };
  const other = { accessKeyId, secretAccessKey: String(json.SecretAccessKey) };
  const entry = 'section=GameSparks.Core.RequestHandlers&entry=Greet';
  const opened = await signIn(server.url, ROOT, { hash: `#/configuration?${PLACE}&${entry}` });
  opened.page.on('dialog', (asked) => void asked.accept());
  await write(opened, 'return 2;');
  await opened.shows('not saved');
  const saving = await hold(opened.page, '/configuration', 'PATCH');
  await opened.press(`Save and deploy to ${STAGE}`);
  await saving.arrived();
  await opened.press('Sign out');
  await opened.fill('Access key id', other.accessKeyId);
  await opened.fill('Secret access key', other.secretAccessKey);
  await opened.press('Sign in');
  await opened.page.waitForSelector('.console main');
  const saved = opened.page.waitForResponse((response) => response.request().method() === 'PATCH');
  saving.release();
  assert.equal((await saved).status(), 200);
  await pause(500);
  const { json: found } = await rawCall(server, 'GET', '/respark/audit-record?MaxResults=10');
  const records = found.AuditRecords as { Actor: string; Operation: string }[];
  assert.deepEqual(
    records.filter(({ Actor }) => Actor === other.accessKeyId).map(({ Operation }) => Operation),
    [],
    'nobody has done anything by this key',
  );
});

test('[chromium] a job that has begun takes nobody away from what they have gone to meanwhile', { skip }, async (t) => {
  const server = await startTestServer(t);
  await addStage(server);
  await playerNamed(server, 'anna');
  const opened = await signIn(server.url, ROOT, { hash: `#/jobs?${PLACE}` });
  await opened.press('Start a job…');
  await opened.choose('Whom', 'everybody');
  await opened.press('Show what it will do');
  await opened.shows('1 connection of 1 player would end.');
  const starting = await hold(opened.page, '/disconnect-job');
  await opened.press('Disconnect 1 connection');
  await starting.arrived();
  await go(opened.page, `#/maintenance?${OTHER_PLACE}`);
  await opened.shows(`Stage ${OTHER}`);
  await opened.press('Close the stage…');
  await opened.page.waitForSelector('dialog[open]');
  const answered = opened.page.waitForResponse((response) => response.url().endsWith('/disconnect-job'));
  starting.release();
  assert.equal((await answered).status(), 200);
  await pause(300);
  assert.match(String(await opened.page.evaluate('location.hash')), new RegExp(`maintenance.*stage=${OTHER}`));
  assert.notEqual(await opened.page.$('dialog[open]'), null);
});

test('[chromium] a block in the whole game does not say that it ends only the connections to one stage', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const gameKey = await addStage(server);
  const there = await playerNamed(server, 'anna', { stage: OTHER, gameKey });
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=anna` });
  await opened.press('Block…');
  await opened.shows('0 connections end.');
  await opened.choose('Where', 'game');
  assert.doesNotMatch(await opened.shows('Every connection of the player to any stage'), /0 connections/);
  await opened.press('Block');
  await opened.shows('1 connection closed.');
  assert.equal((await there.closed).code, 4510);
});

test('[chromium] nobody is told how many will be sent away before that is known', { skip }, async (t) => {
  const server = await startTestServer(t);
  await playerNamed(server, 'anna');
  const opened = await signIn(server.url, ROOT, { hash: `#/maintenance?${PLACE}` });
  await opened.shows('Close the stage…');
  const counting = await hold(opened.page, '/connection-count');
  await opened.press('Close the stage…');
  await opened.press('Send everybody away');
  assert.doesNotMatch(await opened.shows('Everybody who is online is sent away.'), /0 players/);
  await counting.arrived();
  counting.release();
  await opened.shows('Close and send 1 player away');
});

test('[chromium] the page of a player says when nobody knows whether they are blocked, or whether that was lifted', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await rawCall(server, 'POST', `${inStage(STAGE)}/player/anna/block`);
  const opened = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  let isAway = true;
  await opened.page.setRequestInterception(true);
  opened.page.on('request', (request) => {
    const isOfBlock = new URL(request.url()).pathname.endsWith('/player/anna/block');
    void (isOfBlock && isAway ? request.abort('connectionreset') : request.continue());
  });
  await go(opened.page, `#/player?${PLACE}&player=anna`);
  await opened.shows('The server does not answer.');
  isAway = false;
  await opened.shows(/blocked in the stage/i);
  isAway = true;
  await opened.press(`Unblock… in the stage ${STAGE}`);
  await opened.press('Unblock');
  await opened.shows('nobody knows here whether it was done');
});

test('[chromium] a key is limited to the stage that was chosen, wherever the way back has led meanwhile', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await addStage(server);
  const opened = await signIn(server.url, ROOT, { hash: `#/keys?${OTHER_PLACE}` });
  await opened.shows('Access keys');
  await go(opened.page, `#/keys?${PLACE}`);
  await opened.page.waitForFunction(`document.querySelector('.bar').textContent.includes('${STAGE}')`);
  await opened.press('Create a key…');
  await opened.choose('Limited to', 'stage');
  await opened.page.goBack();
  await opened.page.waitForFunction(`document.querySelector('.bar').textContent.includes('${OTHER}')`);
  const made = opened.page.waitForResponse((response) => response.request().method() === 'POST');
  await opened.press('Create a key');
  const { AccessKey } = (await (await made).json()) as { AccessKey: { Policy: string } };
  assert.match(AccessKey.Policy, new RegExp(`stage/${STAGE}"`));
  assert.doesNotMatch(AccessKey.Policy, new RegExp(`stage/${OTHER}"`));
});

test('[chromium] a record leads to the player on the stage that it is of, and a player’s history has only that one', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const gameKey = await addStage(server);
  await playerNamed(server, 'anna');
  const there = await playerNamed(server, 'anna', { stage: OTHER, gameKey });
  await rawCall(server, 'POST', `/runtime/game/${GAME}/stage/${OTHER}/player/anna/disconnect`);
  await there.closed;
  const opened = await signIn(server.url, ROOT, { hash: `#/audit?${PLACE}&operation=DisconnectPlayer` });
  await opened.shows('1 connection closed.');
  await opened.press('anna');
  await opened.shows('Player anna');
  assert.match(String(await opened.page.evaluate('location.hash')), new RegExp(`stage=${OTHER}\\b`));
  assert.match(await opened.shows('1 connection closed.'), /CreatePlayerToken/);
  await go(opened.page, `#/player?${PLACE}&player=anna`);
  const here = await opened.shows(/Connections \(1\)[\s\S]*CreatePlayerToken/);
  assert.doesNotMatch(here, /DisconnectPlayer/);
});

test('[chromium] an address that somebody else has written breaks no page', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/audit?${PLACE}&hours=Infinity` });
  await opened.shows('Audit');
  await opened.assertSound();
  const lost = await signIn(server.url, ROOT, { hash: `#/player?stage=${STAGE}&player=anna` });
  await lost.shows('0 players online');
  const asked = await lost.page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name).join(' ')");
  assert.doesNotMatch(String(asked), /undefined/, 'no game has this name');
});

test('[chromium] a script shows the characters by which it would read as another', { skip }, async (t) => {
  const server = await startTestServer(t);
  const hidden = [0x202e, 0x2066, 0x200b, 0x3164, 0xe0061].map((each) => String.fromCodePoint(each)).join('');
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: `'a${hidden}b';` } } })));
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const opened = await signIn(server.url, ROOT, { hash });
  await opened.page.waitForFunction(
    "document.querySelector('.code-editor')?.shadowRoot?.querySelector('.cm-content')?.innerText.includes('a‹202E›‹2066›‹200B›‹3164›‹E0061›b')",
  );
  await opened.assertSound();
});
