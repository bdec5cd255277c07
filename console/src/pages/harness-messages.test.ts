import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeShape, examplePayload, messagesOf, notificationsOf } from './harness-messages.ts';

const NOW = new Date('2026-03-04T05:06:07.890Z');

const field = (Shape: string, Cardinality = 'Required', Description = '') => ({ Shape, Cardinality, Description });
const structure = (Fields: object) => ({ Structure: { Fields } });

function sectionsOf(model: object, { requests = {}, events = {} } = {}) {
  return {
    'GameSparks.Core.Model': { Attributes: model },
    'GameSparks.Core.Requests': { Attributes: requests },
    'GameSparks.Core.Events': { Attributes: events },
  };
}

const example = (model: object, shape: string, hasOptional = true) =>
  examplePayload(sectionsOf(model), shape, { hasOptional, now: NOW });

test('messages are those that players may send, by their types on the wire', () => {
  const sections = sectionsOf(
    {},
    {
      requests: {
        Fish: { AllowedSources: ['Player'], RequestShape: 'FishRequest', Description: 'Cast a line.' },
        Restock: { AllowedSources: [], RequestShape: 'Nothing' },
      },
      events: { Throw: { AllowedSources: ['Player'], EventShape: 'Ripple' } },
    },
  );
  assert.deepEqual(messagesOf(sections), [
    { kind: 'request', type: 'Custom.Game.Fish', description: 'Cast a line.', shape: 'FishRequest' },
    { kind: 'event', type: 'Custom.Game.Throw', description: '', shape: 'Ripple' },
  ]);
  assert.deepEqual(messagesOf(undefined), []);
});

test('notifications are those that the game has, by their types on the wire', () => {
  const Attributes = { News: { NotificationShape: 'Article', Description: 'What is new.' }, Odd: 1 };
  assert.deepEqual(notificationsOf({ 'GameSparks.Core.Notifications': { Attributes } }), [
    { type: 'Custom.Game.News', description: 'What is new.', shape: 'Article' },
  ]);
  assert.deepEqual(notificationsOf(undefined), []);
});

test('an example has a value of each kind, and optional fields only when they are wanted', () => {
  const model = {
    All: structure({
      ...{ A: field('String'), B: field('Integer'), C: field('Long'), D: field('Decimal'), E: field('Boolean') },
      ...{
        F: field('Timestamp'),
        G: field('Document'),
        H: field('Rod', 'Optional'),
        I: field('Rods'),
        J: field('Weights'),
      },
    }),
    Rod: { Enum: { Values: ['HANDS', 'STICK'] } },
    Rods: { List: { Shape: 'Rod' } },
    Weights: { Map: { Shape: 'Decimal' } },
  };
  const required = {
    ...{ A: 'text', B: 1, C: 1, D: 1.5, E: true, F: '2026-03-04T05:06:07.890Z', G: {} },
    ...{ I: ['HANDS'], J: { key: 1.5 } },
  };
  assert.deepEqual(example(model, 'All', false), required);
  assert.deepEqual(example(model, 'All'), { ...required, H: 'HANDS' });
});

test('shapes that contain themselves end, and many that refer to each other stay few values', () => {
  const recursive = {
    Trout: structure({
      Species: field('String'),
      Swallowed: field('Trouts', 'Optional'),
      Mate: field('Trout', 'Optional'),
    }),
    Trouts: { List: { Shape: 'Trout' } },
    Endless: structure({ Next: field('Endless') }),
    ByName: { Map: { Shape: 'ByName' } },
  };
  assert.deepEqual(example(recursive, 'Trout'), { Species: 'text', Swallowed: [] });
  assert.deepEqual(example(recursive, 'ByName'), {});
  assert(JSON.stringify(example(recursive, 'Endless')).length < 1_000);

  const names = Array.from({ length: 12 }, (_, n) => `S${n}`);
  const wide = Object.fromEntries(
    names.map((name, n) => [
      name,
      structure(Object.fromEntries(names.map((each, m) => [each, field(m > n ? each : 'String', 'Optional')]))),
    ]),
  );
  assert(JSON.stringify(example(wide, 'S0')).length < 20_000);
  const required = Object.fromEntries(
    names.map((name, n) => [
      name,
      structure(Object.fromEntries(names.map((each) => [each, field(names[n + 1] ?? 'String', 'Required')]))),
    ]),
  );
  assert(JSON.stringify(example(required, 'S0')).length < 20_000);
});

test('names that every object has are names like any other', () => {
  const model = JSON.parse(`{
    "__proto__": { "Structure": { "Fields": { "constructor": { "Shape": "String", "Cardinality": "Required" } } } },
    "M": { "Structure": { "Fields": { "__proto__": { "Shape": "__proto__", "Cardinality": "Required" } } } }
  }`);
  assert.equal(JSON.stringify(example(model, 'M')), '{"__proto__":{"constructor":"text"}}');
  assert.equal(example({}, 'toString'), null);
});

test('a shape is described with those that it refers to', () => {
  const model = {
    FishRequest: structure({ Rod: field('Rod', 'Optional', 'Bare hands without one.'), Bait: field('Baits') }),
    Rod: { Enum: { Values: ['HANDS', 'STICK'] } },
    Baits: { List: { Shape: 'Weights' } },
    Weights: { Map: { Shape: 'Decimal' } },
    Nothing: structure({}),
  };
  assert.equal(
    describeShape(sectionsOf(model), 'FishRequest'),
    `FishRequest {
  Rod?: Rod  // Bare hands without one.
  Bait: Baits
}
Rod = HANDS | STICK
Baits = Weights[]
Weights = { key: Decimal }`,
  );
  assert.equal(describeShape(sectionsOf(model), 'Nothing'), 'Nothing { }');
});
