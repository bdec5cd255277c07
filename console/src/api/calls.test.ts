import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCaller } from './calls.ts';

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

test('a name that is a step in a path, or none, leads to no other call', async (t) => {
  const asked: string[] = [];
  t.mock.method(globalThis, 'fetch', async (url: URL) => {
    asked.push(url.pathname);
    return Response.json({});
  });
  const { call } = createCaller({ key: KEY, base: new URL('https://respark.example/') });
  const place = { GameName: 'Demo', StageName: 'Dev' };
  for (const name of ['..', '.', '']) {
    const error = { name: 'CallError', code: 'ValidationException', status: 400 };
    // It would go to everybody in the stage.
    await assert.rejects(
      call('SendNotificationToPlayer', { ...place, PlayerId: name, Type: 'Custom.Game.News' }),
      error,
    );
    // It would be for all stages of the game.
    await assert.rejects(call('BlockPlayer', { GameName: 'Demo', StageName: name, PlayerId: 'ada' }), error);
  }
  assert.deepEqual(asked, []);
  await call('BlockPlayer', { ...place, PlayerId: '...' });
  assert.deepEqual(asked, ['/respark/game/Demo/stage/Dev/player/.../block']);
});
