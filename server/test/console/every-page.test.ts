import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { administer } from '../support/administration.ts';
import { chromium, openConsole, signIn } from '../support/console-page.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';
import { makeBusy } from './busy-game.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
/** Page → what it shows when it is there, in English and in German. */
const PAGES = {
  home: ['The last hour', 'Die letzte Stunde'],
  players: ['30 players online', '30 Spieler online'],
  player: ['Connections (2)', 'Verbindungen (2)'],
  blocks: ['toxic-tom', 'toxic-tom'],
  notifications: ['Payload, as JSON', 'Inhalt, als JSON'],
  maintenance: ['Players are let in.', 'Spieler werden eingelassen.'],
  jobs: ['awaits another key', 'wartet auf Bestätigung'],
  job: ['waits for somebody else', 'bis jemand anderes'],
  keys: ['the night shift', 'the night shift'],
  key: ['Would it be allowed?', 'Wäre es erlaubt?'],
  policy: ['The server can honour this policy.', 'Der Server kann diese Policy einhalten.'],
  webhooks: ['Moderation channel', 'Moderation channel'],
  configuration: ['RequestHandlers', 'RequestHandlers'],
  changes: ['Nothing has changed', 'Nichts hat sich geändert'],
  deployments: ['(current)', '(aktuell)'],
  harness: ['Shape of the payload', 'Form des Inhalts'],
  logs: ['found on', 'found on'],
  audit: ['BlockPlayer', 'BlockPlayer'],
} as const;

/** The words of operations that take more than one line. */
const BROKEN_WORDS = `[...document.querySelectorAll('.words .untrusted')].flatMap(({ childNodes }) => [...childNodes]).filter((node) => {
  const range = document.createRange();
  range.selectNodeContents(node);
  return range.getClientRects().length > 1;
}).map(({ textContent }) => textContent)`;

const READERS = [
  { name: 'in English on a desk', theme: 'light', language: 'en', width: 1280 },
  { name: 'in German in the dark', theme: 'dark', language: 'de', width: 1280 },
  { name: 'on a phone', theme: 'light', language: 'en', width: 390 },
  { name: 'in German on a phone in the dark', theme: 'dark', language: 'de', width: 390 },
] as const;

test('[chromium] every page is sound for every reader, and no page or table is wider than the screen', {
  skip,
}, async (t) => {
  const server = await startTestServer(t, { settings: { writeCallsBurst: 1_000 } });
  const { awaiting } = await makeBusy(server, { players: 30 });
  const policy = JSON.stringify(policyOfRole('operator', { game: GAME }));
  const { accessKeyId } = await administer(server, (access) =>
    access.createKey({ policy, description: 'the night shift' }),
  );
  const OF = { player: '&player=ada-3757', job: `&job=${awaiting}`, key: `&key=${accessKeyId}` };
  for (const { name, ...reader } of READERS) {
    const opened = await signIn(server.url, ROOT, { ...reader, hash: `#/home?${PLACE}` });
    for (const [page, texts] of Object.entries(PAGES)) {
      await t.test(`${page} ${name}`, async () => {
        const of = OF[page as keyof typeof OF] ?? '';
        await opened.page.evaluate(`location.hash = '#/${page}?${PLACE}${of}'`);
        await opened.shows(texts[reader.language === 'en' ? 0 : 1]);
        const tooWide = await opened.page.evaluate('document.documentElement.scrollWidth - innerWidth');
        assert(Number(tooWide) <= 0, `the page is ${tooWide} pixels wider than the screen`);
        const scrolling = await opened.page.evaluate(
          "[...document.querySelectorAll('.table')].filter((each) => each.scrollWidth > each.clientWidth).map(({ ariaLabel }) => ariaLabel)",
        );
        assert.deepEqual(scrolling, [], 'tables that somebody has to scroll sideways');
        assert.deepEqual(await opened.page.evaluate(BROKEN_WORDS), [], 'operations that are broken within a word');
        await opened.assertSound();
      });
    }
  }
});

test('[chromium] a page is used by keyboard alone', { skip }, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=${player.playerId}` });
  await opened.shows('Connections (1)');
  const { keyboard } = opened.page;
  const focused = () =>
    opened.page.evaluate('document.activeElement?.ariaLabel ?? document.activeElement?.textContent.trim()');
  const tabTo = async (name: string) => {
    for (let presses = 0; presses < 60; presses += 1) {
      if ((await focused()) === name) return;
      await keyboard.press('Tab');
    }
    assert.fail(`no way to ${name} by Tab, only to ${await focused()}`);
  };
  await tabTo('Disconnect…');
  await keyboard.press('Enter');
  await opened.shows('Message to the player');
  assert.equal(await opened.page.evaluate('document.activeElement?.tagName'), 'INPUT', 'what is to be filled in');
  await keyboard.press('Escape');
  await opened.page.waitForFunction('document.querySelector("dialog") === null');
  assert.equal(await focused(), 'Disconnect…', 'the focus is where it was');
  await keyboard.press('Enter');
  await tabTo('Show what it will do');
  await keyboard.press('Enter');
  await opened.shows('1 connection ends.');
  assert.match(String(await focused()), /^Disconnect/, 'the title of the dialog, whose button has gone with its step');
  await tabTo('Disconnect 1 connection');
  await keyboard.press('Enter');
  await opened.shows('1 connection closed.');
  assert.equal((await player.closed).code, 4500);
  assert.equal(await opened.page.evaluate('document.activeElement?.closest("dialog") !== null'), true);
  await opened.assertSound();
  await opened.shows('The player is not online.');
  await tabTo('Close');
  await keyboard.press('Enter');
  await opened.page.waitForFunction('document.querySelector("dialog") === null');
  const hasPage = "document.activeElement?.closest('#main') != null";
  await opened.page.waitForFunction(hasPage, { timeout: 5_000 });
  await tabTo('Sign out');
  await keyboard.press('Enter');
  await opened.shows('Secret access key');
  await opened.page.waitForFunction(hasPage, { timeout: 5_000 });
  await opened.assertSound();
});

test('[chromium] whoever signs in by Enter goes on in the page, and not before it', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await openConsole(server.url);
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.page.keyboard.press('Enter');
  await opened.page.waitForSelector('.console main');
  await opened.page.waitForFunction("document.activeElement?.closest('.console #main') != null", { timeout: 5_000 });
});
