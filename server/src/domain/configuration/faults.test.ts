import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { gameSections, realGameDocument } from '../../../test/support/game-document.ts';
import { type Json, parseDocument, type Sections } from './document.ts';
import { describeFault } from './fault.ts';
import { findFaults } from './faults.ts';
import { readModel } from './model.ts';
import { applyModifications } from './modifications.ts';
import { pointerOf } from './pointer.ts';

const MODEL = 'GameSparks.Core.Model';
const structure = (fields: Json = {}): Json => ({ Structure: { Fields: fields } });
const field = (shape: Json): Json => ({ Shape: shape, Cardinality: 'Required' });
const handler = (script: Json): Json => ({
  Enabled: true,
  Code: { Script: script, ScriptLanguage: 'Javascript_ES5_1' },
});
const describe = (sections: Sections) => findFaults(sections).map(describeFault);
const many = (count: number, value: (index: number) => Json): Json =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, value(index)]));

/** Every place in the sections: a section and a pointer into it. */
function pointersOf(sections: Sections): (readonly [string, string])[] {
  const keysWithin = (value: Json): string[][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, member]) => [[key], ...keysWithin(member).map((keys) => [key, ...keys])])
      : [];
  return Object.entries(sections).flatMap(([section, attributes]) =>
    keysWithin(attributes).map((keys) => [section, pointerOf(keys)] as const),
  );
}

/** The faults of the game after one change: an ADD, or a REMOVE where there is no value. */
function faultsAfter(section: string, path: string, value: Json | undefined): readonly string[] {
  const operation = value === undefined ? 'REMOVE' : 'ADD';
  return describe(applyModifications(gameSections(), [{ section, operation, path, value }]));
}

test('a game without mistakes has no fault', () => {
  assert.deepEqual(findFaults(gameSections()), []);
  assert.deepEqual(findFaults({}), []);
});

test('an export of the original service has no fault, where one is at hand', (t) => {
  const real = realGameDocument();
  if (real === undefined) return t.skip('there is no reference beside the repository');
  assert.deepEqual(findFaults(parseDocument(real)), []);
});

test('unknown sections are ignored', () => {
  assert.deepEqual(findFaults({ 'GameSparks.Core.Models': { 'a b': 1 }, 'Custom.Game': [], Model: null }), []);
});

test('a fault has its section, its place there, and says how to fix it', () => {
  const sections = applyModifications(gameSections(), [
    { section: MODEL, operation: 'ADD', path: '/FishRequest/Structure/Fields/a~1~0', value: field('Rod') },
  ]);
  const message = '"a/~" is not a name: use at most 64 letters, digits and underscores, and no digit first';
  assert.deepEqual(findFaults(sections), [{ section: MODEL, pointer: '/FishRequest/Structure/Fields/a~1~0', message }]);
});

