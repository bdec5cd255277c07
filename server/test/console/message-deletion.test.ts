import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConsolePage, chromium, signIn, write } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { importDocument } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const HANDLERS = 'GameSparks.Core.RequestHandlers';
const hashOf = (entry: string) => `#/configuration?${PLACE}&section=${HANDLERS}&entry=${entry}`;

/** Each section with the names of its parts. */
async function partsOf(server: TestServer) {
  const { json } = await rawCall(server, 'GET', `/game/${GAME}/configuration`);
  const { Sections = {} } = json.GameConfiguration as { Sections?: Record<string, { Attributes: object }> };
  return Object.fromEntries(
    Object.entries(Sections).map(([name, { Attributes }]) => [
      name.replace('GameSparks.Core.', ''),
      Object.keys(Attributes).sort(),
    ]),
  );
}

const modify = (server: TestServer, Modification: object) =>
  rawCall(server, 'PATCH', `/game/${GAME}/configuration`, { body: { Modifications: [Modification] } });

const dialogOf = async ({ page }: ConsolePage) =>
  String(await page.evaluate("document.querySelector('dialog').innerText"));
const noDialog = ({ page }: ConsolePage) => page.waitForFunction("document.querySelector('dialog') === null");

test('[chromium] a message is deleted with its handler and its own shapes, after each of them was named', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const requests = {
    Greet: { request: { Name: 'String' }, response: { Mood: 'Mood' }, script: 'return 1;' },
    Other: { response: { Mood: 'Mood' }, script: "GameSparks().Logging().Info('Greet');" },
  };
  const shapes = { Mood: { Enum: { Values: ['Good'] } } };
  await importDocument(server, fileOf(scriptedGame({ requests, shapes })));
  const before = await partsOf(server);
  const opened = await signIn(server.url, ROOT, { hash: hashOf('Greet') });
  await write(opened, "return 'mine';");
  await opened.shows('not saved');
  await opened.press('Delete… Greet');
  await opened.shows('These parts of the configuration are deleted:');
  const named = await dialogOf(opened);
  for (const part of ['Requests Greet', 'RequestHandlers Greet', 'Model GreetRequest', 'Model GreetResponse'])
    assert.ok(named.includes(part), `${part} in ${named}`);
  assert.match(named, /Shapes that stay, because other parts use them: Mood/);
  assert.match(named, /Handlers whose scripts have its name: Other/);
  assert.match(named, /not saved is dropped as well/);
  await opened.assertSound();
  // The editor's shortcut must not save anything now.
  await opened.page.keyboard.down('Control');
  await opened.page.keyboard.press('s');
  await opened.page.keyboard.up('Control');
  await opened.press('Cancel');
  await noDialog(opened);
  assert.deepEqual(await partsOf(server), before);
  await opened.shows('not saved');

  await opened.press('Delete… Greet');
  await opened.press('Delete the message');
  const deleted = await opened.shows('Deleted:');
  assert.match(deleted, /RequestHandlers Greet, Requests Greet, Model GreetRe\w+, Model GreetRe/);
  await opened.page.waitForFunction("!document.querySelector('nav.entries').innerText.includes('Greet')");
  assert.doesNotMatch(await opened.shows('Other'), /not saved/);
  assert.equal(await opened.page.evaluate('document.activeElement.id'), 'main', 'the keyboard goes on in the page');
  assert.deepEqual(await partsOf(server), {
    ...before,
    ...{ Requests: ['Other'], RequestHandlers: ['Other'] },
    Model: before.Model?.filter((name) => !name.startsWith('Greet')),
  });
  await opened.assertSound();
  await opened.press('Other');
  await opened.page.waitForFunction("!document.body.innerText.includes('Deleted:')");
});

test('[chromium] shapes stay when that is wished, and a notification goes alone', { skip }, async (t) => {
  const server = await startTestServer(t);
  const game = scriptedGame({ notifications: { News: { Text: 'String' } } });
  await importDocument(server, fileOf(game));
  const before = await partsOf(server);
  const opened = await signIn(server.url, ROOT, {
    ...{ width: 390, theme: 'dark', language: 'de' },
    hash: `#/configuration?${PLACE}&section=GameSparks.Core.Notifications&entry=News`,
  });
  await opened.press('Löschen … News');
  await opened.press('Auch die Shapes, die nur diese Nachricht benutzt');
  await opened.page.waitForFunction("!document.querySelector('dialog ul').innerText.includes('Model')");
  await opened.assertSound();
  const tooWide = await opened.page.$eval('dialog', (each) => each.scrollWidth - each.clientWidth);
  assert.equal(tooWide, 0);
  await opened.press('Nachricht löschen');
  await opened.shows('Gelöscht:');
  assert.deepEqual(await partsOf(server), { ...before, Notifications: [] });
});

test('[chromium] what somebody else has changed meanwhile is not deleted unread, nor what they have deleted', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const requests = { Greet: { script: 'return 1;' }, Other: { script: 'return 2;' } };
  await importDocument(server, fileOf(scriptedGame({ requests })));
  const opened = await signIn(server.url, ROOT, { hash: hashOf('Greet') });
  await opened.press('Delete… Greet');
  await opened.shows('These parts of the configuration are deleted:');
  const Script = "return 'theirs';";
  await modify(server, { Section: HANDLERS, Operation: 'REPLACE', Path: '/Greet/Code/Script', Value: Script });
  await opened.press('Delete the message');
  await opened.shows('Somebody else has changed this since you opened it. Nothing was deleted.');
  await opened.assertSound();
  assert.ok((await partsOf(server)).RequestHandlers?.includes('Greet'));
  await opened.press('Delete the message');
  await opened.shows('Deleted:');
  assert.deepEqual((await partsOf(server)).RequestHandlers, ['Other']);

  await opened.press('Other');
  await opened.press('Delete… Other');
  await opened.shows('These parts of the configuration are deleted:');
  for (const Section of [HANDLERS, 'GameSparks.Core.Requests'])
    await modify(server, { Section, Operation: 'REMOVE', Path: '/Other' });
  await opened.press('Delete the message');
  await opened.shows('It is not there any more: it was deleted meanwhile.');
  await opened.assertSound();
  await opened.press('Close');
  await noDialog(opened);
  assert.doesNotMatch(await opened.shows('Choose what to change'), /Deleted:/);
});

test('[chromium] a message that may not be changed is not deleted, and the button says why', { skip }, async (t) => {
  const server = await startTestServer(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const { json } = await rawCall(server, 'POST', '/respark/access-key', { body: { Role: 'viewer' } });
  const { AccessKeyId: accessKeyId } = json.AccessKey as { AccessKeyId: string };
  const key = { accessKeyId, secretAccessKey: String(json.SecretAccessKey) };
  const opened = await signIn(server.url, key, { hash: hashOf('Greet') });
  await opened.shows('RequestHandlers');
  await opened.page.waitForFunction("document.querySelector('.entry .button.danger')?.title.includes('No policy')");
  await opened.page.click('.entry .button.danger');
  assert.equal(await opened.page.$('dialog'), null);
});
