import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ConsolePage, chromium, signIn } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
/** As long as an id may be, without a place to break it. */
const LONG_ID = 'w'.repeat(44);
const LONG_NAME = 'MessageOfWhichNobodyWouldHaveThoughtThatItsNameIsSoLong';

/** A server with a player whose messages write lines to the log. */
async function open(t: TestContext, { playerId = 'ada-1', message = 'Say' } = {}) {
  const server = await startTestServer(t);
  const script = "GameSparks().Logging().Error('line ' + message.Text); return GameSparks().Messaging().Response({});";
  const requests = { [message]: { request: { Text: 'String' }, response: {}, script } };
  await deploy(server, await createSnapshot(server, fileOf(scriptedGame({ requests }))));
  const { json } = await rawCall(server, 'POST', `/respark/game/${GAME}/stage/${STAGE}/player/${playerId}/token`, {
    body: {},
  });
  const token = String(json.AuthenticationToken);
  const player = await server.connect({ token });
  const say = async (Text: string) => {
    const id = `say ${Text.slice(0, 50)}`;
    const answered = player.next((frame) => 'id' in frame && frame.id === id);
    player.ws.send(JSON.stringify({ kind: 'request', id, type: `Custom.Game.${message}`, payload: { Text } }));
    assert.equal((await answered).kind, 'response');
  };
  return { server, token, say };
}

/** What stands out of its column or its row, where it would be cut off. */
const outstanding = ({ page }: ConsolePage) =>
  page.evaluate(`[...document.querySelectorAll('.long th, .long td')]
    .filter((cell) => cell.checkVisibility())
    .filter((cell) => {
      const endOf = (element) => element.getBoundingClientRect().right;
      return cell.scrollWidth > cell.clientWidth || endOf(cell) > endOf(cell.parentElement) + 0.5;
    })
    .map((cell) => cell.textContent + ': ' + cell.scrollWidth + ' of ' + cell.clientWidth)`);

/** Puts the clock of a page ahead. */
const DAYS_LATER = `{
  const Real = Date;
  const later = () => Real.now() + 2 * 86_400_000;
  globalThis.Date = class extends Real {
    constructor(...given) { super(...(given.length === 0 ? [later()] : given)); }
    static now() { return later(); }
  };
}`;

test('[chromium] nothing stands out of its column in a long table, on a desk or a phone', { skip }, async (t) => {
  const { server, say } = await open(t, { playerId: LONG_ID, message: LONG_NAME });
  await say('x'.repeat(500));
  for (const [width, language] of [
    [1280, 'de'],
    [850, 'de'],
    [390, 'de'],
    [320, 'en'],
  ] as const) {
    const opened = await signIn(server.url, ROOT, { width, language, hash: `#/logs?${PLACE}` });
    await opened.shows('xxx');
    assert.deepEqual(await outstanding(opened), [], `logs at ${width} pixels`);
    await opened.assertSound();
    await opened.page.evaluate(`location.hash = '#/players?${PLACE}'`);
    await opened.shows('wwwwww');
    assert.deepEqual(await outstanding(opened), [], `players at ${width} pixels`);
    await opened.assertSound();
  }
});

test('[chromium] times say their day once it is over, also in rows that stay as they are', { skip }, async (t) => {
  const { server, say } = await open(t);
  await say('of today');
  const opened = await signIn(server.url, ROOT, { width: 390, language: 'de', hash: `#/logs?${PLACE}` });
  await opened.shows('of today');
  const shown = () => opened.page.evaluate("document.querySelector('.long time').textContent") as Promise<string>;
  assert.match(await shown(), /^\d\d:\d\d:\d\d$/);
  await opened.page.evaluate(DAYS_LATER);
  await opened.shows(/\d+\. \S+ \d{4}, \d\d:\d\d:\d\d/);
  assert.deepEqual(await outstanding(opened), []);
  await opened.assertSound();
});

test('[chromium] a look at the players draws only the rows that have changed', { skip }, async (t) => {
  const { server, token } = await open(t);
  const others = [await server.connect(), await server.connect()];
  const opened = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  await opened.shows('3 players online');
  await opened.shows('ada-1');
  // Each row shows the number of its connections, which is 1, and nothing else on the page shows that.
  await opened.page.evaluate(`{
    globalThis.ones = 0;
    const { get } = Object.getOwnPropertyDescriptor(Intl.NumberFormat.prototype, 'format');
    Object.defineProperty(Intl.NumberFormat.prototype, 'format', { get() {
      const format = get.call(this);
      return (value) => {
        if (value === 1) globalThis.ones += 1;
        return format(value);
      };
    } });
  }`);
  const ones = () => opened.page.evaluate('globalThis.ones') as Promise<number>;
  const looked = () => opened.page.waitForResponse((reply) => new URL(reply.url()).pathname.endsWith('/player'));
  await looked();
  await looked();
  assert.equal(await ones(), 0);
  await server.connect({ token });
  await opened.shows(/ada-1\s+2\s/);
  // What is not drawn again while nothing changes is drawn when the filter lets something else through. It is typed letter
  // by letter, and the id of a guest never begins with the first.
  await opened.fill('Player id begins with', '_nobody');
  await opened.shows('Nobody who is online matches');
  await opened.fill('Player id begins with', '');
  await opened.shows('ada-1');
  assert.equal(await ones(), others.length, 'the rows are counted');
});

test('[chromium] a row out of sight is found by a search of the page, and scrolled to by the keyboard', {
  skip,
}, async (t) => {
  const { server, say } = await open(t);
  for (let line = 10; line < 55; line += 1) await say(`number ${line}`);
  const opened = await signIn(server.url, ROOT, { hash: `#/logs?${PLACE}`, height: 500 });
  await opened.press('Pause');
  await opened.shows('line number 54');
  // The rows come a few in each frame.
  await opened.page.waitForFunction("document.body.textContent.includes('line number 12')");
  const isSeen = (element: string) =>
    opened.page.waitForFunction(`(() => {
      const { top, bottom } = (${element}).getBoundingClientRect();
      return top >= 0 && bottom <= innerHeight;
    })()`);
  assert.equal(await opened.page.evaluate("find('line number 12')"), true);
  await isSeen('getSelection().getRangeAt(0)');
  await opened.page.evaluate("getSelection().empty(); scrollTo(0, 0); document.querySelector('section.table').focus()");
  for (let row = 0; row < 30; row += 1) await opened.page.keyboard.press('Tab');
  assert.equal(await opened.page.evaluate("document.activeElement.closest('tr') !== null"), true);
  await isSeen('document.activeElement');
});