for (const [what, section, path, value, expected] of [
  [
    'a member is missing',
    MODEL,
    '/FishRequest/Structure/Fields/Rod/Cardinality',
    undefined,
    /Rod" lacks "Cardinality"/,
  ],
  [
    'a member has another type',
    'GameSparks.Core.RequestHandlers',
    '/Fish/Enabled',
    'yes',
    /must be true or false, is "yes"/,
  ],
  ['a section is a list', 'GameSparks.Core.Events', '/ThrowStone', [], /ThrowStone" must be an object, is \[\]/],
  [
    'a word is not one of the known ones',
    MODEL,
    '/Ripple/Structure/Fields/At/Cardinality',
    'Maybe',
    /must be "Required" or "Optional", is "Maybe"/,
  ],
  ['a source is unknown', 'GameSparks.Core.Requests', '/Fish/AllowedSources/-', 'Dog', /must be "Player", is "Dog"/],
  ['a shape has no kind', MODEL, '/X', {}, /must have exactly one of Structure, Enum, List, Map/],
  ['a shape has two kinds', MODEL, '/Rod/List', { Shape: 'String' }, /must have exactly one of/],
  ['a shape has an unknown kind', MODEL, '/X', { Set: {} }, /has "Set": a shape has one of Structure/],
  [
    'a shape has the name of a built-in one',
    MODEL,
    '/Long',
    structure(),
    /at "\/Long" has the name of a built-in shape/,
  ],
  ['a name is not an identifier', MODEL, '/1st', structure(), /"1st" is not a name/],
  ['an enum is empty', MODEL, '/Rod/Enum/Values', [], /is empty: an enum has at least one value/],
  ['an enum repeats a value', MODEL, '/Rod/Enum/Values/-', 'HANDS', /Values\/3" repeats "HANDS"/],
  ['a value is not an identifier', MODEL, '/Rod/Enum/Values/-', 'my hands', /"my hands" is not a name/],
  [
    'a field has an unknown shape',
    MODEL,
    '/X',
    structure({ a: field('Nope') }),
    /there is no shape "Nope": add it to GameSparks.Core.Model, or use "String", .*or "Document"/,
  ],
  ['a list has an unknown shape', MODEL, '/Trouts/List/Shape', 'toString', /there is no shape "toString"/],
  ['a map has an unknown shape', MODEL, '/Weights/Map/Shape', 'string', /there is no shape "string"/],
  [
    'a message has an unknown shape',
    'GameSparks.Core.Events',
    '/ThrowStone/EventShape',
    'Nope',
    /EventShape" there is no shape "Nope"/,
  ],
  [
    'a message has a built-in shape',
    'GameSparks.Core.Requests',
    '/Fish/ResponseShape',
    'String',
    /must be a Structure, and "String" is a built-in shape/,
  ],
  [
    'a message has an enum for a shape',
    'GameSparks.Core.Notifications',
    '/LeaderboardChanged/NotificationShape',
    'Rod',
    /must be a Structure, and "Rod" is an Enum/,
  ],
  [
    'a handler has no message',
    'GameSparks.Core.EventHandlers',
    '/Fish',
    handler(''),
    /at "\/Fish" handles nothing: add "Fish" to GameSparks.Core.Events, or remove/,
  ],
  [
    'a script does not parse',
    'GameSparks.Core.RequestHandlers',
    '/Fish/Code/Script',
    'let a;\nreturn (',
    /Script" does not parse, line 2, column 9: Unexpected token/,
  ],
  [
    'a disabled script does not parse',
    'GameSparks.Core.EventHandlers',
    '/ThrowStone/Code/Script',
    '}); (function(){',
    /line 1, column 1:/,
  ],
  [
    'a script is in another language',
    'GameSparks.Core.RequestHandlers',
    '/Fish/Code/ScriptLanguage',
    'Lua',
    /must be "Javascript_ES5_1", is "Lua"/,
  ],
] as const) {
  test(`it is a fault when ${what}`, () => {
    const faults = faultsAfter(section, path, value);
    assert.equal(faults.length, 1, faults.join('\n'));
    assert.match(faults[0] ?? '', expected);
    assert.ok(faults[0]?.startsWith(`${section} at "/`));
  });
}

test('a message shares its name with no other: both would be one type on the wire', () => {
  const event = { AllowedSources: [], EventShape: 'Nothing' };
  const [fault, ...rest] = faultsAfter('GameSparks.Core.Events', '/Fish', event);
  assert.match(fault ?? '', /^GameSparks.Core.Events at "\/Fish" has the name of the request "Fish": rename one/);
  assert.deepEqual(rest, []);
});

test('a handler may have the type of a request that every stage answers, and no other type', () => {
  const handler = { Enabled: true, Code: { Script: '', ScriptLanguage: 'Javascript_ES5_1' } };
  const faultsOf = (section: string, name: string) => findFaults({ [section]: { [name]: handler } });
  assert.deepEqual(faultsOf('GameSparks.Core.RequestHandlers', 'GameSparks.Identity.GetPlayerToken'), []);
  for (const [section, name] of [
    ['GameSparks.Core.EventHandlers', 'GameSparks.Identity.GetPlayerToken'],
    ['GameSparks.Core.RequestHandlers', 'GameSparks.Identity.Other'],
    ['GameSparks.Core.RequestHandlers', 'Custom.Game.A'],
  ] as const) {
    assert.match(faultsOf(section, name)[0]?.message ?? '', /^handles nothing/);
  }
});

test('names that mean something to JavaScript or to C# are names', () => {
  const text = `{"${MODEL}":{"__proto__":{"Structure":{"Fields":{"class":{"Shape":"constructor","Cardinality":"Required"}}}},
    "constructor":{"Enum":{"Values":["toString","__proto__"]}}},
    "GameSparks.Core.Requests":{"__proto__":{"AllowedSources":[],"RequestShape":"__proto__","ResponseShape":"__proto__"}},
    "GameSparks.Core.RequestHandlers":{"__proto__":{"Enabled":true,"Code":{"Script":"","ScriptLanguage":"Javascript_ES5_1"}}}}`;
  assert.deepEqual(describe(JSON.parse(text)), []);
  assert.match(
    describe({ 'GameSparks.Core.RequestHandlers': { constructor: handler('') } })[0] ?? '',
    /handles nothing/,
  );
});

test('a list or map may contain itself by way of a structure only', () => {
  const model = (entries: Readonly<Record<string, Json>>) => describe({ [MODEL]: entries });
  assert.match(
    model({ L: { List: { Shape: 'L' } } }).join(),
    /^GameSparks.Core.Model at "\/L" contains itself with only lists and maps in between/,
  );
  const faults = model({ In: { List: { Shape: 'A' } }, A: { Map: { Shape: 'B' } }, B: { List: { Shape: 'A' } } });
  assert.equal(faults.length, 1);
  assert.match(faults[0] ?? '', /at "\/A" contains itself/);
  assert.deepEqual(model({ L: { List: { Shape: 'S' } }, S: structure({ l: field('L'), s: field('S') }) }), []);
});

test('all faults are found at once, and a fault of form hides none of meaning', () => {
  const faults = describe({
    [MODEL]: { A: structure({ x: { Shape: 'Nope' } }), B: { Enum: { Values: ['C', 'C', 'd e'] } } },
    'GameSparks.Core.Requests': { R: { RequestShape: 'A', ResponseShape: 'B' } },
    'GameSparks.Core.RequestHandlers': { R: { Code: { Script: '(' } }, Q: handler(')') },
    'GameSparks.Core.Notifications': { R: { NotificationShape: 'Gone' } },
  });
  assert.deepEqual(
    faults.map((fault) => fault.replace(/^GameSparks\.Core\./, '').replace(/:.*/, '')),
    [
      'Model at "/A/Structure/Fields/x" lacks "Cardinality"',
      'Model at "/B/Enum/Values/2" "d e" is not a name',
      'Requests at "/R" lacks "AllowedSources"',
      'RequestHandlers at "/R" lacks "Enabled"',
      'RequestHandlers at "/R/Code" lacks "ScriptLanguage"',
      'Model at "/A/Structure/Fields/x/Shape" there is no shape "Nope"',
      'Model at "/B/Enum/Values/1" repeats "C"',
      'Requests at "/R/ResponseShape" must be a Structure, and "B" is an Enum',
      'Notifications at "/R" has the name of the request "R"',
      'Notifications at "/R/NotificationShape" there is no shape "Gone"',
      'RequestHandlers at "/R/Code/Script" does not parse, line 1, column 2',
      'RequestHandlers at "/Q" handles nothing',
      'RequestHandlers at "/Q/Code/Script" does not parse, line 1, column 1',
    ],
  );
});

test('sections without a fault have a model, whatever was done to them', () => {
  const places = pointersOf(gameSections());
  const value = fc.constantFrom<Json | undefined>(undefined, null, {}, [], 'String', 'Rod', 'Fish', 1, structure());
  const change = fc.record({ place: fc.constantFrom(...places), value }).map(({ place: [section, path], value }) => {
    return { section, path, operation: value === undefined ? 'REMOVE' : 'REPLACE', value } as const;
  });
  fc.assert(
    fc.property(change, (change) => {
      const sections = applyModifications(gameSections(), [change]);
      if (findFaults(sections).length > 0) return;
      const { requests, events, notifications, shapes } = readModel(sections);
      const structures = [
        ...requests.flatMap(({ request, response }) => [request, response]),
        ...events.map(({ event }) => event),
        ...notifications.map(({ notification }) => notification),
      ];
      for (const { kind, name, fields } of structures) {
        assert.equal(kind, 'structure');
        for (const { type } of fields) assert.ok(type.kind === 'builtin' || shapes.has(type.name), name);
      }
    }),
    { numRuns: 100 },
  );
});

test('the first 100 faults are listed and the rest counted', () => {
  const faults = describe({ [MODEL]: many(250, () => structure({ a: field('Nope') })) });
  assert.equal(faults.length, 101);
  assert.match(faults[99] ?? '', /at "\/a99\//);
  assert.equal(faults[100], 'and 150 more');
  assert.equal(describe({ [MODEL]: many(100, () => 1) }).length, 100);
});

test('attributes that would make the check itself fail are a fault', () => {
  let deep: Json = {};
  for (let level = 0; level < 100_000; level += 1) deep = { Fields: { a: deep } };
  assert.deepEqual(describe({ [MODEL]: { a: { Structure: deep } } }), [
    'GameSparks.Core.Model nests deeper than 64 levels: flatten it',
  ]);
  const [fault = ''] = describe({ [MODEL]: { [`\u001b${'x'.repeat(500_000)}`]: structure(many(10_000, () => 1)) } });
  assert.match(fault, /^GameSparks.Core.Model has the key "\\u\{1b\}x{121}…" of 500001 characters/);
});

test('a game has at most 5,000 shapes, fields, values of enums and messages', () => {
  const values = Array.from({ length: 1_500 }, (_, index) => `V${index}`);
  const game = (events: number): Sections => ({
    [MODEL]: { A: structure({ ...(many(1_500, () => field('String')) as object) }), B: { Enum: { Values: values } } },
    'GameSparks.Core.Events': many(events, () => ({ EventShape: 'A', AllowedSources: ['Player'] })),
  });
  assert.deepEqual(describe(game(1_998)), []);
  assert.deepEqual(describe(game(1_999)), [
    'GameSparks.Core.Model has, with the messages of the game, 5,001 shapes, fields, values of enums and messages: a game has at most 5,000 of them, so remove some',
  ]);
});

// Each of these has a megabyte. Code that compares all pairs of something, or copies all errors at each, takes minutes.
test('large sections cost time linear in their size', () => {
  const hostile: Readonly<Record<string, Sections>> = {
    'fields of one structure': { [MODEL]: { A: structure(many(60_000, () => 1)) } },
    'long names above them': {
      [MODEL]: Object.fromEntries(
        Array.from({ length: 8 }, (_, index) => [`${index}${'-'.repeat(250)}`, structure(many(8_000, () => ({})))]),
      ),
    },
    'bad values': { [MODEL]: { A: { Enum: { Values: Array.from({ length: 300_000 }, () => 0) } } } },
    'repeated values': { [MODEL]: { A: { Enum: { Values: Array.from({ length: 150_000 }, () => 'A') } } } },
    'thousands of shapes': { [MODEL]: many(20_000, (index) => structure({ a: field(`a${index + 1}`) })) },
    'lists in a row': { [MODEL]: many(25_000, (index) => ({ List: { Shape: `a${(index + 1) % 25_000}` } })) },
    handlers: { 'GameSparks.Core.RequestHandlers': many(10_000, () => handler('}')) },
  };
  for (const [what, sections] of Object.entries(hostile)) {
    const before = process.cpuUsage();
    const faults = describe(sections);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 6_000_000, `${what}: ${(user + system) / 1e6} s`);
    assert.ok(faults.length >= 1 && faults.every(({ length }) => length < 1_000), what);
  }
});
