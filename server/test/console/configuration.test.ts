import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@respark/protocol';
import { type ConsolePage, chromium, signIn, write } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, importDocument } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
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
  await opened.press('Make a message…');
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
    "GameSparks().Logging().Info('hello from the console'); return GameSparks().Messaging().Response({ Text: message.Name });",
  );
  await opened.press(`Save and deploy to ${STAGE}`);
  await opened.shows('Deployed: players who come from now on get it.');
  await opened.assertSound();
  const player = await server.connect();
  const answered = player.next((frame) => frame.kind === 'response');
  player.ws.send(encode({ kind: 'request', id: '1', type: 'Custom.Game.Greet', payload: { Name: 'Ada' } }));
  assert.deepEqual(await answered, { kind: 'response', id: '1', payload: { Text: 'Ada' } });
  await opened.press('Logs');
  await opened.shows('hello from the console');
});

test('[chromium] a script is typed on a slow computer, key by key, and stays while another part is looked at', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const requests = { Greet: { script: '' }, Other: { script: 'return 2;' } };
  await importDocument(server, fileOf(scriptedGame({ requests })));
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const opened = await signIn(server.url, ROOT, { hash });
  await write(opened, ' ');
  await opened.page.emulateCPUThrottling(6);
  const script = "return GameSparks().Messaging().Response({ Text: 'Hello' });";
  // No bracket is closed by itself, and no completion is open at the end of it.
  for (const key of script) await opened.page.keyboard.sendCharacter(key);
  await opened.page.emulateCPUThrottling(null);
  await untilScriptIs(opened, ` ${script}`);
  await opened.page.evaluate(`location.hash = '${hash.replace('Greet', 'Other')}'`);
  await untilScriptIs(opened, 'return 2;');
  await opened.page.evaluate(`location.hash = '${hash}'`);
  await untilScriptIs(opened, ` ${script}`);
  await opened.shows('not saved');
});

