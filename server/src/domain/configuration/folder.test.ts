import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gameSections, realGameDocument } from '../../../test/support/game-document.ts';
import { type Json, parseDocument, type Sections } from './document.ts';
import { fromFolder, toFolder } from './folder.ts';

/** The same text means the same members in the same order. */
function assertRoundTrip(sections: Sections): void {
  assert.equal(JSON.stringify(fromFolder(toFolder(sections))), JSON.stringify(sections));
}

/** More levels than a walk through all of them has a stack for. */
const DEEP = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;

test('a folder makes the same document again, with everything in its order', () => {
  assertRoundTrip(gameSections());
  const real = realGameDocument();
  if (real !== undefined) assertRoundTrip(parseDocument(real));
  assertRoundTrip({});
  assertRoundTrip(JSON.parse('{"constructor":{"a":1},"toString":{"a":2},"GameSparks.Core.Requests":{"__proto__":{}}}'));
  assertRoundTrip({ 'GameSparks.Core.Events': {}, 'Other.Section': { b: 1, a: [null] }, 'GameSparks.Core.Model': {} });
});

test('what is not as the extensions define it is kept all the same', () => {
  const odd: Json[] = [
    { 'not a file name': {} },
    { Name: 'text' },
    { Name: { Code: 'text' } },
    { Name: { Code: { Script: 5 } } },
    { Name: { Code: { ScriptLanguage: 'x', Script: 'a\r\n\tb', More: 1 }, Enabled: 'yes' } },
  ];
  for (const attributes of odd) {
    for (const section of ['GameSparks.Core.RequestHandlers', 'GameSparks.Core.Requests', 'GameSparks.Core.Model']) {
      assertRoundTrip({ [section]: attributes });
    }
  }
});

test('scripts are files of their own, and messages are one file each', () => {
  const files = toFolder({
    'GameSparks.Core.Requests': { Buy: { AllowedSources: ['Player'] } },
    'GameSparks.Core.RequestHandlers': { Buy: { Enabled: true, Code: { Script: 'return 1;\n' } } },
    'GameSparks.Core.EventHandlers': { Buy: { Enabled: true, Code: { Script: '// event' } } },
  });
  assert.deepEqual([...files.keys()].sort(), [
    'game.json',
    'handlers/Buy.event.js',
    'handlers/Buy.js',
    'messages/Buy.json',
  ]);
  assert.equal(files.get('handlers/Buy.js'), 'return 1;\n');
  assert.deepEqual(JSON.parse(files.get('messages/Buy.json') ?? ''), {
    Request: { AllowedSources: ['Player'] },
    RequestHandler: { Enabled: true, Code: { Script: null } },
    EventHandler: { Enabled: true, Code: { Script: null } },
  });
});

test('a handler that overrides a request of every stage is a file like the others', () => {
  const type = 'GameSparks.Identity.GetPlayerToken';
  const sections = {
    'GameSparks.Core.RequestHandlers': { [type]: { Enabled: true, Code: { Script: 'return 1;' } }, Buy: {} },
  };
  assertRoundTrip(sections);
  assert.equal(toFolder(sections).get(`handlers/${type}.js`), 'return 1;');
});

test('files that people add or remove count, and new messages come last, by name', () => {
  const files = new Map(toFolder({ 'GameSparks.Core.Requests': { B: {}, A: {} } }));
  files.set('messages/D.json', '{"Request":{},"RequestHandler":{"Enabled":true}}');
  files.set('messages/C.json', '{"Request":{}}');
  files.set('handlers/D.js', 'return;');
  files.delete('messages/B.json');
  assert.deepEqual(fromFolder(files), {
    'GameSparks.Core.Requests': { A: {}, C: {}, D: {} },
    'GameSparks.Core.RequestHandlers': { D: { Enabled: true, Code: { Script: 'return;' } } },
  });
});

