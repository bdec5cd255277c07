import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKey } from '../support/administration.ts';
import { type ConsolePage, chromium, openConsole, signIn } from '../support/console-page.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

/**
 * Listens as a screen reader does: to what changes in a place for news that was there before, while no dialog hides it. Gives
 * what was heard since.
 */
async function listen({ page }: ConsolePage): Promise<() => Promise<readonly string[]>> {
  await page.evaluate(`(() => {
    globalThis.heard = [];
    const PLACES = '[role=status], [role=alert], [aria-live]';
    const known = new Set(document.querySelectorAll(PLACES));
    new MutationObserver((changes) => {
      const inDialog = document.querySelector('dialog[open]');
      const changed = changes.map(({ target }) => (target.closest ? target : target.parentElement)?.closest(PLACES));
      for (const place of new Set(changed)) {
        if (known.has(place) && place.isConnected && (inDialog === null || inDialog.contains(place)))
          heard.push(place.textContent);
      }
    }).observe(document.body, { childList: true, characterData: true, subtree: true });
  })()`);
  return async () => (await page.evaluate('heard.filter((each) => each !== "")')) as string[];
}

async function hears(opened: ConsolePage, heard: () => Promise<readonly string[]>, text: string): Promise<void> {
  await opened.shows(text);
  assert.deepEqual(await heard(), [text]);
}

test('[chromium] that a block was lifted is read aloud, and stands there until another page is opened', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await rawCall(server, 'POST', `/respark/game/${GAME}/stage/${STAGE}/player/anna/block`, { body: {} });
  await rawCall(server, 'POST', `/respark/game/${GAME}/player/bert/block`, { body: {} });
  const opened = await signIn(server.url, ROOT, { hash: `#/blocks?${PLACE}` });
  await opened.press('Unblock… anna');
  const heard = await listen(opened);
  await opened.press('Unblock');
  await hears(opened, heard, `The block of anna in the stage ${STAGE} was lifted.`);
  await opened.assertSound();
  await opened.press('Unblock… bert');
  await opened.page.waitForFunction("document.querySelector('.said').textContent === ''");
  await opened.press('Unblock');
  await opened.shows(`The block of bert in the whole game ${GAME} was lifted.`);
  await opened.press('Players');
  await opened.page.waitForFunction("document.querySelector('.said').textContent === ''");
});

test('[chromium] that a key was revoked is read aloud', { skip }, async (t) => {
  const server = await startTestServer(t);
  const { accessKeyId } = await createKey(server, [{ Effect: 'Allow', Action: '*', Resource: '*' }]);
  const opened = await signIn(server.url, ROOT, { hash: `#/keys?${PLACE}` });
  await opened.press(`Revoke… ${accessKeyId}`);
  const heard = await listen(opened);
  await opened.press('Revoke the key');
  await hears(opened, heard, `The key ${accessKeyId} was revoked.`);
});

test('[chromium] what was done to a webhook is said, in the language of the reader and however it is called', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const url = 'https://hooks.example/<img src=x>';
  const { json } = await rawCall(server, 'POST', `/respark/game/${GAME}/webhook`, { body: { Url: url } });
  const shown = (json.Webhook as { readonly Url: string }).Url;
  const opened = await signIn(server.url, ROOT, { hash: `#/webhooks?${PLACE}`, language: 'de' });
  await opened.press(`Wiederholen … ${shown}`);
  await opened.press('Wiederholen');
  await opened.shows(/Alles seit .* wird noch einmal an https:\/\/hooks\.example\/.* gesendet\./);
  await opened.press(`Löschen … ${shown}`);
  const heard = await listen(opened);
  await opened.press('Webhook löschen');
  await hears(opened, heard, `Der Webhook ${shown} wurde gelöscht.`);
  await opened.assertSound();
});

test('[chromium] that a stage was closed, and opened again, is read aloud', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/maintenance?${PLACE}` });
  for (const [does, said] of [
    ['Close the stage', 'is closed to players.'],
    ['Open the stage', 'is open to players.'],
  ] as const) {
    await opened.press(`${does}…`);
    const heard = await listen(opened);
    await opened.press(does);
    await opened.shows(`The stage ${STAGE} ${said}`);
    assert.ok((await heard()).includes(`The stage ${STAGE} ${said}`));
  }
});

test('[chromium] whoever copies a secret hears that it was copied, or that the browser has refused', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  for (const [answer, said] of [
    ['Promise.resolve()', 'copied'],
    ["Promise.reject(new Error('no'))", 'not copied: select it instead'],
  ] as const) {
    const opened = await openConsole(server.url, { hash: `#/keys?${PLACE}` });
    await opened.fill('Access key id', ROOT.accessKeyId);
    await opened.fill('Secret access key', ROOT.secretAccessKey);
    await opened.press('Sign in');
    await opened.press('Create a key…');
    await opened.press('Create a key');
    await opened.shows('The secret is shown this once.');
    await opened.page.evaluate(`navigator.clipboard.writeText = () => ${answer}`);
    const heard = await listen(opened);
    await opened.page.evaluate("[...document.querySelectorAll('dialog .copied button')].at(-1).click()");
    await hears(opened, heard, said);
    await opened.assertSound();
  }
});

test('[chromium] whoever closes a dialog before its answer reads on the page what was done, or that it failed', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/blocks?${PLACE}` });
  const { page } = opened;
  await page.setRequestInterception(true);
  let answer: (() => Promise<void>) | undefined;
  let isLost = false;
  page.on('request', (request) => {
    if (!request.url().endsWith('/block') || request.method() !== 'POST') void request.continue();
    else answer = () => (isLost ? request.abort('connectionreset') : request.continue());
  });
  for (const said of ['anna is blocked. 0 connections closed.', 'So nobody knows here whether it was done.']) {
    await opened.press('Block a player…');
    await opened.fill('Player id', 'anna');
    await opened.press('Block and close 0 connections');
    while (answer === undefined) await page.evaluate('0');
    await page.keyboard.press('Escape');
    await page.waitForFunction("document.querySelector('dialog') === null");
    await answer();
    await opened.shows(said);
    answer = undefined;
    isLost = true;
  }
});
