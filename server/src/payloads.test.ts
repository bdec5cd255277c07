import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readModel } from './domain/configuration/model.ts';
import type { Structure } from './payload-shapes.ts';
import { createPayloadReaders, PayloadFault } from './payloads.ts';

const field = (shape: string, cardinality = 'Required') => ({ Shape: shape, Cardinality: cardinality });
const MODEL = {
  Everything: {
    Structure: {
      Fields: {
        Text: field('String', 'Optional'),
        Whole: field('Integer', 'Optional'),
        Long: field('Long', 'Optional'),
        Number: field('Decimal', 'Optional'),
        Flag: field('Boolean', 'Optional'),
        At: field('Timestamp', 'Optional'),
        Free: field('Document', 'Optional'),
        Color: field('Color', 'Optional'),
        Team: field('Team', 'Optional'),
        ByName: field('ByName', 'Optional'),
        Inner: field('Everything', 'Optional'),
        __proto__x: field('String', 'Optional'),
      },
    },
  },
  Member: { Structure: { Fields: { Name: field('String'), Age: field('Integer', 'Optional') } } },
  Color: { Enum: { Values: ['Red', 'Blue'] } },
  Team: { List: { Shape: 'Member' } },
  ByName: { Map: { Shape: 'Member' } },
  Strange: { Structure: { Fields: JSON.parse('{"__proto__":{"Shape":"String","Cardinality":"Required"}}') } },
};

const model = readModel({ 'GameSparks.Core.Model': MODEL } as never);
const readerOf = createPayloadReaders(model.shapes);
const readerFor = (name: string) => readerOf(model.shapes.get(name) as Structure);
const read = readerFor('Everything');

function payloadOf(value: unknown, reader = read): unknown {
  const result = reader(value);
  assert.ok(!(result instanceof PayloadFault), result instanceof PayloadFault ? result.text : '');
  return result.payload;
}

function faultOf(value: unknown, reader = read): string {
  const result = reader(value);
  assert.ok(result instanceof PayloadFault, 'there must be a fault');
  return result.text;
}

test('a payload that fits its shape is read as it is', () => {
  const whole = {
    Text: '',
    Whole: -(2 ** 31),
    Long: 2 ** 53 - 1,
    Number: 0.5,
    Flag: false,
    At: '2026-01-31T12:00:00.123+01:00',
    Free: [{ any: [null, 'thing'] }],
    Color: 'Blue',
    Team: [{ Name: 'a', Age: 3 }, { Name: 'b' }],
    ByName: { 'x y': { Name: 'c' } },
    Inner: { Inner: { Flag: true } },
  };
  assert.deepEqual(payloadOf(whole), whole);
  assert.deepEqual(payloadOf({}), {});
});

test('an optional field that is null counts as absent, and a required one is missing', () => {
  assert.deepEqual(payloadOf({ Text: null, Team: null }), {});
  assert.equal(faultOf({ Team: [{ Name: null }] }), 'payload.Team[0].Name is required');
  assert.equal(faultOf({ ByName: { 'a"b': {} } }), 'payload.ByName["a\\"b"].Name is required');
});

test('each type refuses what is not one, and says where and what came instead', () => {
  const wrong: [object, string][] = [
    [{ Text: 5 }, 'payload.Text must be a String, got 5'],
    [{ Whole: '5' }, 'payload.Whole must be an Integer of 32 bits, got "5"'],
    [{ Whole: 0.5 }, 'payload.Whole must be an Integer of 32 bits, got 0.5'],
    [{ Whole: 2 ** 31 }, 'payload.Whole must be an Integer of 32 bits, got 2147483648'],
    [{ Long: 2 ** 53 }, 'payload.Long must be an integer between -2^53 and 2^53, got 9007199254740992'],
    [{ Number: '1' }, 'payload.Number must be a number, got "1"'],
    [{ Number: Number.NaN }, 'payload.Number must be a number, got NaN'],
    [{ Flag: 0 }, 'payload.Flag must be true or false, got 0'],
    [{ At: '2026-01-31' }, 'payload.At must be a Timestamp such as "2026-01-31T12:00:00Z", got "2026-01-31"'],
    [
      { At: '2026-13-31T12:00:00Z' },
      'payload.At must be a Timestamp such as "2026-01-31T12:00:00Z", got "2026-13-31T12:00:00Z"',
    ],
    [{ Color: 'Green' }, 'payload.Color must be one of "Red", "Blue", got "Green"'],
    [{ Color: ['Red'] }, 'payload.Color must be one of "Red", "Blue", got an array'],
    [{ Team: { 0: { Name: 'a' } } }, 'payload.Team must be a list, got an object'],
    [{ Team: ['a'] }, 'payload.Team[0] must be an object, got "a"'],
    [{ ByName: [] }, 'payload.ByName must be a map, got []'],
    [{ Inner: { Inner: { Whole: [] } } }, 'payload.Inner.Inner.Whole must be an Integer of 32 bits, got []'],
  ];
  for (const [payload, text] of wrong) assert.equal(faultOf(payload), text);
  for (const payload of [null, undefined, 'a', 5, []])
    assert.match(faultOf(payload), /^payload must be an object, got /);
});

