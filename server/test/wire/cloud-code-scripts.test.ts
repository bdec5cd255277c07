import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { RequestError, ResparkClient } from '@respark/client';
import type { Payload } from '@respark/protocol';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { alarmsOf, startTestServer } from '../support/server.ts';

async function open(t: TestContext, game: Parameters<typeof scriptedGame>[0], before = '') {
  const server = await startTestServer(t);
  const file = Buffer.concat([Buffer.from(before), fileOf(scriptedGame(game))]);
  await deploy(server, await createSnapshot(server, file));
  const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey });
  t.after(() => client.close());
  await client.connect();
  const ask = (name: string, payload: Payload = {}) => client.request(`Custom.Game.${name}`, payload);
  return { server, client, ask };
}

const ANSWER = 'return GameSparks().Messaging().Response';

/** What scripts of ES5.1 and browsers before it may do, and what `Value` it gives. */
const SCRIPTS: Readonly<Record<string, readonly [script: string, value: unknown]>> = {
  RepeatedVar: [`var x = 1; var x = 2; ${ANSWER}({ Value: x });`, 2],
  With: [`var o = { a: 5 }; with (o) { ${ANSWER}({ Value: a }); }`, 5],
  Arguments: [`${ANSWER}({ Value: arguments.length === 1 && arguments[0] === message });`, true],
  HoistedFunction: [`${ANSWER}({ Value: f() }); function f() { return 3; }`, 3],
  FunctionInBlock: [`if (true) { function f() { return 4; } } ${ANSWER}({ Value: f() });`, 4],
  FunctionAsBranch: [`if (true) function f() { return 5; } ${ANSWER}({ Value: f() });`, 5],
  Labels: [
    `outer: for (var i = 0; i < 3; i++) { for (;;) { if (i === 1) break outer; continue outer; } } ${ANSWER}({ Value: i });`,
    1,
  ],
  Accessors: [
    `var o = { set a(v) { this.b = v; }, get a() { return this.b; } }; o.a = 7; ${ANSWER}({ Value: o.a });`,
    7,
  ],
  SloppyThis: [`function f() { return this; } ${ANSWER}({ Value: f() === this && typeof this === 'object' });`, true],
  ImplicitGlobal: [`(function () { zork = 9; })(); ${ANSWER}({ Value: zork });`, 9],
  Octal: [`${ANSWER}({ Value: 010 + '\\101' });`, '8A'],
  HtmlComments: [`<!-- one\nvar a = 1;\n--> another\n${ANSWER}({ Value: a });`, 1],
  CommentAtTheEnd: [`${ANSWER}({ Value: 1 }); // that is all`, 1],
  OpenLineAtTheEnd: [`${ANSWER}({ Value: 1 }) //`, 1],
  CarriageReturns: [`// one\r\nvar a = 1;\r\n// two\r${ANSWER}({ Value: a });\r\n// three`, 1],
  LineSeparators: [`var a = 1; // one\u2028a = 2;\u2029${ANSWER}({ Value: a });`, 2],
  ByteOrderMark: [`\ufeff${ANSWER}({ Value: 1 });`, 1],
  UnicodeNames: [`var äö = 'é🎮', \\u0061b = '2'; ${ANSWER}({ Value: äö + ab });`, 'é🎮2'],
  LaterKeywords: [
    `var let = 1, yield = 2, static = 3, await = 4, async = 5, of = 6; ${ANSWER}({ Value: let + yield + static + await + async + of });`,
    21,
  ],
  KeywordsAsMembers: [`var o = { class: 1, default: 2 }; ${ANSWER}({ Value: o.class + o.default });`, 3],
  RepeatedParameters: [`function f(a, a) { return a; } ${ANSWER}({ Value: f(1, 2) });`, 2],
  Eval: [`eval('var q = 1'); ${ANSWER}({ Value: q + new Function('a', 'return a + 1')(2) });`, 4],
  OldFunctions: [`${ANSWER}({ Value: escape('ä') + unescape('%u0041') + 'abc'.substr(1) });`, '%E4Abc'],
  Callee: [`${ANSWER}({ Value: (function (n) { return n < 2 ? 1 : n * arguments.callee(n - 1); })(5) });`, 120],
  Prototypes: [`function A() {} A.prototype.f = function () { return 1; }; ${ANSWER}({ Value: new A().f() });`, 1],
  VarMessage: [`var message = message.A || 'none'; ${ANSWER}({ Value: message });`, 'none'],
  OwnMessage: [`const message = 'mine'; ${ANSWER}({ Value: message });`, 'mine'],
  LongChainOfElse: [
    `${Array.from({ length: 100 }, (_, n) => `if (message.A === ${n}) ${ANSWER}({ Value: ${n} });`).join(' else ')} ${ANSWER}({ Value: -1 });`,
    -1,
  ],
  Strict: [`"use strict"; ${ANSWER}({ Value: (function () { return this === undefined; })() });`, true],
  Newer: [
    `class A { #x = 1; get x() { return this.#x ?? 0; } } const { x } = new A(); ${ANSWER}({ Value: [...\`a\${x}\`].at(-1) + 2n });`,
    '12',
  ],
};

