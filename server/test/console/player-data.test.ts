import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { createKey, readAudit } from '../support/administration.ts';
import { chromium, signIn } from '../support/console-page.ts';
import { deployKeeping, play } from '../support/kept-data.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;

test('[chromium] what scripts keep about a player is shown as what it is, and deleted when a person says so', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await deployKeeping(server);
  const player = await server.connect();
  await play(player, 'Keep');
  await play(player, 'Hostile');
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=${player.playerId}` });
  const shown = await opened.shows('Player data (4)');
  assert.match(shown, /name\s+"Zoë"/);
  assert.match(shown, /a "key"\s+\{"list":\[1\.5,null,true\]\}/);
  assert.match(shown, /‹202E›<b>\s+"<img src=x onerror=alert\(1\)>"/);
  await opened.assertSound();
  await play(player, 'Count');
  await opened.press('Refresh');
  await opened.shows('Player data (5)');
  await opened.press('Delete the data…');
  const asked = await opened.shows('It cannot be undone.');
  assert.match(asked, new RegExp(`keep about the player in the stage ${STAGE} is deleted`));
  assert.match(asked, /block or disconnect the player first/);
  await opened.assertSound();
  assert.deepEqual(await readAudit(server, { operation: 'DeletePlayerData' }), []);
  await opened.press('Delete the player data');
  const after = await opened.shows(`5 keys of ${player.playerId} deleted.`);
  assert.match(after, /Scripts keep nothing about this player\./);
  assert.match(await opened.shows('5 keys deleted.'), /DeletePlayerData\s+done\s+5 keys deleted\./);
  await opened.assertSound();
  const [record] = await readAudit(server, { operation: 'DeletePlayerData' });
  assert.equal(record?.outcome?.counts?.keys, 5);
});

test('[chromium] more than a page of data is shown when a person asks for it', { skip }, async (t) => {
  const server = await startTestServer(t);
  await deployKeeping(server);
  const player = await server.connect();
  await play(player, 'Fill');
  const opened = await signIn(server.url, ROOT, { hash: `#/player?${PLACE}&player=${player.playerId}` });
  assert.match(await opened.shows('Player data (60)'), /What scripts keep about the player: 240,\d\d\d bytes\./);
  const rows = `document.querySelectorAll('section.table[aria-label="Player data"] tbody tr').length`;
  assert.ok(Number(await opened.page.evaluate(rows)) < 30);
  for (let presses = 0; presses < 5; presses += 1) {
    if ((await opened.page.$('.more button')) === null) break;
    await opened.press('Show more');
    await opened.page.waitForNetworkIdle({ idleTime: 300 });
  }
  await opened.page.waitForFunction(`${rows} === 60`);
  await opened.assertSound();
});

test('[chromium] whoever may not read player data sees nothing of it, and a developer cannot delete it', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await deployKeeping(server);
  const player = await server.connect();
  await play(player, 'Keep');
  const hash = `#/player?${PLACE}&player=${player.playerId}` as const;
  const keyOf = async (role: 'moderator' | 'developer') =>
    await createKey(server, (policyOfRole(role, { game: GAME, stage: STAGE }) as { Statement: object[] }).Statement);
  const moderator = await signIn(server.url, await keyOf('moderator'), { hash });
  assert.doesNotMatch(await moderator.shows('Connections (1)'), /Player data|Zoë/);
  await moderator.assertSound();
  const developer = await signIn(server.url, await keyOf('developer'), { hash });
  await developer.shows('Player data (3)');
  const [isOff, why] = (await developer.page.evaluate(`(() => {
    const button = [...document.querySelectorAll('button')].find(({ textContent }) => textContent === 'Delete the data…');
    return [button.ariaDisabled, button.title];
  })()`)) as string[];
  assert.equal(isOff, 'true');
  assert.match(why ?? '', /respark:DeletePlayerData/);
  assert.deepEqual(
    await readAudit(server, { operation: 'GetPlayerData' }),
    [],
    'the page asks for nothing that is denied',
  );
});
