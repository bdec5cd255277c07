import assert from 'node:assert/strict';
import { test } from 'node:test';
import { administer } from '../support/administration.ts';
import { chromium, signIn } from '../support/console-page.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const HASH = `#/notifications?${PLACE}`;

test('[chromium] a notification is made, deployed, chosen with an example of its payload, and reaches a player', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: HASH });
  await opened.shows('Nothing was deployed to this stage yet.');
  await opened.assertSound();
  await opened.press('Make a notification');
  await opened.fill('Name', 'News');
  await opened.assertSound();
  await opened.page.keyboard.press('Enter');
  await opened.page.waitForFunction("document.querySelector('.entry h2')?.innerText.startsWith('NewsNotification')");
  assert.equal(await opened.page.evaluate("document.querySelector('dialog')"), null);
  await opened.press(`Save and deploy to ${STAGE}`);
  await opened.shows('Deployed: players who come from now on get it.');
  const player = await server.connect();
  await opened.press('Notifications');
  await opened.shows('Shape of the payload');
  assert.equal(await opened.page.evaluate("document.querySelector('main select').value"), 'Custom.Game.News');
  const payload = () => opened.page.evaluate("document.querySelector('main textarea').value");
  assert.deepEqual(JSON.parse(String(await payload())), { Text: 'text' });
  await opened.assertSound();

  await opened.fill('Payload, as JSON', '{"Text":');
  await opened.page.waitForSelector('main textarea[aria-invalid=true] ~ .fault');
  await opened.assertSound();
  await opened.press('New example');
  assert.deepEqual(JSON.parse(String(await payload())), { Text: 'text' });
  const notified = player.next((frame) => frame.kind === 'notification');
  await opened.press('Show what it will do');
  await opened.shows('1 connection would get it.');
  await opened.press('Send to 1 connection');
  await opened.shows('Sent to 1 connection.');
  await opened.fill('To', ' ');
  await opened.press('Show what it will do');
  await opened.shows('1 connection would get it.');
  assert.deepEqual(await notified, { kind: 'notification', type: 'Custom.Game.News', payload: { Text: 'text' } });
});

test('[chromium] who may not read what is deployed writes the type of a notification', { skip }, async (t) => {
  const server = await startTestServer(t);
  const statement = {
    Effect: 'Allow',
    Action: [
      'respark:SendNotificationToStage',
      'respark:ListPermissions',
      'gamesparks:ListGames',
      'gamesparks:ListStages',
    ],
    Resource: '*',
  };
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  const key = await administer(server, (access) => access.createKey({ policy, description: 'the herald' }));
  const opened = await signIn(server.url, key, { hash: HASH });
  await opened.fill('Type', 'Custom.Game.News');
  await opened.press('Show what it will do');
  await opened.shows(/SendNotificationToStage failed\./);
  await opened.assertSound();
});