test('members that no shape has are left out, and the first of them are told', () => {
  const result = read({ Text: 'a', Extra: 1, Team: [{ Name: 'b', Extra: { Deep: 1 } }] });
  assert.ok(!(result instanceof PayloadFault));
  assert.deepEqual(result.payload, { Text: 'a', Team: [{ Name: 'b' }] });
  assert.deepEqual(result.unknown, ['Member.Extra', 'Everything.Extra']);
  const many = read(Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`x${index}`, 1])));
  assert.ok(!(many instanceof PayloadFault));
  assert.equal(many.unknown.length, 10);
});

test('what an object inherits is no field, and a field called __proto__ is only a field', () => {
  assert.deepEqual(payloadOf(Object.create({ Text: 'inherited' })), {});
  const strange = payloadOf(JSON.parse('{"__proto__":"data"}'), readerFor('Strange')) as object;
  assert.deepEqual(Object.entries(strange), [['__proto__', 'data']]);
  assert.equal(Object.getPrototypeOf(strange), Object.prototype);
});

test('however deep a payload nests, reading it ends with a fault', () => {
  let nested: object = {};
  for (let level = 0; level < 100_000; level += 1) nested = { Inner: nested };
  assert.match(faultOf(nested), / nests more than 32 levels deep$/);
  let free: unknown[] = [];
  for (let level = 0; level < 100_000; level += 1) free = [free];
  assert.equal(faultOf({ Free: free }), 'payload.Free nests more than 32 levels deep');
  const within = (levels: number) => {
    let value: object = {};
    for (let level = 1; level < levels; level += 1) value = { Inner: value };
    return value;
  };
  assert.deepEqual(payloadOf(within(32)), within(32));
  assert.match(faultOf(within(33)), / nests more than 32 levels deep$/);
});

test('what a read costs grows with the payload, not with the fields that its shape could have', () => {
  const many = Object.fromEntries(
    Array.from({ length: 15_000 }, (_, index) => [`F${index}`, field('String', 'Optional')]),
  );
  const { shapes } = readModel({
    'GameSparks.Core.Model': {
      Wide: { Structure: { Fields: many } },
      Wides: { List: { Shape: 'Wide' } },
      Root: { Structure: { Fields: { All: field('Wides') } } },
    },
  } as never);
  const readRoot = createPayloadReaders(shapes)(shapes.get('Root') as Structure);
  // As many objects as a frame of the longest size can have. A field each made it take seconds.
  const payload = { All: Array.from({ length: 5_000 }, (_, index) => (index === 0 ? { F14999: 'last' } : {})) };
  assert.deepEqual(payloadOf(payload, readRoot), payload);
  const startedAt = process.cpuUsage();
  for (let times = 0; times < 10; times += 1) payloadOf(payload, readRoot);
  const { user } = process.cpuUsage(startedAt);
  assert.ok(user < 1_000_000, `ten reads took ${user} µs`);
});

test('a model may be a chain of shapes as long as a configuration has room for', () => {
  const structure = (index: number) => ({ Structure: { Fields: { Next: field(`S${index + 1}`, 'Optional') } } });
  const chain = Object.fromEntries(Array.from({ length: 13_000 }, (_, index) => [`S${index}`, structure(index)]));
  const { shapes } = readModel({
    'GameSparks.Core.Model': { ...chain, S13000: { Structure: { Fields: {} } } },
  } as never);
  const readFirst = createPayloadReaders(shapes)(shapes.get('S0') as Structure);
  assert.deepEqual(payloadOf({ Next: { Next: {} } }, readFirst), { Next: { Next: {} } });
  assert.equal(faultOf({ Next: { Next: 5 } }, readFirst), 'payload.Next.Next must be an object, got 5');
});
