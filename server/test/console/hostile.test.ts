import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chromium, signIn } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const char = String.fromCodePoint;

/** Let through, because what joins them is between them. */
const EMOJI = 'emoji of several';

/** What it is → a text by which somebody would act on, hide from or deceive whoever reads it. */
const HOSTILE: Readonly<Record<string, string>> = {
  'a script': '<script>globalThis.pwned = 1</script>',
  'an image with a handler': '<img src=x onerror="globalThis.pwned = 1">',
  'an svg with a handler': '<svg onload="globalThis.pwned = 1"></svg>',
  'a frame': '<iframe src="javascript:parent.pwned = 1"></iframe>',
  'a style': '<style>* { display: none }</style>',
  'a link to a script': '<a href="javascript:globalThis.pwned = 1">Sign in</a>',
  'a base': '<base href="https://evil.example/">',
  'a refresh': '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
  'a form': '<form action="https://evil.example/"><input name="secret"></form>',
  'a dialog': '<dialog open>Your session has ended</dialog>',
  'the end of an attribute': '"><script>globalThis.pwned = 1</script>',
  'the end of a comment': '--><script>globalThis.pwned = 1</script>',
  'an entity': '&lt;script&gt;globalThis.pwned = 1&lt;/script&gt;',
  'a template': '{{constructor.constructor("globalThis.pwned = 1")()}}',
  'a template literal': '$' + '{globalThis.pwned = 1}',
  'a name of ours': '{player} {n} {stage}',
  'the prototype': '__proto__',
  'a constructor': 'constructor',
  'a JSON document': '{"__proto__":{"pwned":1}}',
  'a url of a script': 'javascript:globalThis.pwned=1',
  'a url of data': 'data:text/html,<script>globalThis.pwned=1</script>',
  'right to left': `user${char(0x202e)}nimda`,
  'an isolate without an end': `${char(0x2067)}abc`,
  'an embedding without an end': `${char(0x202b)}abc`,
  'Arabic and digits': 'مرحبا 123 abc',
  Hebrew: 'שלום admin',
  'a mark of direction': `a${char(0x200f)}b${char(0x061c)}c`,
  'no width': `ad${char(0x200b)}min${char(0x2060)}`,
  'no ink': char(0x3164, 0x115f, 0x2800),
  'soft hyphens': `a${char(0xad)}d${char(0xad)}m`,
  'a byte order mark': `${char(0xfeff)}admin`,
  tags: `admin${char(0xe0061, 0xe0062)}`,
  'variation selectors': `a${char(0xfe0f)}b${char(0xe0100)}`,
  lines: 'one\r\ntwo\nthree\u2028four\u2029five',
  'a tab and a form feed': 'a\tb\fc\vd',
  'escapes of a terminal': '\u001b[31mred\u001b[0m \u001b]0;title\u0007',
  'other controls': '\u0001\u0008\u007f\u0085\u009b',
  'a bell': 'ding\u0007',
  'a pile of marks': `Z${char(0x0301).repeat(200)}`,
  [EMOJI]: '👩‍👩‍👧‍👦 ❤️ 🏳️‍🌈 👍🏽',
  'a letter that looks like another': 'аdmin',
  'full width': 'ａｄｍｉｎ',
  'one long word': 'x'.repeat(500),
  'wide letters': '﷽'.repeat(100),
  'many lines': '\n'.repeat(400),
  'a private character': `${char(0xe000)}${char(0xf8ff)}`,
  'no character': char(0xffff, 0x1fffe),
  'spaces of all kinds': char(0x00a0, 0x1680, 0x2003, 0x202f, 0x3000),
};

/** What must never be on a page as it is: it has no shape, or it moves others. */
const UNSEEN = String.raw`/(?![ \n\t])[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u`;

