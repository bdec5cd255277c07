import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { administer } from '../support/administration.ts';
import { chromium, signIn } from '../support/console-page.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const IN_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;

async function playerNamed(server: TestServer, playerId: string) {
  const { json } = await rawCall(server, 'POST', `${IN_STAGE}/player/${playerId}/token`);
  return await server.connect({ token: String(json.AuthenticationToken) });
}

const keyOf = async (server: TestServer, role: 'moderator' | 'operator') =>
  await administer(server, (access) =>
    access.createKey({ policy: JSON.stringify(policyOfRole(role, {})), description: role }),
  );

test('[chromium] an operator sees whom a job means before it begins, follows it, and sees what has come of it', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const [anna, anton, ben] = await Promise.all(['anna', 'anton', 'ben'].map((id) => playerNamed(server, id)));
  const opened = await signIn(server.url, ROOT, { hash: `#/jobs?${PLACE}` });
  await opened.shows('Nobody has started a job in this stage.');
  await opened.assertSound();
  await opened.press('Start a job…');
  // Who chooses nothing has chosen nobody.
  await opened.press('Show what it will do');
  await opened.shows('Say whom to disconnect');
  await opened.fill('Player id begins with', 'an');
  await opened.fill('Reason', 'UPDATE');
  await opened.fill('Message to the player', 'See you soon');
  await opened.assertSound();
  await opened.press('Show what it will do');
  const shown = await opened.shows('2 connections of 2 players would end.');
  assert.match(shown, /Nothing has been done yet/);
  assert.equal(server.counts().connections, 3);
  await opened.assertSound();
  await opened.press('Disconnect 2 connections');
  await opened.shows('ids that begin with an');
  const ended = await opened.shows('so far every end is proven');
  assert.match(ended, /UPDATE/);
  await opened.shows(/completed[\s\S]*2 of 2/);
  await opened.assertSound();
  assert.deepEqual([(await anna?.closed)?.code, (await anton?.closed)?.code], [4500, 4500]);
  assert.equal(server.counts().connections, 1);
  await opened.press('Jobs');
  await opened.shows('ids that begin with an');
  await opened.assertSound();
  ben?.ws.close();
});

test('[chromium] a job that is told nothing says in plain words what is missing', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/jobs?${PLACE}` });
  await opened.press('Start a job…');
  await opened.press('Show what it will do');
  const refused = await opened.shows('Say whom to disconnect: fill in at least one of the fields');
  assert.doesNotMatch(refused, /Selector|StartDisconnectJob/);
  await opened.assertSound();
  await opened.fill('Player id begins with', 'bot-');
  await opened.page.waitForFunction("!document.body.innerText.includes('Say whom')");
  await opened.press('Show what it will do');
  await opened.shows('Nobody who is connected now is meant.');
});

test('[chromium] a job is paused, resumed and cancelled while somebody watches', { skip }, async (t) => {
  const server = await startTestServer(t);
  await Promise.all(Array.from({ length: 12 }, () => server.connect()));
  const opened = await signIn(server.url, ROOT, { hash: `#/jobs?${PLACE}` });
  await opened.press('Start a job…');
  await opened.choose('Whom', 'everybody');
  await opened.fill('Connections a second', '1');
  await opened.choose('Come back', '60');
  await opened.press('Show what it will do');
  await opened.shows('At this rate that takes about 12 s.');
  await opened.press('Disconnect 12 connections');
  await opened.shows('by themselves, within 1 min');
  await opened.shows('running');
  await opened.shows(/[1-9] of 12/);
  await opened.assertSound();
  const { JobId } = await onlyJob(server);
  await opened.press(`Pause ${JobId}`);
  await opened.shows('paused');
  await opened.press(`Resume ${JobId}`);
  await opened.shows('running');
  await opened.press('Jobs');
  await opened.press(`Stop… ${JobId}`);
  await opened.shows('What it has closed stays closed');
  await opened.assertSound();
  await opened.press('Stop the job');
  await opened.shows(/(?<!being )cancelled/);
  assert((await onlyJob(server)).State === 'CANCELLED');
  assert(server.counts().connections !== 0, 'those that it had not come to stay');
});

async function onlyJob(server: TestServer) {
  const { json } = await rawCall(server, 'GET', `${IN_STAGE}/disconnect-job`);
  const [job] = json.Jobs as { readonly JobId: string; readonly State: string }[];
  assert(job !== undefined);
  return job;
}

