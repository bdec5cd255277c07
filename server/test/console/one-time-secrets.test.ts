import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConsolePage, chromium, signIn } from '../support/console-page.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

const secretOn = ({ page }: ConsolePage) =>
  page.evaluate("[...document.querySelectorAll('dialog[open] .copied code')].at(-1)?.textContent");
const focused = ({ page }: ConsolePage) => page.evaluate('document.activeElement.textContent');

/** Whatever a person does by mistake leaves the secret where it is; what is in the dialog closes it. */
async function assertKept(opened: ConsolePage): Promise<void> {
  const { page } = opened;
  const secret = await secretOn(opened);
  assert.ok(secret);
  // Browsers close a dialog at the second Escape although the page has refused the first.
  for (let times = 0; times < 3; times += 1) await page.keyboard.press('Escape');
  assert.equal(await secretOn(opened), secret, 'after Escape');
  assert.equal(await focused(opened), 'Close');
  const address = await page.evaluate('location.href');
  await goBack(opened);
  assert.equal(await secretOn(opened), secret, 'after the way back');
  assert.equal(await page.evaluate('location.href'), address, 'the address is still that of the page');
  let isAsked = false;
  page.once('dialog', (asked) => {
    isAsked = asked.type() === 'beforeunload';
    void asked.dismiss();
  });
  await page.evaluate('location.reload()');
  await page.waitForNetworkIdle();
  assert.ok(isAsked, 'the browser asks before it loads the page again');
  assert.equal(await secretOn(opened), secret, 'after a reload that was not wanted');
  await opened.assertSound();
  await opened.press('Close');
  assert.equal(await secretOn(opened), undefined);
  // Afterwards the way back and Escape do what they always do.
  await goBack(opened);
  await opened.shows('The last hour');
}

/** Goes back as the browser's button does, until the page has heard of it. */
const goBack = ({ page }: ConsolePage) =>
  page.evaluate(`new Promise((resolve) => {
    addEventListener('hashchange', () => setTimeout(resolve), { once: true });
    history.back();
  })`);

test('[chromium] the secret of a new key stays until somebody closes the dialog by its button', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/home?${PLACE}` });
  await opened.press('Access keys');
  await opened.press('Create a key…');
  await opened.page.waitForSelector('dialog[open]');
  await opened.page.keyboard.press('Escape');
  // Before there is a secret, Escape closes the dialog.
  await opened.page.waitForFunction("document.querySelector('dialog') === null");
  await opened.press('Create a key…');
  await opened.press('Create a key');
  await opened.shows('The secret is shown this once.');
  await assertKept(opened);
});

test('[chromium] the secret of a new webhook stays until somebody closes the dialog by its button', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/home?${PLACE}` });
  await opened.press('Webhooks');
  await opened.press('Create a webhook…');
  await opened.fill('URL', 'https://hooks.example/respark');
  await opened.press('Create a webhook');
  await opened.shows('whsec_');
  await assertKept(opened);
});

test('[chromium] nobody leaves the dialog of a key that is being made, whose secret would be lost', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/keys?${PLACE}` });
  const { page } = opened;
  await opened.press('Create a key…');
  await page.setRequestInterception(true);
  const held = new Promise<() => Promise<void>>((resolve) => {
    page.on('request', (request) => {
      if (request.method() === 'POST' && request.url().endsWith('/respark/access-key'))
        resolve(() => request.continue());
      else void request.continue();
    });
  });
  await opened.press('Create a key');
  const go = await held;
  for (let times = 0; times < 3; times += 1) await page.keyboard.press('Escape');
  await page.evaluate(
    "[...document.querySelectorAll('dialog button')].find((each) => each.textContent === 'Cancel').click()",
  );
  assert.equal(await page.$('dialog button.close'), null);
  await go();
  await opened.shows('The secret is shown this once.');
});
