import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCluster, whyNoCluster } from '../support/cluster.ts';
import { chromium, signIn } from '../support/console-page.ts';
import { usePostgres } from '../support/postgres.ts';
import type { RunningServer } from '../support/process.ts';

const postgres = usePostgres();
const skip = whyNoCluster || (chromium === undefined ? 'there is no Chromium here' : false);

describe('the console of servers that share a Redis', { skip }, () => {
  test('[chromium] any node shows them all, and sends a player away who is on the others', async (t) => {
    const cluster = await startCluster(t, postgres, 3, {});
    const [one, other, third] = cluster.nodes as [RunningServer, RunningServer, RunningServer];
    await cluster.untilReady();
    const player = await other.connect();
    const again = await third.connect({ token: await player.token() });
    const opened = await signIn(one.url, one.credentials, { hash: '#/home?game=Demo&stage=Dev' });
    await opened.shows('Nodes (3)');
    const { length } = (await opened.shows('serving')).match(/serving/g) ?? [];
    assert.equal(length, 3);
    await opened.assertSound();
    await opened.press('Players');
    await opened.shows('1 player online');
    await opened.press(player.playerId);
    await opened.shows('Connections (2)');
    await opened.press('Disconnect…');
    await opened.press('Show what it will do');
    await opened.press('Disconnect 2 connections');
    const outcome = await opened.shows('2 connections closed.');
    assert.equal(outcome.match(/close frame left the process/g)?.length, 2);
    assert.deepEqual([(await player.closed).code, (await again.closed).code], [4500, 4500]);
    await opened.press('Close');
    await opened.shows('The player is not online.');
    await opened.assertSound();
  });

  test('[chromium] a node that is drained goes from the picture', async (t) => {
    const cluster = await startCluster(t, postgres, 2, {});
    const [one] = cluster.nodes as [RunningServer];
    await cluster.untilReady();
    const opened = await signIn(one.url, one.credentials, { hash: '#/home?game=Demo&stage=Dev' });
    await opened.shows('Nodes (2)');
    // The node that serves the page has a player, and the other has none.
    await one.connect();
    const idle = "[...document.querySelectorAll('tbody tr')].find((row) => row.cells[2].textContent === '0')";
    const busy = "[...document.querySelectorAll('tbody tr')].some((row) => row.cells[2].textContent === '1')";
    await opened.page.waitForFunction(`${busy} && ${idle} !== undefined`);
    await opened.press(String(await opened.page.evaluate(`${idle}.querySelector('button').ariaLabel`)));
    await opened.shows('0 connections end.');
    await opened.press('Drain the node');
    await opened.shows('Nodes (1)');
    await opened.assertSound();
  });
});
