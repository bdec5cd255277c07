import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scriptedGame } from '../../../test/support/scripted-game.ts';
import { readModel } from '../configuration/model.ts';
import { scriptDeclarations } from './script-types.ts';

/** The declarations of a call. */
const membersOf = (text: string, call: string) =>
  text.split('\n').flatMap((line) => (line.trim().startsWith(`${call}(`) ? [line.trim()] : []));

test('calls that name a message are declared for each that the game has, and for no other', () => {
  const text = scriptDeclarations(
    readModel(
      scriptedGame({
        events: { Shout: { event: { Text: 'String' } } },
        notifications: { Heard: { Text: 'String' }, Ticked: { Count: 'Integer?' } },
      }),
    ),
  );
  assert.deepEqual(membersOf(text, 'SendNotification'), [
    'SendNotification(name: "Heard", payload: GameShapes.HeardNotification, playerId?: string): void;',
    'SendNotification(name: "Ticked", payload?: GameShapes.TickedNotification, playerId?: string): void;',
  ]);
  assert.deepEqual(membersOf(text, 'RaiseEvent'), ['RaiseEvent(name: "Shout", payload: GameShapes.ShoutEvent): void;']);
  const none = scriptDeclarations(readModel(scriptedGame({})));
  assert.deepEqual(membersOf(none, 'RaiseEvent'), ['RaiseEvent(name: never): void;']);
});