test('[chromium] hostile reasons, messages, evidence and logs are shown, and do nothing', { skip }, async (t) => {
  assert(Object.keys(HOSTILE).length >= 40);
  const server = await startTestServer(t, { settings: { writeCallsBurst: 1_000, disconnectCallsBurst: 1_000 } });
  const script =
    "GameSparks().Logging().Info(message.Text === 'long' ? 'long '.repeat(20000) : message.Text); return GameSparks().Messaging().Response({});";
  const requests = { Say: { request: { Text: 'String' }, response: {}, script } };
  await deploy(server, await createSnapshot(server, fileOf(scriptedGame({ requests }))));
  const player = await server.connect();
  for (const [index, text] of Object.values(HOSTILE).entries()) {
    const path = `/respark/game/${GAME}/stage/${STAGE}/player/p-${index}/block`;
    const { status, message } = await rawCall(server, 'POST', path, { body: { Message: text, Evidence: text } });
    assert.equal(status, 200, `${text} ${message}`);
  }
  const said = [...Object.values(HOSTILE), 'long'];
  for (const [index, Text] of said.entries()) {
    const id = `say ${index}`;
    const answered = player.next((frame) => frame.kind === 'response' && frame.id === id);
    player.ws.send(JSON.stringify({ kind: 'request', id, type: 'Custom.Game.Say', payload: { Text } }));
    await answered;
  }

  const opened = await signIn(server.url, ROOT, { hash: `#/blocks?${PLACE}` });
  const elements = () =>
    opened.page.evaluate("document.querySelectorAll('script, img, iframe, form, style, base, meta').length");
  await opened.shows('p-0');
  const before = await elements();
  for (const [page, text] of [
    ['blocks', 'Sign in</a>'],
    ['logs', 'Sign in</a>'],
    ['audit', 'BlockPlayer'],
    ['player', 'blocked'],
  ] as const) {
    await opened.page.evaluate(`location.hash = '#/${page}?${PLACE}&player=${page === 'player' ? 'p-0' : ''}'`);
    // Rows out of sight are not drawn, and where the long one pushes the others to is a matter of time.
    await opened.page.waitForFunction(`document.querySelector('main').textContent.includes(${JSON.stringify(text)})`);
    await opened.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })");
    await opened.page.evaluate("document.querySelectorAll('td [aria-expanded=false]').forEach((each) => each.click())");
    await opened.assertSound();
    assert.equal(await opened.page.evaluate('globalThis.pwned'), undefined, page);
    assert.equal(await elements(), before, `${page} has elements that somebody else made`);
    const unseen = await opened.page.evaluate(
      `${UNSEEN}.exec(document.body.textContent.replaceAll(${JSON.stringify(HOSTILE[EMOJI])}, ''))?.[0].codePointAt(0)`,
    );
    assert.equal(unseen, undefined, `${page} shows a character that cannot be seen`);
    const tallest = await opened.page.evaluate(
      "Math.max(...[...document.querySelectorAll('td .untrusted')].map((each) => each.offsetHeight))",
    );
    t.diagnostic(`${page}: the tallest text has ${tallest} pixels`);
    const tooWide = await opened.page.evaluate('document.documentElement.scrollWidth - innerWidth');
    assert(Number(tooWide) <= 0, `${page} is ${tooWide} pixels wider than the screen`);
  }
});

test('[chromium] hostile answers, errors, notifications and descriptions do nothing where messages are played', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const script = `var log = GameSparks().Logging();
    for (var n = 0; n < message.Texts.length; n += 1) log.Info(message.Texts[n]);
    GameSparks().Messaging().SendNotification('News', { Texts: message.Texts });
    return GameSparks().Messaging().Response({ Texts: message.Texts });`;
  const refusal = "return GameSparks().Messaging().Error('Refused', message.Text);";
  const game = scriptedGame({
    shapes: { Texts: { List: { Shape: 'String', Description: HOSTILE['a script'] ?? '' } } },
    requests: {
      Say: { request: { Texts: 'Texts' }, response: { Texts: 'Texts' }, script },
      Refuse: { request: { Text: 'String' }, script: refusal },
    },
    notifications: { News: { Texts: 'Texts' } },
  });
  const said = JSON.stringify(Object.values(HOSTILE).join(' '));
  const described = JSON.parse(
    JSON.stringify(game).replaceAll('"RequestShape"', () => `"Description":${said},"RequestShape"`),
  );
  await deploy(server, await createSnapshot(server, fileOf(described)));
  const opened = await signIn(server.url, ROOT, { hash: `#/harness?${PLACE}` });
  const elements = () =>
    opened.page.evaluate("document.querySelectorAll('script, img, iframe, form, style, base, meta').length");
  const write = (payload: object) =>
    opened.page.evaluate(`(() => {
      const area = document.querySelector('textarea');
      area.value = ${JSON.stringify(JSON.stringify(payload))};
      area.dispatchEvent(new Event('input', { bubbles: true }));
    })()`);
  await opened.press('Connect');
  await opened.shows('connected as');
  const before = await elements();
  await write({ Texts: Object.values(HOSTILE) });
  await opened.press('Send');
  await opened.shows('Answer after');
  await opened.page.waitForFunction("document.querySelector('.inspector').innerText.includes('INFO')");
  await opened.choose('Message', 'request Custom.Game.Refuse');
  await write({ Text: Object.values(HOSTILE).slice(0, 20).join(' ') });
  await opened.press('Send');
  await opened.shows('Refused: <script>');
  // What is long is shown whole.
  await opened.page.evaluate(`document.querySelectorAll('.untrusted .link').forEach((each) => each.click());
    document.querySelectorAll('details').forEach((each) => { each.open = true; })`);
  await opened.shows('evil.example');
  assert.equal(await opened.page.evaluate('globalThis.pwned'), undefined);
  assert.equal(await elements(), before, 'there are elements that somebody else made');
  const unseen = await opened.page.evaluate(
    `${UNSEEN}.exec(document.querySelector('.inspector').textContent.replaceAll(${JSON.stringify(HOSTILE[EMOJI])}, ''))?.[0].codePointAt(0)`,
  );
  assert.equal(unseen, undefined, 'there is a character that cannot be seen');
  const tooWide = await opened.page.evaluate('document.documentElement.scrollWidth - innerWidth');
  assert(Number(tooWide) <= 0, `the page is ${tooWide} pixels wider than the screen`);
  await opened.assertSound();
});
