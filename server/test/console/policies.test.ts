import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { administer } from '../support/administration.ts';
import { chromium, signIn } from '../support/console-page.ts';
import { GAME, STAGE, startTestServer, type TestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

async function keyOf(server: TestServer, role: Parameters<typeof policyOfRole>[0], limits = {}) {
  const policy = JSON.stringify(policyOfRole(role, limits));
  return await administer(server, (access) => access.createKey({ policy, description: role }));
}

/** What everybody sees who sees everything but what staff have written. */
const SEEN = [
  ...['Overview', 'Players', 'Maintenance', 'Jobs', 'Webhooks', 'Configuration', 'Deployments', 'Test harness', 'Logs'],
];

/** The pages in the navigation. */
const pagesOf = (page: { evaluate(text: string): Promise<unknown> }) =>
  page.evaluate("[...document.querySelectorAll('nav a')].map((link) => link.textContent)");

test('[chromium] each role sees the pages that its policy allows', { skip }, async (t) => {
  const server = await startTestServer(t);
  const expected = {
    viewer: SEEN,
    moderator: ['Overview', 'Players', 'Blocks', 'Maintenance', 'Jobs'],
    operator: [
      ...[
        'Overview',
        'Players',
        'Blocks',
        'Notifications',
        'Maintenance',
        'Jobs',
        'Webhooks',
        'Configuration',
        'Deployments',
        'Test harness',
        'Logs',
        'Audit',
      ],
    ],
    developer: SEEN,
  } as const;
  for (const [role, pages] of Object.entries(expected)) {
    const key = await keyOf(server, role as keyof typeof expected);
    const opened = await signIn(server.url, key, { hash: `#/home?${PLACE}` });
    await opened.page.waitForFunction(`document.querySelectorAll('nav a').length === ${pages.length}`);
    assert.deepEqual(await pagesOf(opened.page), pages, role);
    await opened.assertSound();
  }
});

test('[chromium] a moderator of one stage is there at once, kicks and blocks there, and is told why nothing else is possible', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const key = await keyOf(server, 'moderator', { game: GAME, stage: STAGE });
  const opened = await signIn(server.url, key);
  // Neither games nor stages may be listed with this key, but its policy names one of each.
  await opened.shows(`${GAME} · ${STAGE}`);
  await opened.assertSound();
  await opened.press('Players');
  await opened.shows('1 player online');
  await opened.press(player.playerId);
  await opened.shows('Connections (1)');

  await opened.press('Block…');
  await opened.choose('For how long', '3600');
  await opened.fill('Reason', 'ABUSE');
  await opened.shows('1 connection ends.');
  await opened.press('Block and close 1 connection');
  await opened.shows('in the stage Dev. 1 connection closed.');
  assert.equal((await player.closed).code, 4510);
  await opened.press('Close');
  await opened.press(`Unblock… in the stage ${STAGE}`);
  await opened.press('Unblock');
  await opened.page.waitForFunction("!document.body.innerText.includes('ABUSE')");

  await opened.press('Maintenance');
  await opened.shows('Players are let in.');
  const [title, isOff] = (await opened.page.evaluate(`(() => {
    const button = [...document.querySelectorAll('main button')].find((each) => each.textContent === 'Close the stage…');
    button.click();
    return [button.title, button.ariaDisabled];
  })()`)) as [string, string];
  assert.match(title, /No policy of this key allows respark:CloseStageToPlayers/);
  assert.equal(isOff, 'true');
  assert.equal(await opened.page.evaluate("document.querySelector('dialog') === null"), true, 'nothing opens');
  await opened.assertSound();
});

test('[chromium] a key whose policy names several games may choose, and one that names none is told what to do', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const game = await keyOf(server, 'viewer', { game: GAME });
  const ofGame = await signIn(server.url, game);
  await ofGame.shows(`${GAME} · ${STAGE}`);

  const keyWith = async (Resource: string[]) => {
    const Statement = [
      { Effect: 'Allow', Action: 'respark:ListPermissions', Resource: '*' },
      { Effect: 'Allow', Action: 'respark:CountConnections', Resource },
    ];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    return await administer(server, (access) => access.createKey({ policy, description: '' }));
  };
  const arn = (path: string) => `arn:aws:gamesparks:*:*:game/${path}`;
  const several = await keyWith([arn(`${GAME}/stage/${STAGE}`), arn('Other/stage/Live'), arn('Third/*')]);
  const chooser = await signIn(server.url, several);
  await chooser.shows(`${GAME} · ${STAGE}`);
  await chooser.choose('Game', 'Other');
  await chooser.shows('Other · Live');
  assert.deepEqual(
    await chooser.page.evaluate("[...document.querySelector('.place select').options].map(({ value }) => value)"),
    [GAME, 'Other', 'Third'],
  );
  await chooser.assertSound();

  const stranger = await signIn(server.url, await keyWith([arn(`${GAME.slice(0, -1)}?/stage/*`)]));
  await stranger.shows('Your key may not list games: type the name of yours.');
  await stranger.assertSound();
  await stranger.fill('Game', GAME);
  await stranger.fill('Stage', STAGE);
  await stranger.shows('Your key may not list stages: type the name of yours.');
  await stranger.page.keyboard.press('Enter');
  await stranger.shows(`${GAME} · ${STAGE}`);
});
