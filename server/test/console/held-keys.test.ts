import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium, signIn } from '../support/console-page.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

test('[chromium] Enter that is held down opens a dialog and does nothing in it, and a press does', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/deployments?game=${GAME}&stage=${STAGE}` });
  const { page } = opened;
  const made: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().endsWith(`/game/${GAME}/snapshot`)) made.push(request.url());
  });
  await opened.shows('Make a snapshot…');
  await page.evaluate(
    "[...document.querySelectorAll('main button')].find((each) => each.textContent === 'Make a snapshot…').focus()",
  );
  // Each further `down` of a key that is down is a repetition.
  await page.keyboard.down('Enter');
  await page.waitForSelector('dialog[open] input');
  for (let repetition = 0; repetition < 10; repetition += 1) await page.keyboard.down('Enter');
  await page.keyboard.up('Enter');
  assert.equal(await page.evaluate("document.querySelector('dialog[open] input') === document.activeElement"), true);
  assert.deepEqual(made, []);

  const answered = page.waitForResponse((reply) => reply.url().endsWith(`/game/${GAME}/snapshot`));
  await page.keyboard.press('Enter');
  assert.equal((await answered).status(), 200);
  assert.equal(made.length, 1);
});
