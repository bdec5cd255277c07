import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { administer, readAudit } from '../support/administration.ts';
import { chromium, openConsole, signIn } from '../support/console-page.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { GAME, ROOT, STAGE, startTestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

test('[chromium] a person signs in with an access key, and is told when the key is wrong', { skip }, async (t) => {
  const server = await startTestServer(t);
  const console = await openConsole(server.url);
  await console.shows('Sign in');
  await console.assertSound();
  await console.fill('Access key id', ROOT.accessKeyId);
  await console.fill('Secret access key', 'not the secret');
  await console.press('Sign in');
  const refused = await console.shows('Request id');
  assert.match(refused, /The secret does not belong to this access key, or the clock of this computer is wrong\./);
  assert.match(refused, /InvalidSignatureException · Request id/);
  assert.doesNotMatch(refused, /failed|signature we calculated/, 'that is for programmers');
  await console.assertSound();
  await console.fill('Secret access key', ROOT.secretAccessKey);
  await console.press('Sign in');
  await console.shows('Respark 0.1.0');
  await console.shows(`${GAME} · ${STAGE}`);
  await console.assertSound();

  // The secret was in memory only, so it is gone with the page.
  await console.page.reload();
  await console.shows('Secret access key');
  assert.equal(await console.page.evaluate('sessionStorage.length + document.cookie.length'), 0);
});

test('[chromium] somebody who comes to a stage without anything on it is shown the first step', { skip }, async (t) => {
  const server = await startTestServer(t);
  const policy = JSON.stringify(policyOfRole('admin', {}));
  const key = await administer(server, (access) => access.createKey({ policy, description: 'admin: Ada' }));
  const console = await signIn(server.url, key);
  await console.shows(`Signed in as admin: Ada ${key.accessKeyId}`);
  await console.shows('Nothing was deployed to this stage yet.');
  await console.assertSound();
  await console.press('Make your first message');
  await console.shows('The game has no messages yet.');

  await deploy(server, await createSnapshot(server));
  await console.press('Overview');
  assert.doesNotMatch(await console.shows('completed'), /Make your first message/);
});

for (const role of ['viewer', 'moderator', 'developer'] as const) {
  for (const [scope, limit] of [
    ['everywhere', {}],
    ['in a game', { game: GAME }],
    ['on a stage', { game: GAME, stage: STAGE }],
  ] as const) {
    test(`[chromium] the first page of a ${role} ${scope} makes no call that the role may not make, which would be on record`, {
      skip,
    }, async (t) => {
      const server = await startTestServer(t);
      const policy = JSON.stringify(policyOfRole(role, limit));
      const key = await administer(server, (access) => access.createKey({ policy, description: role }));
      for (const [hash, text] of [
        ['', `${GAME} · ${STAGE}`],
        [`#/home?${PLACE}`, `${GAME} · ${STAGE}`],
        [`#/player?${PLACE}&player=somebody`, 'The player is not online.'],
        ['#/home?game=Other&stage=Live', 'Other · Live'],
      ] as const) {
        const { page, shows } = await signIn(server.url, key, { hash });
        await shows(text);
        await page.waitForNetworkIdle({ idleTime: 300, concurrency: 3 });
        await page.close();
      }
      const refused = (await readAudit(server)).filter(({ details }) => details?.action !== undefined);
      assert.deepEqual(
        refused.map(({ details }) => details?.action),
        [],
      );
    });
  }
}

test('[chromium] who may see nothing of a stage reads why, and goes on to a stage of theirs', { skip }, async (t) => {
  const server = await startTestServer(t);
  const policy = JSON.stringify(policyOfRole('viewer', { game: GAME, stage: STAGE }));
  const key = await administer(server, (access) => access.createKey({ policy, description: 'viewer' }));
  const opened = await signIn(server.url, key, { hash: '#/home?game=Other&stage=Live' });
  await opened.shows('No policy of this key allows respark:CountConnections.');
  await opened.page.evaluate("location.hash = '#/players?game=Other&stage=Live'");
  await opened.shows('No policy of this key allows respark:ListPlayers.');
  await opened.page.waitForNetworkIdle({ idleTime: 300, concurrency: 3 });
  assert.deepEqual(
    (await readAudit(server)).filter(({ details }) => details?.action !== undefined),
    [],
  );
  await opened.page.evaluate("location.hash = '#/home?game=Other&stage=Live'");
  await opened.choose('Game', GAME);
  await opened.shows(`${GAME} · ${STAGE}`);
  await opened.page.waitForFunction("!document.body.innerText.includes('No policy of this key')");
  await opened.assertSound();
});

test('[chromium] a moderator finds a player, sees what a kick will do, and how each connection ended', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const player = await server.connect();
  const other = await server.connect({ token: await player.token() });
  const console = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  await console.shows('1 player online');
  await console.assertSound();
  await console.press(player.playerId);
  await console.shows('Connections (2)');
  await console.assertSound();

  await console.press('Disconnect…');
  await console.fill('Reason', 'AFK');
  await console.fill('Message to the player', 'See you.');
  await console.assertSound();
  await console.press('Show what it will do');
  await console.shows('2 connections end.');
  assert.equal(server.counts().connections, 2);
  await console.assertSound();
  await console.press('Disconnect 2 connections');
  const outcome = await console.shows('2 connections closed.');
  assert.match(outcome, /close frame left the process/);
  await console.assertSound();
  const { code } = await player.closed;
  assert.equal(code, 4500);
  await other.closed;
  await console.press('Close');
  const history = await console.shows('The player is not online.');
  assert.match(history, /DisconnectPlayer/);
  await until(() => server.counts().sockets === 0);
});
