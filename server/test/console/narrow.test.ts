import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { administer } from '../support/administration.ts';
import { type ConsolePage, chromium, openConsole, signIn } from '../support/console-page.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

/** Buttons and links of rows that a person would have to scroll to, or that something else covers. */
const outOfSight = ({ page }: ConsolePage) =>
  page.evaluate(`[...document.querySelectorAll('td.action :is(button, a)')]
    .filter((each) => {
      const { left, right, top, bottom } = each.getBoundingClientRect();
      const table = each.closest('.table').getBoundingClientRect();
      const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      return left < table.left || right > table.right || !(bottom > innerHeight || each.contains(seen));
    })
    .map((each) => each.textContent)`);

test('[chromium] what can be done with a row is in sight, on a desk and on a phone', { skip }, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const on = `/respark/game/${GAME}/stage/${STAGE}/player`;
  const block = { Reason: 'A_REASON_OF_MANY_LETTERS_BUT_ONE_WORD', Message: `You were seen ${'w'.repeat(60)}.` };
  const blocked = 'w'.repeat(44);
  await rawCall(server, 'POST', `${on}/${blocked}/block`, { body: block });
  await rawCall(server, 'POST', `/respark/game/${GAME}/player/ada/block`, { body: { Seconds: 604_800 } });
  const Url = `https://hooks.example/${'long/'.repeat(20)}`;
  await rawCall(server, 'POST', `/respark/game/${GAME}/webhook`, { body: { Url } });
  await administer(server, (access) =>
    access.createKey({ policy: JSON.stringify(policyOfRole('viewer', {})), description: 'of the night shift' }),
  );
  const pages = {
    ...{ blocks: 'Unblock', player: 'Disconnect…', webhooks: 'Replay…', keys: 'Revoke…', audit: 'Show' },
  };
  for (const width of [1280, 390]) {
    const opened = await signIn(server.url, ROOT, { width, hash: `#/home?${PLACE}` });
    for (const [page, action] of Object.entries(pages)) {
      const of = page === 'player' ? `&player=${player.playerId}` : '';
      await opened.page.evaluate(`location.hash = '#/${page}?${PLACE}${of}'`);
      await opened.page.waitForFunction(`document.querySelector('td.action')?.innerText.includes('${action}')`);
      assert.deepEqual(await outOfSight(opened), [], `${page} at ${width} pixels`);
    }
    await opened.page.evaluate(`location.hash = '#/blocks?${PLACE}'`);
    await opened.shows('wwwwwww…wwwww');
    assert.equal(await opened.page.evaluate("document.querySelector('td code[title]').title"), blocked);
  }
});

test('[chromium] a record of the audit log opens beneath its row, and its operation is found however it is typed', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const block = { Reason: 'CHEATING', Message: 'You were seen.' };
  await rawCall(server, 'POST', `/respark/game/${GAME}/player/ada/block`, { body: block });
  const opened = await signIn(server.url, ROOT, { hash: `#/audit?${PLACE}` });
  await opened.fill('Operation', 'blockplayeringame');
  assert.equal(await opened.page.evaluate("document.querySelector('input[list]').value"), 'BlockPlayerInGame');
  await opened.page.waitForFunction("document.querySelectorAll('tbody tr').length === 1");
  const over = await opened.page.evaluate(
    "document.querySelector('.table').scrollWidth - document.querySelector('.table').clientWidth",
  );
  assert.equal(over, 0);
  const height = Number(await opened.page.evaluate("document.querySelector('tbody tr').clientHeight"));
  assert.ok(height < 50, `a row is ${height} pixels high`);
  await opened.press('Show');
  await opened.shows('You were seen.');
  const width = await opened.page.evaluate("document.querySelector('.beneath dd').clientWidth");
  assert.ok(Number(width) > 600, `a detail has ${width} pixels`);
  await opened.assertSound();
  await opened.press('Hide');
  assert.equal(await opened.page.evaluate("document.querySelector('.beneath')"), null);
});

test('[chromium] on a phone the page begins at the top, under a bar that says where one is and leads elsewhere', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { width: 390, height: 844, hash: `#/maintenance?${PLACE}` });
  await opened.shows('Players are let in.');
  const top = Number(await opened.page.evaluate("document.querySelector('main').getBoundingClientRect().top"));
  assert.ok(top < 80, `the page begins at ${top}`);
  await opened.press('Pages: Maintenance');
  await opened.shows('Sign out');
  await opened.assertSound();
  await opened.press('Audit');
  await opened.page.waitForSelector("button[aria-label='Pages: Audit'][aria-expanded=false]");
  assert.doesNotMatch(await opened.shows('Audit'), /Sign out/);
  await opened.assertSound();
});

test('[chromium] what a finger presses in a row is high enough not to press its neighbour', { skip }, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  await rawCall(server, 'POST', `/respark/game/${GAME}/webhook`, { body: { Url: 'https://hooks.example/all' } });
  const opened = await openConsole(server.url, { hash: `#/home?${PLACE}` });
  await opened.page.setViewport({ width: 390, height: 844, hasTouch: true, isMobile: true });
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.press('Sign in');
  await opened.page.waitForSelector('.console main');
  assert.equal(await opened.page.evaluate("matchMedia('(pointer: coarse)').matches"), true);
  for (const [page, action] of Object.entries({ player: 'Disconnect…', webhooks: 'Switch off…', audit: 'Show' })) {
    const of = page === 'player' ? `&player=${player.playerId}` : '';
    await opened.page.evaluate(`location.hash = '#/${page}?${PLACE}${of}'`);
    await opened.page.waitForFunction(`document.querySelector('td.action')?.innerText.includes('${action}')`);
    const low = await opened.page.evaluate(`[...document.querySelectorAll('td :is(button, a)')]
      .filter((each) => each.getBoundingClientRect().height < 32)
      .map((each) => each.textContent + ' ' + each.getBoundingClientRect().height)`);
    assert.deepEqual(low, [], page);
    const tooWide = await opened.page.evaluate('document.documentElement.scrollWidth - innerWidth');
    assert.ok(Number(tooWide) <= 0, `${page} is ${tooWide} pixels wider than the screen`);
    await opened.assertSound();
  }
});
