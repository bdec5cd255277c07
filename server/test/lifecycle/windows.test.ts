import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { CreateGameCommand, ListGamesCommand } from '@aws-sdk/client-gamesparks';
import { createProcessWorld } from '../../src/cli/process-world.ts';
import { startTestServer, temporaryDirectory, until } from '../support/server.ts';
import { refuseAsOnWindows } from '../support/windows.ts';

describe('where the system refuses what Windows refuses', () => {
  it('a server starts, makes changes, moves their records on, and starts again', async (t) => {
    refuseAsOnWindows(t);
    const dataDir = temporaryDirectory(t);
    const first = await startTestServer(t, { dataDir });
    await first.sdk().send(new CreateGameCommand({ GameName: 'First' }));
    const journal = join(dataDir, 'audit.journal');
    const hasCleared = () => statSync(journal).size === 0;
    await until(hasCleared);
    await first.sdk().send(new CreateGameCommand({ GameName: 'Second' }));
    assert(!hasCleared(), 'records go on into the new journal');
    await until(hasCleared);
    await first.close();

    const second = await startTestServer(t, { dataDir });
    const { Games = [] } = await second.sdk().send(new ListGamesCommand({}));
    assert.deepEqual(Games.map(({ Name }) => Name).sort(), ['Demo', 'First', 'Second']);
    const levels = [...first.logged, ...second.logged].map(({ level }) => Number(level));
    assert(Math.max(...levels) <= 30, 'nothing is to be acted on');
  });

  it('Ctrl-C, Ctrl-Break and the end of the console stop a server, since there is no SIGTERM', () => {
    const streams = { stdout: new EventEmitter(), stderr: new EventEmitter() };
    const program = Object.assign(new EventEmitter(), { ...streams, platform: 'win32' });
    const world = createProcessWorld(program as unknown as NodeJS.Process, '1.2.3');
    const signals: string[] = [];
    const release = world.onSignal((signal) => void signals.push(signal));
    for (const name of ['SIGINT', 'SIGBREAK', 'SIGHUP']) program.emit(name, name);
    assert.deepEqual(signals, ['SIGINT', 'SIGTERM', 'SIGTERM']);
    release();
    assert.deepEqual(program.eventNames(), []);
  });
});
