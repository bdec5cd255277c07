import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConsolePage, chromium, openConsole, signIn, write } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { importDocument } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

/** Fails when the editor does not show it after a while. */
const untilScriptIs = async ({ page }: ConsolePage, text: string) =>
  await page.waitForFunction(
    `document.querySelector('.code-editor')?.shadowRoot?.querySelector('.cm-content')?.innerText === ${JSON.stringify(text)}`,
  );

async function makeKey(server: TestServer) {
  const { json } = await rawCall(server, 'POST', '/respark/access-key', { body: { Role: 'developer' } });
  const { AccessKeyId } = json.AccessKey as { AccessKeyId: string };
  return { id: AccessKeyId, secret: String(json.SecretAccessKey) };
}

test('[chromium] what was typed under a key that has ended is shown to nobody who does not say that it is theirs', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const requests = { Greet: { script: 'return 1;' }, Other: { script: 'return 2;' } };
  await importDocument(server, fileOf(scriptedGame({ requests })));
  const [first, second] = [await makeKey(server), await makeKey(server)];
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const opened = await signIn(server.url, { accessKeyId: first.id, secretAccessKey: first.secret }, { hash });
  const asked: string[] = [];
  opened.page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    void dialog.dismiss();
  });
  await write(opened, "return 'of the first';");
  await opened.shows('not saved');
  await rawCall(server, 'DELETE', `/respark/access-key/${first.id}`);
  await opened.press('Changes since the newest snapshot');
  await opened.shows('Your access key is no longer good');
  await opened.fill('Access key id', second.id);
  await opened.fill('Secret access key', second.secret);
  await opened.press('Sign in');
  await opened.page.waitForSelector('.console main');
  await opened.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await untilScriptIs(opened, 'return 1;');
  const shown = await opened.shows('one part of the configuration was changed and not saved');
  assert.match(shown, new RegExp(`The key: ${first.id}`));
  assert.doesNotMatch(shown, /Greet not saved/);
  await opened.assertSound();
  // It would be lost all the same.
  await opened.press('Sign out');
  assert.deepEqual(asked, ['confirm']);

  await opened.press('They are mine: go on with them');
  await untilScriptIs(opened, "return 'of the first';");
  assert.doesNotMatch(await opened.shows(/Greet not saved/), /one part of the configuration/);
  await opened.press('Discard the changes');
  await untilScriptIs(opened, 'return 1;');
});

test('[chromium] what was typed under several keys is kept apart, and is there at once for who has typed it', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const requests = { Greet: { script: 'return 1;' }, Other: { script: 'return 2;' } };
  await importDocument(server, fileOf(scriptedGame({ requests })));
  const [first, second] = [await makeKey(server), await makeKey(server)];
  const hashOf = (entry: string) => `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=${entry}`;
  const opened = await openConsole(server.url, { hash: hashOf('Greet') });
  const enter = async ({ id, secret }: typeof first) => {
    await opened.fill('Access key id', id);
    await opened.fill('Secret access key', secret);
    await opened.press('Sign in');
    await opened.page.waitForSelector('.console main');
    // Where the address names no stage, the console chooses the only one, and goes there.
    await opened.page.waitForFunction("location.hash.includes('stage=')");
  };
  const show = (entry: string) => opened.page.evaluate(`location.hash = ${JSON.stringify(hashOf(entry))}`);
  const lose = async ({ id }: typeof first) => {
    await rawCall(server, 'DELETE', `/respark/access-key/${id}`);
    await opened.press('Changes since the newest snapshot');
    await opened.shows('Your access key is no longer good');
  };
  await enter(first);
  await write(opened, "return 'of the first';");
  await opened.shows('not saved');
  // The link of another start makes the page anew, and is none that signs in: the same person does so again.
  await opened.page.evaluate("location.hash = '#code=used-up'");
  await opened.shows('The link does not sign in');
  await enter(first);
  await show('Greet');
  await untilScriptIs(opened, "return 'of the first';");
  assert.doesNotMatch(await opened.shows(/Greet not saved/), /under another key/);
  await lose(first);
  await enter(second);
  await show('Other');
  await untilScriptIs(opened, 'return 2;');
  await write(opened, "return 'of the second';");
  await opened.shows(/Other not saved/);
  await lose(second);
  await enter({ id: ROOT.accessKeyId, secret: ROOT.secretAccessKey });
  await show('Other');
  await untilScriptIs(opened, 'return 2;');
  const shown = await opened.shows(/one part of .* one part of /s);
  for (const { id } of [first, second]) assert.equal(shown.split(`The key: ${id}`).length, 2, id);
  await opened.press(`They are mine: go on with them ${second.id}`);
  await untilScriptIs(opened, "return 'of the second';");
  const later = await opened.shows(/Other not saved/);
  assert.ok(
    later.includes(`The key: ${first.id}`) && !later.includes(second.id) && !/Greet not saved/.test(later),
    later,
  );
  // Nothing that was typed takes the place of something else that was.
  await show('Greet');
  await untilScriptIs(opened, 'return 1;');
  await write(opened, "return 'of the third';");
  await opened.shows(/Greet not saved/);
  await opened.press('They are mine: go on with them');
  await untilScriptIs(opened, "return 'of the third';");
  await opened.shows(`The key: ${first.id}`);
  await opened.press('Discard the changes');
  await untilScriptIs(opened, 'return 1;');
  await opened.press('They are mine: go on with them');
  await untilScriptIs(opened, "return 'of the first';");
  assert.doesNotMatch(await opened.shows(/Greet not saved/), /under another key/);
});

test('[chromium] what a console of an older version has kept for the tab does not keep a newer one from opening', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const opened = await openConsole(server.url, { hash });
  const section = 'GameSparks.Core.RequestHandlers';
  const draft = {
    text: "return 'kept';",
    base: 'return 1;',
    entry: { section, name: 'Greet', isScript: true, value: {} },
  };
  const kept = { key: ROOT.accessKeyId, drafts: [[JSON.stringify([GAME, section, 'Greet']), draft]] };
  await opened.page.evaluate(`sessionStorage.setItem('respark.drafts', ${JSON.stringify(JSON.stringify(kept))})`);
  await opened.page.reload();
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.press('Sign in');
  await untilScriptIs(opened, "return 'kept';");
  await opened.assertSound();
});