test('[chromium] a job of a list is paused and resumed only after whoever presses has read which one it is', {
  skip,
}, async (t) => {
  const server = await startTestServer(t, {
    settings: { jobConfirmAbove: 1_000, handshakesPerSecondPerAddress: 1_000 },
  });
  const [anna, ben] = await Promise.all(['anna', 'ben'].map((id) => playerNamed(server, id)));
  const start = async (prefix: string) => {
    const body = { Selector: { PlayerIdPrefix: prefix }, RatePerSecond: 1, DryRun: false };
    const { json } = await rawCall(server, 'POST', `${IN_STAGE}/disconnect-job`, { body });
    return (json.Job as { readonly JobId: string }).JobId;
  };
  const stateOf = async (id: string) => {
    const { json } = await rawCall(server, 'GET', `${IN_STAGE}/disconnect-job/${id}`);
    return (json.Job as { readonly State: string }).State;
  };
  await Promise.all(Array.from({ length: 30 }, (_, n) => playerNamed(server, `bot-${n}`)));
  const first = await start('bot-');
  const opened = await signIn(server.url, ROOT, { hash: `#/jobs?${PLACE}` });
  await opened.shows('running');
  await opened.press(`Pause… ${first}`);
  // Nothing is done yet, and what was pressed stays what is meant when another job comes to its place.
  assert.match(await stateOf(first), /PENDING|IN_PROGRESS/);
  const second = await start('ann');
  await opened.shows('ids that begin with ann');
  const dialog = await opened.page.$eval('dialog', (each) => each.textContent);
  assert.match(dialog ?? '', /ids that begin with bot-.*Started by.*1\/s/);
  await opened.assertSound();
  await opened.press('Pause the job');
  await opened.page.waitForFunction("document.querySelector('dialog') === null");
  await until(async () => (await stateOf(first)) === 'PAUSED');
  assert.doesNotMatch(await stateOf(second), /PAUS/);
  await opened.press(`Resume… ${first}`);
  await opened.shows('It goes on at its rate');
  assert.equal(await stateOf(first), 'PAUSED');
  await opened.press('Resume the job');
  await opened.page.waitForFunction("document.querySelector('dialog') === null");
  assert.match(await stateOf(first), /PENDING|IN_PROGRESS/);
  assert.equal((await anna?.closed)?.code, 4500);
  ben?.ws.close();
});

test('[chromium] what a job would do fits a phone, however the nodes are called', { skip }, async (t) => {
  const server = await startTestServer(t);
  await playerNamed(server, 'anna');
  for (const [width, language] of [
    [390, 'en'],
    [320, 'de'],
  ] as const) {
    const opened = await signIn(server.url, ROOT, { width, language, hash: `#/jobs?${PLACE}` });
    await opened.press(language === 'en' ? 'Start a job…' : 'Job starten …');
    await opened.choose(language === 'en' ? 'Whom' : 'Wen', 'everybody');
    await opened.press(language === 'en' ? 'Show what it will do' : 'Zeigen, was geschehen wird');
    await opened.page.waitForSelector('dialog .table');
    const over = await opened.page.$eval('dialog .table', (each) => each.scrollWidth - each.clientWidth);
    assert.equal(over, 0, `the table is ${over} pixels wider than its place on ${width}`);
    const tooWide = await opened.page.$eval('dialog', (each) => each.scrollWidth - each.clientWidth);
    assert.equal(tooWide, 0);
    await opened.assertSound();
  }
});

test('[chromium] a job above the limit of one key waits for another, and takes no confirmation of its own', {
  skip,
}, async (t) => {
  const server = await startTestServer(t, { settings: { jobConfirmAbove: 1 } });
  const players = await Promise.all([server.connect(), server.connect()]);
  const [first, second] = [await keyOf(server, 'operator'), await keyOf(server, 'operator')];
  const starting = await signIn(server.url, first, { hash: `#/jobs?${PLACE}` });
  await starting.press('Start a job…');
  await starting.choose('Whom', 'everybody');
  await starting.press('Show what it will do');
  await starting.press('Disconnect 2 connections');
  await starting.shows('awaits another key');
  await starting.shows('It waits for somebody else to confirm it');
  await starting.assertSound();
  const { JobId } = await onlyJob(server);
  await starting.press(`Confirm… ${JobId}`);
  await starting.press('Confirm, and disconnect 2 connections');
  await starting.shows('a job must be confirmed with another access key than it was started with');
  await starting.assertSound();

  const confirming = await signIn(server.url, second, { hash: `#/jobs?${PLACE}`, theme: 'dark' });
  await confirming.press(`Confirm… ${JobId}`);
  await confirming.shows(
    new RegExp(`Started by ${first.accessKeyId}\\. It was counted then, at .*\\d\\d:\\d\\d:\\d\\d: others may`),
  );
  await confirming.assertSound();
  await confirming.press('Confirm, and disconnect 2 connections');
  await confirming.shows('completed');
  for (const { closed } of players) assert.equal((await closed).code, 4500);
  await confirming.press('everybody in the stage');
  await confirming.shows(second.accessKeyId);
  await confirming.assertSound();
});

test('[chromium] a moderator sees jobs, and is told why nothing can be done with them', { skip }, async (t) => {
  const server = await startTestServer(t, { settings: { jobConfirmAbove: 0 } });
  await server.connect();
  await rawCall(server, 'POST', `${IN_STAGE}/disconnect-job`, { body: { Selector: { Everybody: true } } });
  const { JobId } = await onlyJob(server);
  const opened = await signIn(server.url, await keyOf(server, 'moderator'), { hash: `#/jobs?${PLACE}` });
  await opened.shows('awaits another key');
  for (const name of ['Start a job…', `Confirm… ${JobId}`, `Stop… ${JobId}`]) {
    const [title, isOff] = (await opened.page.evaluate(`(() => {
      const button = [...document.querySelectorAll('main button')]
        .find((each) => (each.ariaLabel ?? each.textContent) === ${JSON.stringify(name)});
      button.click();
      return [button.title, button.ariaDisabled];
    })()`)) as [string, string];
    assert.match(title, /No policy of this key allows respark:\w+DisconnectJob/);
    assert.equal(isOff, 'true');
  }
  assert.equal(await opened.page.evaluate("document.querySelector('dialog') === null"), true, 'nothing opens');
  await opened.assertSound();
});
