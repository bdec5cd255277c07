import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import { createWorkplace } from '../support/process.ts';
import { GAME, STAGE } from '../support/server.ts';

describe('"respark audit"', () => {
  it('[aws-sdk] shows a disconnect beside the running server, and after a kill -9 of it', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const { playerId, connectionId } = await server.connect();
    const call = new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: playerId });
    const { $metadata } = await server.sdk().send(call);
    const { accessKeyId } = server.credentials;
    const show = (...flags: string[]) => place.respark(['audit', '--player', playerId, ...flags]);

    const { exitCode, stdout, stderr } = await show();
    assert.deepEqual([exitCode, stderr], [0, '']);
    const [, line = '', ...rest] = stdout.split('\n');
    assert.deepEqual(rest, ['']);
    const [, operation, key, address, resource, requestId, outcome] = line.split(/ {2,}/);
    assert.deepEqual(
      [operation, key, address, resource, requestId],
      [
        'DisconnectPlayer',
        accessKeyId,
        '127.0.0.1',
        `game/${GAME}/stage/${STAGE}/player/${playerId}`,
        $metadata.requestId,
      ],
    );
    assert.match(outcome ?? '', /^done, 1 closed, 0 not proven closed \([\d.]+ ms\)$/);

    const killed = once(server.child, 'exit');
    server.child.kill('SIGKILL');
    await killed;
    const [record, ...others] = JSON.parse((await show('--since', '1h', '--json')).stdout);
    assert.deepEqual([record.requestId, record.outcome.successes, others], [$metadata.requestId, [connectionId], []]);
    assert.equal((await show('--since', '2100-01-01')).stdout, 'no records match\n');
    assert.equal((await show('--operation', 'DeleteGame')).stdout, 'no records match\n');
  });
});
