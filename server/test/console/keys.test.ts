import assert from 'node:assert/strict';
import { test } from 'node:test';
import { administer, createKey, readAudit } from '../support/administration.ts';
import { type ConsolePage, chromium, signIn, write } from '../support/console-page.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const documentOf = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });

/** The id and the secret that the dialog shows. */
async function pairOn({ page }: ConsolePage) {
  const [accessKeyId = '', secretAccessKey = ''] = (await page.evaluate(
    "[...document.querySelectorAll('dialog .copied code')].map((each) => each.textContent)",
  )) as string[];
  return { accessKeyId, secretAccessKey };
}

/** What a button of the page says of itself, and whether it does anything. */
const buttonOf = ({ page }: ConsolePage, text: string, row = 'main') =>
  page.evaluate(`(() => {
    const root = [...document.querySelectorAll('main tr')].find((each) => each.innerText.includes('${row}')) ?? document;
    const button = [...root.querySelectorAll('button')].find((each) => each.textContent === '${text}');
    button.click();
    return [button.title, button.ariaDisabled, document.querySelector('dialog') === null];
  })()`) as Promise<[string, string, boolean]>;

test('[chromium] an administrator makes a key, hands its secret on, sees what it may do and revokes it', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/keys?${PLACE}` });
  await opened.shows('There is no key but the root key of the settings.');
  await opened.press('Create a key…');
  await opened.choose('What it may do', 'moderator');
  await opened.choose('Limited to', 'stage');
  await opened.fill('Description', 'Ada, night shift');
  await opened.assertSound();
  await opened.page.keyboard.press('Enter');
  await opened.shows('The secret is shown this once.');
  await opened.assertSound();
  const pair = await pairOn(opened);
  const may = () => rawCall(server, 'GET', `/respark/game/${GAME}/stage/${STAGE}/player`, { credentials: pair });
  assert.equal((await may()).status, 200);
  await opened.press('Close');
  const listed = await opened.shows('Ada, night shift');
  assert.ok(!listed.includes(pair.secretAccessKey));
  const everything = String(await opened.page.evaluate('document.documentElement.outerHTML'));
  assert.ok(!everything.includes(pair.secretAccessKey), 'the page keeps no secret');

  await opened.press(pair.accessKeyId);
  await opened.shows('"moderatorstage"');
  await opened.shows('allowed: gamesparks:DisconnectPlayer is allowed by Statement[2] (moderatorstage).');
  await opened.fill('Action', 'gamesparks:DeleteStage');
  await opened.shows('denied: No statement allows gamesparks:DeleteStage.');
  await opened.shows('is not about the action gamesparks:DeleteStage');
  await opened.fill('Action', 'gamesparks:DisconnectPlayer');
  await opened.fill('Stage', 'Other');
  await opened.shows(/does not cover the resource \S+\/stage\/Other/);
  await opened.assertSound();

  await opened.press(`Revoke… ${pair.accessKeyId}`);
  await opened.shows('It cannot be undone.');
  await opened.assertSound();
  await opened.press('Revoke the key');
  await opened.shows('revoked');
  assert.equal((await may()).status, 403);
  const [record] = await readAudit(server, { operation: 'RevokeAccessKey' });
  assert.equal(record?.actor, ROOT.accessKeyId);
  await opened.assertSound();
});

test('[chromium] a policy is written with its faults at their place, asked what it comes to, and given to a key', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/policy?${PLACE}` });
  await opened.shows('The server can honour this policy.');
  await opened.shows('gamesparks:DisconnectPlayer is allowed by Statement[0] (Support).');
  await opened.assertSound();
  const cursorLine = () =>
    opened.page.evaluate(`(() => {
      const root = document.querySelector('.code-editor').shadowRoot;
      const [active] = root.querySelectorAll('.cm-activeLine');
      return active.textContent.trim();
    })()`);

  await write(
    opened,
    '{\n"Version": "2012-10-17",\n"Statement": [\n{ "Effect": "Allow",\n"Action": "gamesparks:Kick", "Resource": "*" }]}',
  );
  await opened.shows('Statement[0].Action: "gamesparks:Kick" matches no action');
  await opened.press('Go to line 5');
  assert.match(String(await cursorLine()), /gamesparks:Kick/);
  await opened.assertSound();
  await write(opened, '{\n"Version": ');
  await opened.shows('is not JSON');
  await opened.shows('Go to line 2');

  const own = documentOf(
    { Effect: 'Allow', Action: ['gamesparks:Get*', 'logs:*'], Resource: '*' },
    { Sid: 'Secret', Effect: 'Deny', Action: 'gamesparks:GetGame', Resource: `arn:aws:gamesparks:*:*:game/${GAME}` },
  );
  await write(opened, own);
  await opened.shows('names actions of other services');
  await opened.fill('Action', 'gamesparks:GetGame');
  await opened.shows('denied: gamesparks:GetGame is denied by Statement[1] (Secret).');
  await opened.fill('Game', 'Another');
  await opened.shows('allowed: gamesparks:GetGame is allowed by Statement[0].');
  await opened.press('Statement[1]');
  await opened.assertSound();

  await opened.press('Create a key with it…');
  await opened.fill('Description', 'reads');
  await opened.press('Create a key');
  await opened.shows('The secret is shown this once.');
  const pair = await pairOn(opened);
  assert.equal((await rawCall(server, 'GET', `/game/${GAME}`, { credentials: pair })).status, 403);
  assert.equal((await rawCall(server, 'GET', `/game/${GAME}/stage/${STAGE}`, { credentials: pair })).status, 200);
  await opened.assertSound();
});

