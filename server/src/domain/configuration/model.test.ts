import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gameSections } from '../../../test/support/game-document.ts';
import { readModel } from './model.ts';

test('messages have the structures that they name, in the order of the document', () => {
  const { requests, events, notifications, shapes } = readModel(gameSections());
  assert.deepEqual(
    requests.map(({ name, description, isFromPlayers }) => ({ name, description, isFromPlayers })),
    [
      { name: 'Fish', description: 'Cast a line and see what bites.', isFromPlayers: true },
      { name: 'SellCatch', description: '', isFromPlayers: true },
      { name: 'RestockPond', description: 'Only for cloud code.', isFromPlayers: false },
    ],
  );
  assert.equal(requests[0]?.request, shapes.get('FishRequest'));
  assert.equal(requests[0]?.response, shapes.get('FishResponse'));
  assert.deepEqual(events, [
    { name: 'ThrowStone', description: 'Scares the fish.', isFromPlayers: true, event: shapes.get('Ripple') },
  ]);
  assert.deepEqual(notifications, [
    { name: 'LeaderboardChanged', description: '', notification: shapes.get('Leaderboard') },
  ]);
});

test('shapes of every kind are read, fields in their order', () => {
  const { shapes } = readModel(gameSections());
  assert.deepEqual([...shapes.keys()].slice(0, 4), ['Nothing', 'Rod', 'FishRequest', 'Trout']);
  assert.deepEqual(shapes.get('Nothing'), { kind: 'structure', name: 'Nothing', description: '', fields: [] });
  assert.deepEqual(shapes.get('FishRequest'), {
    kind: 'structure',
    name: 'FishRequest',
    description: '',
    fields: [
      { name: 'Rod', type: { kind: 'shape', name: 'Rod' }, isRequired: false, description: 'Bare hands without one.' },
    ],
  });
  assert.deepEqual(shapes.get('Ripple'), {
    kind: 'structure',
    name: 'Ripple',
    description: '',
    fields: [
      { name: 'At', type: { kind: 'builtin', name: 'Timestamp' }, isRequired: true, description: '' },
      { name: 'Note', type: { kind: 'builtin', name: 'Document' }, isRequired: false, description: '' },
    ],
  });
  assert.deepEqual(shapes.get('Rod'), {
    kind: 'enum',
    name: 'Rod',
    description: 'What the line hangs on.',
    values: ['HANDS', 'STICK', 'CARBON'],
  });
  assert.deepEqual(shapes.get('Trouts'), {
    kind: 'list',
    name: 'Trouts',
    description: '',
    item: { kind: 'shape', name: 'Trout' },
  });
  assert.deepEqual(shapes.get('Weights'), {
    kind: 'map',
    name: 'Weights',
    description: 'Kilogrammes by player.',
    value: { kind: 'builtin', name: 'Decimal' },
  });
});

test('handlers are read by the name of their message, including those that are switched off', () => {
  const { requestHandlers, eventHandlers } = readModel(gameSections());
  assert.deepEqual(
    [...requestHandlers].map(([name, { isEnabled }]) => [name, isEnabled]),
    [
      ['Fish', true],
      ['SellCatch', true],
    ],
  );
  assert.match(requestHandlers.get('Fish')?.script ?? '', /^let rod = message\.Rod;$/m);
  assert.deepEqual(
    eventHandlers,
    new Map([['ThrowStone', { isEnabled: false, script: 'GameSparks().Logging().Debug("splash at " + message.At);' }]]),
  );
});

test('a message with the name of a built-in member has its handler, and a built-in member is not a handler', () => {
  const shapes = { Nothing: { Structure: { Fields: {} } } };
  const message = { AllowedSources: [], RequestShape: 'Nothing', ResponseShape: 'Nothing' };
  const handler = { Enabled: true, Code: { Script: 'return 1;', ScriptLanguage: 'Javascript_ES5_1' } };
  const { requestHandlers } = readModel({
    'GameSparks.Core.Model': shapes,
    'GameSparks.Core.Requests': JSON.parse(`{ "__proto__": ${JSON.stringify(message)} }`),
    'GameSparks.Core.RequestHandlers': JSON.parse(`{ "__proto__": ${JSON.stringify(handler)} }`),
  });
  assert.deepEqual([...requestHandlers], [['__proto__', { isEnabled: true, script: 'return 1;' }]]);
  assert.equal(requestHandlers.get('constructor'), undefined);
});

test('a game without sections has an empty model', () => {
  assert.deepEqual(readModel({}), {
    requests: [],
    events: [],
    notifications: [],
    shapes: new Map(),
    requestHandlers: new Map(),
    eventHandlers: new Map(),
  });
});