test('[chromium] what was written in another form than the server prints is not taken for a change of somebody else', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { response: { Text: 'String' } } } })));
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.Model&entry=GreetRequest`;
  const opened = await signIn(server.url, ROOT, { hash });
  for (const shape of ['String', 'Integer', 'Boolean']) {
    await write(opened, `{"Structure":{"Fields":{"A":{"Shape":"${shape}","Cardinality":"Optional"}}}}`);
    await opened.shows('not saved');
    await opened.press('Save');
    await opened.page.waitForFunction("!document.body.innerText.includes('not saved')");
  }
  assert.doesNotMatch(await opened.shows('saved'), /Somebody else/);
});

test('[chromium] what is not saved stays while other pages are looked at, and is not lost without a question', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const greet = (script: string) => importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script } } })));
  await greet('return 1;');
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const opened = await signIn(server.url, ROOT, { hash });
  const asked: string[] = [];
  opened.page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    void dialog.dismiss();
  });
  const reload = () => opened.page.evaluate('location.reload()');
  await write(opened, "return 'mine';");
  await opened.shows('not saved');
  await opened.press('Logs');
  await opened.shows('No script of this stage has written anything yet.');
  await opened.page.goBack();
  await untilScriptIs(opened, "return 'mine';");
  await opened.shows(/Greet not saved/);
  await opened.assertSound();
  await reload();
  await opened.press('Sign out');
  assert.deepEqual(asked, ['beforeunload', 'confirm']);

  await opened.page.click('.code-editor');
  const saveKey = async () => {
    await opened.page.keyboard.down('Control');
    await opened.page.keyboard.press('s');
    await opened.page.keyboard.up('Control');
  };
  await saveKey();
  await opened.page.waitForFunction("!document.body.innerText.includes('not saved')");
  const scriptNow = async () => {
    const { json } = await rawCall(server, 'GET', `/game/${GAME}/configuration`);
    return /return '?\w+'?;/.exec(JSON.stringify(json))?.[0];
  };
  assert.equal(await scriptNow(), "return 'mine';");

  await write(opened, "return 'again';");
  await opened.press('Logs');
  await opened.shows('No script of this stage');
  await greet("return 'theirs';");
  await opened.page.goBack();
  await opened.shows('Somebody else has changed this since you opened it.');
  await untilScriptIs(opened, "return 'again';");
  await saveKey();
  assert.equal(await scriptNow(), "return 'theirs';");
  await opened.press('Discard the changes');
  await untilScriptIs(opened, "return 'theirs';");
  assert.doesNotMatch(await opened.shows('saved'), /not saved|Somebody else/);
  await opened.page.reload();
  await opened.shows('Secret access key');
  assert.equal(asked.length, 2);
});

test('[chromium] whoever edits what somebody else deletes is told so, and makes it anew or drops it', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const requests = { Greet: { script: 'return 1;' }, Other: { script: 'return 2;' } };
  await importDocument(server, fileOf(scriptedGame({ requests })));
  const change = (Operation: 'REMOVE' | 'ADD', Value?: object) =>
    rawCall(server, 'PATCH', `/game/${GAME}/configuration`, {
      body: { Modifications: [{ Section: 'GameSparks.Core.RequestHandlers', Operation, Path: '/Greet', Value }] },
    });
  const configured = async () => {
    const { json } = await rawCall(server, 'GET', `/game/${GAME}/configuration`);
    return JSON.stringify(json);
  };
  const opened = await signIn(server.url, ROOT, {
    hash: `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`,
  });
  await write(opened, "return 'mine';");
  assert.equal((await change('REMOVE')).status, 200);
  await opened.press('Save');
  await opened.shows('Somebody else has deleted this since you opened it.');
  await opened.assertSound();
  assert(!(await configured()).includes("return 'mine';"), 'nothing was saved');

  // The draft is there again after a look at another page.
  await opened.press('Logs');
  await opened.shows('No script of this stage');
  await opened.page.goBack();
  await opened.shows('Somebody else has deleted this since you opened it.');
  await opened.press('Make it anew from mine');
  await opened.page.waitForFunction("!document.body.innerText.includes('not saved')");
  await untilScriptIs(opened, "return 'mine';");
  assert.match(
    await configured(),
    /"Greet":\{"Enabled":true,"Code":\{"Script":"return 'mine';","ScriptLanguage":"Javascript_ES5_1"\}\}/,
  );

  await write(opened, "return 'other';");
  await change('REMOVE');
  await opened.press('Save');
  await opened.press('Drop what I have typed');
  await opened.page.waitForFunction("!document.body.innerText.includes('not saved')");
  assert.doesNotMatch(await opened.shows('Other'), /Somebody else/);
  await opened.assertSound();
});

test('[chromium] two developers do not overwrite each other', { skip }, async (t) => {
  const server = await startTestServer(t);
  const requests = { Greet: { script: 'return 1;' }, Other: { script: 'return 2;' } };
  await importDocument(server, fileOf(scriptedGame({ requests })));
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const [first, second] = [
    await signIn(server.url, ROOT, { hash, width: 390, height: 860 }),
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

  // What stands there as saved is no more what the server has, and must not be what seems to be deployed.
  await untilScriptIs(first, "return 'first';");
  await first.press(`Save and deploy to ${STAGE}`);
  await first.shows('Somebody else has changed this since you opened it.');
  const { json } = await rawCall(server, 'GET', `/game/${GAME}/stage/${STAGE}/deployments`);
  assert.deepEqual(json.StageDeployments ?? [], []);
  // On a phone it is in sight, too.
  const place = "document.querySelector('.entry .notice').getBoundingClientRect()";
  await first.page.waitForFunction(`${place}.bottom <= innerHeight`);
  await first.press(`Save mine instead and deploy to ${STAGE}`);
  await first.shows('Deployed: players who come from now on get it.');

  // Another part was never in anybody's way.
  await first.page.evaluate(`location.hash = '${hash.replace('entry=Greet', 'entry=Other')}'`);
  await first.page.waitForFunction("document.querySelector('.entry h2').innerText.startsWith('Other')");
  await write(first, 'return 3;');
  await first.press('Save');
  await first.page.waitForFunction("!document.body.innerText.includes('not saved')");
});

test('[chromium] what has changed since the newest snapshot is shown entry by entry, and line by line', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/changes?${PLACE}` });
  await opened.shows('There is no snapshot yet.');
  await opened.assertSound();
  const before = { Greet: { script: "var word = 'hi';\nreturn word;\n" }, Gone: { script: 'return 1;' }, Same: {} };
  await createSnapshot(server, fileOf(scriptedGame({ requests: before })));
  const hostile = '<img src=x onerror="globalThis.pwned = 1">\u202e\u0007';
  const again = await signIn(server.url, ROOT, { hash: `#/configuration?${PLACE}` });
  await again.press('Changes since the newest snapshot');
  await again.shows('Nothing has changed: the configuration is what the snapshot is.');
  await again.assertSound();

  const after = {
    ...{ Greet: { script: `var word = 'hello';\nreturn word; // ${hostile}\n` }, Same: {} },
    New: { script: 'return 2;' },
  };
  await importDocument(server, fileOf(scriptedGame({ requests: after })));
  for (const { language, theme, words } of [
    { language: 'en', theme: 'light', words: ['1 changed', '+var word = ', '−var word = '] },
    { language: 'de', theme: 'dark', words: ['1 geändert', '+var word = ', '−var word = '] },
  ] as const) {
    const reader = await signIn(server.url, ROOT, { language, theme, hash: `#/changes?${PLACE}` });
    for (const word of words) await reader.shows(word);
    const shown = await reader.shows('‹202E›‹0007›');
    for (const name of ['Greet', 'Gone', 'New']) assert.ok(shown.includes(name), name);
    assert.ok(!shown.includes('Same'), 'what has not changed is not shown');
    assert.equal(await reader.page.evaluate("document.querySelectorAll('main img').length"), 0);
    assert.equal(await reader.page.evaluate('globalThis.pwned'), undefined);
    assert.equal(await reader.page.evaluate('document.documentElement.scrollWidth > innerWidth'), false);
    await reader.assertSound();
  }
  await again.page.evaluate("location.hash = '#/home'");
  await again.page.evaluate(`location.hash = '#/changes?${PLACE}'`);
  await again.shows('1 changed');
  await again.press('Greet');
  await again.page.waitForFunction("document.querySelector('.entry h2')?.innerText.startsWith('Greet')");
});