test('[chromium] the answer to one question about a policy is not shown as that to the next', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/policy?${PLACE}` });
  const policy = documentOf({ Effect: 'Allow', Action: 'gamesparks:GetGame', Resource: '*' });
  await write(opened, policy);
  await opened.fill('Action', 'gamesparks:GetGame');
  await opened.shows('allowed: gamesparks:GetGame is allowed by Statement[0].');
  await opened.shows('The server can honour this policy.');
  // What stands there in the picture after the key was pressed, long before anybody is asked.
  const after = async (press: () => Promise<unknown>) => {
    await press();
    return await opened.page.evaluate(
      "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(document.querySelector('main').innerText))))",
    );
  };
  await opened.page.focus('input[list]');
  await opened.page.keyboard.press('End');
  assert.doesNotMatch(String(await after(() => opened.page.keyboard.press('s'))), /is allowed by/);
  await opened.shows('gamesparks:GetGames');
  await opened.fill('Action', 'gamesparks:GetGame');
  await opened.shows('allowed: gamesparks:GetGame is allowed by Statement[0].');
  const typed = String(await after(() => write(opened, policy.replace('Allow', 'Deny'))));
  assert.doesNotMatch(typed, /is allowed by|can honour/);
  await opened.shows('denied: gamesparks:GetGame is denied by Statement[0].');
  await opened.assertSound();
});

test('[chromium] what a key may not do to keys says why, and so does what nobody may', { skip }, async (t) => {
  const server = await startTestServer(t);
  const looks = await createKey(server, [
    {
      Effect: 'Allow',
      Action: ['respark:ListAccessKeys', 'respark:GetAccessKey', 'respark:ListPermissions'],
      Resource: '*',
    },
  ]);
  const other = await administer(server, (access) =>
    access.createKey({
      policy: documentOf({ Effect: 'Allow', Action: 'respark:*', Resource: '*' }),
      description: 'other',
    }),
  );
  const opened = await signIn(server.url, looks, { hash: `#/keys?${PLACE}` });
  await opened.shows('your own');
  assert.deepEqual(await buttonOf(opened, 'Create a key…'), [
    'No policy of this key allows respark:CreateAccessKey.',
    'true',
    true,
  ]);
  assert.match((await buttonOf(opened, 'Revoke…', other.accessKeyId))[0], /No policy .* respark:RevokeAccessKey/);
  assert.ok(!(await opened.shows('your own')).includes('Write a policy'));
  await opened.assertSound();

  // It may make keys, and gives nothing away that it has not.
  const german = await signIn(server.url, other, { language: 'de', theme: 'dark', hash: `#/keys?${PLACE}` });
  await german.shows('Ihr eigener');
  assert.match((await buttonOf(german, 'Widerrufen …', other.accessKeyId))[0], /^Sie sind damit angemeldet/);
  await german.press('Key anlegen …');
  await german.choose('Was er darf', 'admin');
  await german.press('Key anlegen');
  await german.shows(/is not authorized to grant: gamesparks:CreateGame/);
  await german.assertSound();
});

test('[chromium] hostile descriptions and policies of keys are shown, and do nothing', { skip }, async (t) => {
  const server = await startTestServer(t);
  const hostile = '<img src=x onerror="globalThis.pwned = 1">\u202eevil\u0007';
  const policy = documentOf({
    ...{ Effect: 'Allow', Action: '*', Resource: '*' },
    Condition: { StringEquals: { [`aws:ResourceTag/${hostile}`]: hostile } },
  });
  const { accessKeyId } = await administer(server, (access) => access.createKey({ policy, description: hostile }));
  const opened = await signIn(server.url, ROOT, { hash: `#/keys?${PLACE}` });
  const images = () => opened.page.evaluate("document.querySelectorAll('main img').length");
  await opened.shows('<img src=x');
  await opened.shows('‹202E›evil‹0007›');
  assert.equal(await images(), 0);
  await opened.press(accessKeyId);
  await opened.shows('Would it be allowed?');
  await opened.shows('which is not met');
  assert.equal(await images(), 0);
  assert.equal(await opened.page.evaluate('globalThis.pwned'), undefined);
  assert.equal(
    await opened.page.evaluate('document.documentElement.scrollWidth > innerWidth'),
    false,
    'the page is wider than the screen',
  );
  await opened.assertSound();
});
