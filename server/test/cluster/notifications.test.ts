import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startCluster, until, whyNoCluster } from '../support/cluster.ts';
import { fileOf } from '../support/game-document.ts';
import { usePostgres } from '../support/postgres.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';

const postgres = usePostgres();

const STARTS = { Type: 'Custom.Game.Starts', Payload: { Minutes: 10 } };
const STAGE_PATH = '/respark/game/Demo/stage/Dev';

interface NodeOutcome {
  readonly Node: string;
  readonly Outcome: string;
  readonly Connections?: number;
}

describe('three servers that share a Redis', { skip: whyNoCluster }, () => {
  test('everybody hears a notification wherever they are, and a node that does not answer is told as unknown', async (t) => {
    const cluster = await startCluster(t, postgres, 3);
    await cluster.untilReady();
    const [one, two, three] = cluster.nodes;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const game = scriptedGame({ notifications: { Starts: { Minutes: 'Integer' } } });
    await deploy(one, await createSnapshot(one, fileOf(game)));
    const send = async (path: string) => {
      const { credentials } = two;
      const { status, json } = await rawCall(two, 'POST', `${STAGE_PATH}${path}`, { body: STARTS, credentials });
      assert.equal(status, 200, JSON.stringify(json));
      return { connections: json.Connections, nodes: json.Nodes as NodeOutcome[] };
    };

    const anna = await one.connect();
    const token = await anna.token();
    const annas = [anna, await two.connect({ token }), await three.connect({ token })];
    const ben = await three.connect();
    const hear = (player: typeof anna) => player.next(({ kind }) => kind === 'notification');

    const toAnna = Promise.all(annas.map(hear));
    const player = await send(`/player/${anna.playerId}/notification`);
    assert.deepEqual([player.connections, player.nodes.map(({ Connections: count }) => count)], [3, [1, 1, 1]]);
    await toAnna;

    const toAll = Promise.all([...annas, ben].map(hear));
    const stage = await send('/notification');
    const counts = stage.nodes.map(({ Connections: count }) => count).sort();
    assert.deepEqual([stage.connections, counts], [4, [1, 1, 2]]);
    await toAll;
    assert.equal(ben.frames.filter(({ kind }) => kind === 'notification').length, 1);

    // The lease of a node that stands still goes on for a while, so others must still count with its players.
    const ids = (await cluster.list(two)).map(({ Id }) => Id);
    three.child.kill('SIGSTOP');
    t.after(() => three.child.kill('SIGCONT'));
    const held = await send(`/player/${anna.playerId}/notification`);
    assert.deepEqual(held.nodes.map(({ Outcome }) => Outcome).sort(), ['REACHED', 'REACHED', 'UNKNOWN']);
    assert.equal(held.connections, 2);
    assert.ok(held.nodes.every(({ Node }) => ids.includes(Node)));
    three.child.kill('SIGCONT');
    await until(async () => (await cluster.list(two)).every(({ State }) => State === 'SERVING'));
  });
});