test('[chromium] the code that is generated for a snapshot is downloaded, and one with faults says which', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const sound = await createSnapshot(
    server,
    fileOf(scriptedGame({ requests: { Greet: { response: { Text: 'String' } } } })),
  );
  const opened = await signIn(server.url, ROOT, { hash: `#/deployments?${PLACE}` });
  await opened.press(`Code… ${sound}`);
  await opened.choose('For', 'Web');
  await opened.assertSound();
  await opened.press('Generate');
  await opened.shows('Download the code');
  await opened.assertSound();
  const url = String(await opened.page.evaluate("document.querySelector('dialog a').href"));
  const file = await fetch(url);
  assert.deepEqual([file.status, file.headers.get('content-type')], [200, 'application/zip']);
  assert.equal(
    Buffer.from(await file.arrayBuffer())
      .subarray(0, 2)
      .toString(),
    'PK',
  );
  await opened.press('Close');

  const broken = await createSnapshot(
    server,
    fileOf(scriptedGame({ shapes: { Box: { Structure: { Fields: { A: { Shape: 'Nowhere' } } } } } })),
  );
  await opened.page.evaluate("location.hash = '#/home'");
  await opened.page.evaluate(`location.hash = '#/deployments?${PLACE}'`);
  await opened.press(`Code… ${broken}`);
  await opened.press('Generate');
  await opened.shows(/No code: .*lacks "Cardinality"/);
  await opened.assertSound();
});

test('[chromium] a message of a name that somebody else has just taken keeps what they have made', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/configuration?${PLACE}` });
  await opened.shows('The game has no messages yet.');
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: "return 'theirs';" } } })));
  await opened.press('Make a message…');
  await opened.fill('Name', 'Greet');
  await opened.press('Make a message');
  await opened.page.waitForFunction("document.querySelector('.entry h2')?.innerText.startsWith('Greet')");
  const { json } = await rawCall(server, 'GET', `/game/${GAME}/configuration`);
  assert.match(JSON.stringify(json), /return 'theirs';/);
});

test('[chromium] a message of a name that could never be deployed is not made, and the browser says what a name is', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/configuration?${PLACE}` });
  await opened.press('Make a message…');
  for (const name of ['Say hello', 'Custom.Game.Greet', '2Fast', 'Grüße']) {
    await opened.fill('Name', name);
    await opened.press('Make a message');
    const said = await opened.page.$eval('dialog input', ({ validity, title }) => [validity.patternMismatch, title]);
    assert.deepEqual(said, [
      true,
      'At most 52 letters, digits and underscores, and no digit first; players know it as Custom.Game.NAME.',
    ]);
  }
  await opened.assertSound();
  const { json } = await rawCall(server, 'GET', `/game/${GAME}/configuration`);
  assert.doesNotMatch(JSON.stringify(json), /Greet|hello|Fast|Grüße/);
  await opened.fill('Name', ' Greet_2 ');
  await opened.press('Make a message');
  await opened.page.waitForFunction("document.querySelector('.entry h2')?.innerText.startsWith('Greet_2')");
});