test('a file that cannot be used is named, with what is wrong', () => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ 'game.json': '{' }, /file game\.json:1:2 cannot be used: it is not JSON/],
    [{ 'game.json': '{"Sections":[1]}' }, /file game\.json .* "Sections", a list of names/],
    [{ 'messages/A.json': '[]' }, /file messages\/A\.json cannot be used: it must be an object/],
    [{ 'messages/A.json': '{"Reqest":{}}' }, /it has "Reqest": a message has Request, /],
    [{ 'messages/A.json': '{"RequestHandler":5}', 'handlers/A.js': '' }, /a handler and its Code must be objects/],
    [{ 'messages/A.json': `{"Request":${DEEP}}` }, /file messages\/A\.json cannot be used: it nests deeper than 64/],
    [{ 'sections/A.json': `{"x":${DEEP}}` }, /file sections\/A\.json cannot be used: it nests deeper than 64/],
    [{ 'game.json': `{"Order":${DEEP}}` }, /file game\.json cannot be used: it nests deeper than 64/],
    [{ 'model.json': 'x' }, /file model\.json:1:1 cannot be used: it is not JSON/],
  ];
  for (const [files, message] of wrong) {
    assert.throws(() => fromFolder(new Map(Object.entries(files))), {
      name: 'ServiceError',
      code: 'validation',
      message,
    });
  }
  for (const sections of [{ 'GameSparks.Core.Requests': { buy: {}, Buy: {} } }, { 'My.Notes': {}, 'my.notes': {} }]) {
    assert.throws(() => toFolder(sections), { message: /differ only in case/ });
  }
});

test('a script that no handler uses comes with what its author may have meant', () => {
  const handler = ': \\{"Enabled": true, "Code": \\{"ScriptLanguage": "Javascript_ES5_1"\\}\\}$';
  const unused: [message: string | undefined, scripts: string[], problem: string][] = [
    [undefined, ['A.js'], 'no handler uses it: write messages/A.json with "Request", .* and this: "RequestHandler"'],
    [undefined, ['A.event.js'], 'no handler uses it: write messages/A.json with "Event", .* and this: "EventHandler"'],
    ['{"Request":{}}', ['A.js'], 'no handler uses it: give messages/A.json this: "RequestHandler"'],
    ['{"Event":{}}', ['A.event.js'], 'no handler uses it: give messages/A.json this: "EventHandler"'],
    [
      '{"Request":{}}',
      ['A.event.js'],
      'a request\'s script is handlers/A.js: rename it, and give .*: "RequestHandler"',
    ],
    ['{"Event":{}}', ['A.js'], 'an event\'s script is handlers/A.event.js: rename it, and give .* "EventHandler"'],
    [
      '{"Request":{},"RequestHandler":{}}',
      ['A.js', 'A.event.js'],
      'no handler uses it: give messages/A.json "Event", with its shapes, and this: "EventHandler"',
    ],
  ];
  const faultOf = (files: Record<string, string>, message: string) =>
    assert.throws(() => fromFolder(new Map(Object.entries(files))), {
      code: 'validation',
      message: new RegExp(message),
    });
  for (const [message, scripts, problem] of unused) {
    const files = Object.fromEntries(scripts.map((script) => [`handlers/${script}`, '']));
    faultOf(message === undefined ? files : { ...files, 'messages/A.json': message }, `: ${problem}${handler}`);
  }
  const event = "file handlers/A.js cannot be used: an event's script is handlers/A.event.js: rename it$";
  faultOf({ 'messages/A.json': '{"Event":{},"EventHandler":{}}', 'handlers/A.js': '' }, event);
  const request = "file handlers/A.event.js cannot be used: a request's script is handlers/A.js: rename it$";
  faultOf({ 'messages/A.json': '{"Request":{},"RequestHandler":{}}', 'handlers/A.event.js': '' }, request);
  const own = 'GameSparks.Identity.GetPlayerToken';
  faultOf({ [`handlers/${own}.js`]: '' }, `write messages/${own}.json with this: "RequestHandler"${handler}`);
});
