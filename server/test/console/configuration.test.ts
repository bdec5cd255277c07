import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConsolePage, chromium, signIn, write } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { importDocument } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

/** Fails when the editor does not show it after a while. */
const untilScriptIs = async ({ page }: ConsolePage, text: string) =>
  await page.waitForFunction(
    `document.querySelector('.code-editor')?.shadowRoot?.querySelector('.cm-content')?.innerText === ${JSON.stringify(text)}`,
  );

test('[chromium] a developer makes a message, writes its handler, and a player is answered by it', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/configuration?${PLACE}` });
  await opened.shows('The game has no messages yet.');
  await opened.press('Make a message');
  await opened.fill('Name', 'Greet');
  await opened.assertSound();
  await opened.page.keyboard.press('Enter');
  await opened.shows('RequestHandlers');
  await opened.shows('saved');
  await write(opened, 'return GameSparks().Messaging().Respond({');
  await opened.shows('not saved');
  await opened.press(`Save and deploy to ${STAGE}`);
  const refused = await opened.shows('does not parse');
  assert.match(refused, /Go to line 1/);
  await opened.assertSound();
  await opened.press('Go to line 1');

  await write(
    opened,
    "GameSparks().Logging().Info('hello from the console'); return GameSparks().Messaging().Response({});",
  );
  await opened.press(`Save and deploy to ${STAGE}`);
  await opened.shows('Deployed: players who come from now on get it.');
  await opened.assertSound();
  const player = await server.connect();
  const answered = player.next((frame) => frame.kind === 'response');
  player.request('1', 'Custom.Game.Greet');
  assert.deepEqual(await answered, { kind: 'response', id: '1', payload: {} });
  await opened.press('Logs');
  await opened.shows('hello from the console');
});

test('[chromium] two developers do not overwrite each other', { skip }, async (t) => {
  const server = await startTestServer(t);
  const requests = { Greet: { script: 'return 1;' }, Other: { script: 'return 2;' } };
  await importDocument(server, fileOf(scriptedGame({ requests })));
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const [first, second] = [
    await signIn(server.url, ROOT, { hash }),
    await signIn(server.url, ROOT, { hash, theme: 'dark' }),
  ];
  await write(first, "return 'first';");
  await write(second, "return 'second';");
  await first.press('Save');
  await first.page.waitForFunction("!document.body.innerText.includes('not saved')");
  await second.press('Save');
  await second.shows('Somebody else has changed this since you opened it.');
  await second.assertSound();
  await second.press('Load theirs');
  await untilScriptIs(second, "return 'first';");
  await second.page.waitForFunction("!document.body.innerText.includes('not saved')");
  await write(second, "return 'both';");
  await second.press('Save');
  await second.page.waitForFunction("!document.body.innerText.includes('not saved')");

  // Another part was never in anybody's way.
  await first.page.evaluate(`location.hash = '${hash.replace('entry=Greet', 'entry=Other')}'`);
  await first.page.waitForFunction("document.querySelector('.entry h2').innerText.startsWith('Other')");
  await write(first, 'return 3;');
  await first.press('Save');
  await first.page.waitForFunction("!document.body.innerText.includes('not saved')");
});
