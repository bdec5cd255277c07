import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { readAudit } from '../support/administration.ts';
import { chromium, signIn } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLAYED = fileOf(scriptedGame({ notifications: { News: { Text: 'String' } } }));
const PLACE = `game=${GAME}&stage=${STAGE}`;

test('[chromium] whoever revokes the tokens of a player reads what becomes of the player, before and after', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=${player.playerId}` });
  await opened.shows('Connections (1)');
  const token = await player.token();
  await opened.press('Revoke tokens…');
  const before = await opened.shows('1 connection ends.');
  assert.match(before, /Every token that the player was given until now is refused/);
  assert.match(before, /a guest, whose token is all they have, cannot come back as the same player/);
  assert.doesNotMatch(before, /call that it signs/, 'that is what befalls an access key');
  await opened.press('Let those who are connected go on');
  await opened.page.waitForFunction("!document.body.innerText.includes('1 connection ends.')");
  await opened.assertSound();
  await opened.press('Let those who are connected go on');
  await opened.press('Revoke tokens');
  const after = await opened.shows('Revoked: every token from before');
  assert.match(after, /every token from before \d\d:\d\d:\d\d\. 1 connection closed\./);
  await opened.assertSound();
  assert.equal((await player.closed).code, 4500);
  await opened.press('Close');
  await opened.shows('The player is not online.');
  await assert.rejects(server.connect({ token }), /4503/);
});

test('[chromium] the preview of a kick says until when the player is kept out, and repeats what the player is told', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=${player.playerId}` });
  await opened.shows('Connections (1)');
  await opened.press('Disconnect…');
  await opened.fill('Reason', 'ABUSE');
  await opened.fill('Message to the player', 'Two hours of rest.');
  await opened.choose('Block as well', '7200');
  await opened.press('Show what it will do');
  const preview = await opened.shows('1 connection ends.');
  assert.match(preview, /The player is kept out for 2 hours, until .*\d\d:\d\d:\d\d\./);
  assert.match(preview, /Reason\s+ABUSE\s+Message to the player\s+Two hours of rest\./);
  assert.equal(server.counts().connections, 1);
  await opened.assertSound();
});

test('[chromium] the preview of a notification does not say that it was sent', { skip }, async (t) => {
  const server = await startTestServer(t);
  await deploy(server, await createSnapshot(server, PLAYED));
  await server.connect();
  const opened = await signIn(server.url, ROOT, { hash: `#/notifications?${PLACE}` });
  await opened.choose('Type', 'Custom.Game.News');
  await opened.fill('Payload, as JSON', '{"Text":"Noon."}');
  await opened.press('Show what it will do');
  const preview = await opened.shows('would be sent');
  assert.match(preview, /1 connection would get it\. Nothing has been done yet\./);
  assert.doesNotMatch(preview, /\tsent/);
  await opened.assertSound();
  await opened.press('Send to 1 connection');
  assert.match(await opened.shows('Sent to 1 connection.'), /\tsent/);
});

test('[chromium] the audit log tells dry runs from deeds', { skip }, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}/disconnect`;
  await rawCall(server, 'POST', path, { body: { DryRun: true } });
  const opened = await signIn(server.url, ROOT, { hash: `#/audit?${PLACE}` });
  const audit = await opened.shows('dry run');
  assert.match(audit, /DisconnectPlayer\s+dry run/);
  assert.doesNotMatch(audit, /DisconnectPlayer\s+done/);
  await opened.assertSound();
  await rawCall(server, 'POST', path, { body: {} });
  await player.closed;
  await opened.page.goto('about:blank');
  const again = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=${player.playerId}` });
  assert.match(
    await again.shows('dry run'),
    /DisconnectPlayer\s+done\s+1 connection closed\.[\s\S]*DisconnectPlayer\s+dry run/,
  );
});

test('[chromium] whoever blocks a player reads until when, and how many connections that has closed', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=${player.playerId}` });
  await opened.shows('Connections (1)');
  await opened.press('Block…');
  await opened.choose('For how long', '');
  await opened.press('Block and close 1 connection');
  const after = await opened.shows('1 connection closed.');
  assert.match(after, new RegExp(`Blocked for good in the stage ${STAGE}\\. 1 connection closed\\.`));
  await opened.assertSound();
  assert.equal((await player.closed).code, 4510);
  await opened.press('Close');
  await opened.shows('The player is not online.');
});

test('[chromium] a block of nobody is not asked for: the browser says what is missing', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/blocks?${PLACE}` });
  await opened.press('Block a player…');
  const faulty = () => opened.page.evaluate("document.activeElement.validationMessage ?? ''");
  for (const nobody of ['', '  ']) {
    await opened.fill('Player id', nobody);
    await opened.press('Block');
    assert.match(String(await faulty()), nobody === '' ? /fill out this field/ : /match the requested format/);
  }
  await opened.fill('Player id', 'nobody-yet');
  await opened.shows('0 connections end.');
  await opened.page.keyboard.press('Enter');
  await opened.press('Block and close 0 connections');
  await opened.shows('0 connections closed.');
  await opened.press('Close');
  await opened.page.waitForFunction("document.querySelector('dialog') === null");
  await opened.shows('nobody-yet');
  assert.equal((await readAudit(server, { operation: 'BlockPlayer' })).length, 1, 'Enter in a field blocks nobody');
});

test('[chromium] a double click is one press, whatever has come to the place of what was pressed', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await Promise.all(Array.from({ length: 12 }, () => server.connect()));
  const path = `/respark/game/${GAME}/stage/${STAGE}/disconnect-job`;
  const body = { Selector: { Everybody: true }, RatePerSecond: 1 };
  const { json } = await rawCall(server, 'POST', path, { body });
  const { JobId } = json.Job as { JobId: string };
  const opened = await signIn(server.url, ROOT, { hash: `#/job?${PLACE}&job=${JobId}` });
  await opened.shows('running');
  const place = await opened.page.$eval(`button[aria-label="Pause ${JobId}"]`, (button) => {
    const { left, top } = button.getBoundingClientRect();
    return { x: left + 10, y: top + 10 };
  });
  const { mouse } = opened.page;
  await mouse.move(place.x, place.y);
  await mouse.down({ clickCount: 1 });
  await mouse.up({ clickCount: 1 });
  // By then the other button is there, which a hand that trembles has not meant.
  await opened.page.waitForSelector(`button[aria-label="Resume ${JobId}"][aria-disabled=false]`);
  await mouse.down({ clickCount: 2 });
  await mouse.up({ clickCount: 2 });
  await pause(300);
  await until(async () => {
    const found = await rawCall(server, 'GET', `${path}/${JobId}`);
    return (found.json.Job as { State: string }).State === 'PAUSED';
  });
  assert.deepEqual(await readAudit(server, { operation: 'ResumeDisconnectJob' }), []);
  await opened.press(`Resume ${JobId}`);
  await opened.shows('running');
});
