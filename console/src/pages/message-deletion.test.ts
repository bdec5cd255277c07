import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deletionOf, isOfMessage, removalOf, stateOf } from './message-deletion.ts';

const structure = (fields: Readonly<Record<string, string>>) => ({
  Structure: {
    Fields: Object.fromEntries(
      Object.entries(fields).map(([name, Shape]) => [name, { Shape, Cardinality: 'Required' }]),
    ),
  },
});
const handler = (Script: string) => ({ Enabled: true, Code: { Script, ScriptLanguage: 'Javascript_ES5_1' } });

const SECTIONS = {
  'GameSparks.Core.Requests': {
    Attributes: {
      Greet: { AllowedSources: ['Player'], RequestShape: 'GreetRequest', ResponseShape: 'GreetResponse' },
      Ask: { AllowedSources: ['Player'], RequestShape: 'AskRequest', ResponseShape: 'Shared' },
    },
  },
  'GameSparks.Core.RequestHandlers': {
    Attributes: { Greet: handler('return 1;'), Ask: handler("SendNotification('Greet', {})") },
  },
  'GameSparks.Core.Notifications': { Attributes: { Greet: { NotificationShape: 'Shared' } } },
  'GameSparks.Core.Model': {
    Attributes: {
      GreetRequest: structure({ Name: 'String', Mood: 'Mood', Shape: 'Ring' }),
      GreetResponse: structure({ Words: 'Words' }),
      Mood: { Enum: { Values: ['Good'] } },
      Ring: structure({ Self: 'Ring' }),
      Words: { List: { Shape: 'Shared' } },
      Shared: structure({ Inner: 'Inner' }),
      Inner: structure({}),
      AskRequest: structure({}),
      // Nothing uses it, and it would lack what it is made of.
      Idle: { Map: { Shape: 'Mood' } },
    },
  },
  'Other.Section': { Attributes: { Report: { Columns: [{ ColumnShape: 'Words' }] } } },
};

const names = (entries: readonly { readonly name: string }[]) => entries.map(({ name }) => name);

test('a message goes with its handler and with the shapes that nothing else uses, by whichever part it is named', () => {
  for (const section of ['GameSparks.Core.Requests', 'GameSparks.Core.RequestHandlers']) {
    const { message, shapes, sharedShapes, mentions } = deletionOf(SECTIONS, { section, name: 'Greet' });
    assert.deepEqual(
      message.map((entry) => entry.section),
      ['GameSparks.Core.RequestHandlers', 'GameSparks.Core.Requests'],
    );
    assert.deepEqual(names(shapes).sort(), ['GreetRequest', 'GreetResponse', 'Ring']);
    assert.deepEqual([...sharedShapes].sort(), ['Inner', 'Mood', 'Shared', 'Words']);
    assert.deepEqual(names(mentions), ['Ask']);
  }
});

test('a notification of the same name is another message, and what is no message has none', () => {
  const { message, shapes, sharedShapes } = deletionOf(SECTIONS, {
    section: 'GameSparks.Core.Notifications',
    name: 'Greet',
  });
  assert.deepEqual([message.length, shapes, [...sharedShapes].sort()], [1, [], ['Inner', 'Shared']]);
  assert.equal(isOfMessage({ section: 'GameSparks.Core.Model' }), false);
  assert.deepEqual(deletionOf(SECTIONS, { section: 'GameSparks.Core.Model', name: 'Mood' }).message, []);
  assert.deepEqual(deletionOf(undefined, { section: 'GameSparks.Core.Requests', name: 'Greet' }).message, []);
});

test('what somebody else changes of it makes another state, and what they change elsewhere does not', () => {
  const of = { section: 'GameSparks.Core.Requests', name: 'Greet' };
  const before = stateOf(deletionOf(SECTIONS, of));
  const changed = (section: keyof typeof SECTIONS, name: string, value: object) => {
    const Attributes = { ...SECTIONS[section].Attributes, [name]: value };
    return stateOf(deletionOf({ ...SECTIONS, [section]: { Attributes } }, of));
  };
  assert.equal(changed('GameSparks.Core.RequestHandlers', 'Ask', handler('return 2;')), before);
  assert.notEqual(changed('GameSparks.Core.RequestHandlers', 'Greet', handler('return 2;')), before);
  assert.notEqual(changed('GameSparks.Core.Model', 'Ring', structure({})), before);
  // A shape that has come to use another keeps it from being deleted.
  assert.notEqual(changed('GameSparks.Core.Model', 'Inner', structure({ A: 'GreetResponse' })), before);
});

test('names of parts are escaped in the paths by which they are removed', () => {
  const [entry] = deletionOf(
    { 'GameSparks.Core.Events': { Attributes: { 'a/b~c': { EventShape: 'None' } } } },
    { section: 'GameSparks.Core.Events', name: 'a/b~c' },
  ).message;
  assert.ok(entry);
  assert.deepEqual(removalOf(entry), {
    ...{ Section: 'GameSparks.Core.Events', Operation: 'REMOVE', Path: '/a~1b~0c' },
  });
});