test('[ws] the SDK: scripts of old and new JavaScript run unchanged, however their lines end', async (t) => {
  const requests = Object.entries(SCRIPTS).map(([name, [script]]) => [
    name,
    { request: { A: 'String?' }, response: { Value: 'Document' }, script },
  ]);
  const { ask, server } = await open(t, { requests: Object.fromEntries(requests) }, '\ufeff');
  for (const [name, [, Value]] of Object.entries(SCRIPTS)) assert.deepEqual(await ask(name), { Value }, name);
  assert.deepEqual(alarmsOf(server), []);
});

test('[ws] the SDK: a script that the engine cannot compile fails by itself, and its log says where', async (t) => {
  // More than the engine's parser takes, and less than a deployment refuses.
  const chain = Array.from({ length: 780 }, (_, n) => `if (message.A === ${n}) return ${n};`).join(' else ');
  const { ask, server } = await open(t, {
    requests: {
      TooDeep: { script: `\n  ${chain}` },
      Good: { response: { Value: 'Integer' }, script: `${ANSWER}({ Value: 1 });` },
    },
  });
  for (const _ of [1, 2]) {
    await assert.rejects(ask('TooDeep'), (error) => error instanceof RequestError && error.code === 'script_error');
    assert.deepEqual(await ask('Good'), { Value: 1 });
  }
  assert.deepEqual(alarmsOf(server), []);
});

test('[ws] the SDK: shapes of every kind go both ways, and faults in them are named by their path', async (t) => {
  const field = (Shape: string, Cardinality = 'Required') => ({ Shape, Cardinality });
  const { ask, server } = await open(t, {
    shapes: {
      Element: { Enum: { Values: ['Fire', 'Water'] } },
      Elements: { List: { Shape: 'Element' } },
      Stats: { Map: { Shape: 'Decimal' } },
      Item: {
        Structure: {
          Fields: { Name: field('String'), Stats: field('Stats', 'Optional'), Parts: field('Bag', 'Optional') },
        },
      },
      Bag: { List: { Shape: 'Item' } },
      Bags: { Map: { Shape: 'Bag' } },
      ByElement: { Map: { Shape: 'Elements' } },
    },
    requests: {
      Echo: {
        request: {
          ...{ Bags: 'Bags?', Beats: 'ByElement?', At: 'Timestamp?', On: 'Boolean?' },
          ...{ Score: 'Long?', Rate: 'Decimal?', Any: 'Document?', Count: 'Integer?' },
        },
        response: {
          ...{ Bags: 'Bags?', Beats: 'ByElement?', At: 'Timestamp?', On: 'Boolean?' },
          ...{ Score: 'Long?', Rate: 'Decimal?', Any: 'Document?', Count: 'Integer?', Seen: 'String' },
        },
        script: `message.Seen = Object.keys(message).sort().join(); ${ANSWER}(message);`,
      },
    },
  });
  const echo = {
    Bags: { Left: [{ Name: 'Sword', Stats: { Edge: 1.5 }, Parts: [{ Name: 'Hilt' }] }], Right: [] },
    Beats: { Fire: [], Water: ['Fire'] },
    At: '2026-01-31T12:00:00.5+02:00',
    On: false,
    Score: 2 ** 53 - 1,
    Rate: -0.25,
    Any: [null, { a: [1, 'x', true] }],
    Count: 0,
  };
  assert.deepEqual(await ask('Echo', echo), { ...echo, Seen: Object.keys(echo).sort().join() });
  assert.deepEqual(await ask('Echo', { On: null, At: null }), { Seen: '' }, 'null counts as absent');
  const faultOf = async (payload: Payload) => {
    const error = await ask('Echo', payload).catch((error: unknown) => error);
    assert.ok(error instanceof RequestError && error.code === 'bad_request', String(error));
    return error.message;
  };
  assert.equal(await faultOf({ Bags: { Left: [{ Name: 'a' }, {}] } }), 'payload.Bags["Left"][1].Name is required');
  assert.match(await faultOf({ Beats: { Fire: ['Water', 'Ice'] } }), /^payload\.Beats\["Fire"\]\[1\] must be one of /);
  assert.match(
    await faultOf({ Bags: { L: [{ Name: 'a', Stats: { x: '1' } }] } }),
    /^payload\.Bags\["L"\]\[0\]\.Stats\["x"\] /,
  );
  for (const At of ['2026-01-31', 1_769_860_800, '2026-02-31T25:00:00Z', '']) {
    assert.match(await faultOf({ At }), /^payload\.At must be a Timestamp /);
  }
  for (const Count of [2 ** 31, 1.5, '1', true])
    assert.match(await faultOf({ Count }), /^payload\.Count must be an Integer/);
  assert.deepEqual(alarmsOf(server), []);
});

test('[ws] the SDK: messages and fields have any name that is allowed, even that of a member of all objects', async (t) => {
  const names = ['constructor', 'toString', 'hasOwnProperty', 'a', '_', 'N'.repeat(56), 'Object', 'then'];
  const requests = Object.fromEntries(
    names.map((name) => [
      name,
      {
        request: { [name]: 'Integer', ['__proto__']: 'Integer?' },
        response: { [name]: 'Integer', ['__proto__']: 'Integer?' },
        script: `${ANSWER}(message);`,
      },
    ]),
  );
  const { ask } = await open(t, { requests });
  for (const [index, name] of names.entries()) {
    const text = `{"${name}":${index},"__proto__":7}`;
    assert.equal(JSON.stringify(await ask(name, JSON.parse(text))), text);
  }
  for (const missing of ['valueOf', '__proto__']) await assert.rejects(ask(missing), { code: 'no_handler' });
});
