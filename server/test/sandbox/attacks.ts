/** What a script that means harm does. */
export interface Attack {
  readonly name: string;
  readonly script: string;
  /** Whether it keeps its thread in native code, where only the end of the thread stops it. */
  readonly isStuck?: boolean;
}

export const OK = 'return GameSparks().Messaging().Response({ ok: true });';

/** Leaves a mark wherever a script can, which no later invocation may find. */
const MARKS = `
  globalThis.mark = 'left';
  Array.prototype.mark = 'left';
  Object.prototype.mark = 'left';
  String.prototype.mark = 'left';
  Function.prototype.mark = 'left';
  GameSparks.mark = 'left';
  JSON.mark = 'left';
`;

/** Finds a mark that an invocation before has left. */
export const FIND_MARKS = `
  const found = [];
  if (typeof mark !== 'undefined') found.push('global');
  for (const [name, value] of Object.entries({ array: [], object: {}, text: Object(''), call: function () {}, GameSparks, JSON }))
    if (value.mark !== undefined) found.push(name);
  if ([1, 2].indexOf(2) !== 1 || JSON.parse('{"a":1}').a !== 1 || Math.max(1, 2) !== 2) found.push('a changed function');
  return GameSparks().Messaging().Response({ found });
`;

export const ATTACKS: readonly Attack[] = [
  // Endless work of the script itself.
  { name: 'an endless loop', script: 'while (true) {}' },
  {
    name: 'an endless loop that catches everything',
    script: 'for (;;) { try { for (;;) {} } catch (e) {} finally { continue; } }',
  },
  {
    name: 'an endless recursion that is caught again and again',
    script: 'function f() { try { f(); } catch (e) { f(); } } f();',
  },
  { name: 'a recursion without end', script: 'const f = () => f(); f();' },
  { name: 'a recursion through getters', script: 'const o = { get x() { return this.x; } }; o.x;' },
  { name: 'a recursion through a proxy', script: 'const p = new Proxy({}, { get: (t, k, r) => r[k] }); p.x;' },
  { name: 'a recursion through toString', script: 'const o = { toString() { return `${this}`; } }; `${o}`;' },
  { name: 'a recursion through JSON.parse', script: "JSON.parse('[' .repeat(100000));" },
  {
    name: 'a recursion through a reviver',
    script: 'JSON.parse(\'{"a":1}\', function f(k, v) { return k === "" ? v : JSON.parse(\'{"a":1}\', f); });',
  },
  { name: 'a generator without end', script: 'function* g() { for (;;) yield 1; } for (const x of g()) {}' },
  {
    name: 'an iterator without end',
    script: 'const it = { [Symbol.iterator]: () => ({ next: () => ({ value: 1 }) }) }; [...it];',
  },
  {
    name: 'a sort whose comparison never agrees',
    script: 'const a = Array.from({ length: 1e5 }, (_, i) => i); for (;;) a.sort(() => Math.random() - 0.5);',
  },
  { name: 'a label that never ends', script: 'a: for (;;) { continue a; }' },
  { name: 'promises that make promises', script: 'const f = () => Promise.resolve().then(f); f(); ' + OK },
  { name: 'an async function that never ends', script: '(async () => { for (;;) await null; })(); ' + OK },
  { name: 'a promise that is returned', script: 'return new Promise(() => {});' },
  { name: 'a thenable that is returned', script: 'return { then() { for (;;) {} } };' },

  // Endless work in native code.
  {
    name: 'a search in a list without end',
    script: 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);',
    isStuck: true,
  },
  {
    name: 'a join of a list without end',
    script: 'Array.prototype.join.call({ length: 2 ** 31 }, "");',
    isStuck: true,
  },
  {
    name: 'a fill of a list without end',
    script: 'Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);',
    isStuck: true,
  },
  { name: 'a regular expression that backtracks', script: "/^(a+)+$/.test('a'.repeat(50) + 'b');" },
  { name: 'a regular expression with nested groups', script: "/(x+x+)+y/.test('x'.repeat(200));" },
  { name: 'a replacement that grows', script: "let s = 'ab'; for (;;) s = s.replace(/b/g, 'bb' + s);" },
  { name: 'a split into millions', script: "'a'.repeat(1e7).split('');" },
  { name: 'a number of a million digits', script: 'let x = 3n; for (;;) x *= x;' },
  { name: 'a power of great numbers', script: '(7n ** 4000000n).toString();' },
  { name: 'a pad beyond memory', script: "'a'.padEnd(2 ** 30, 'b');" },

  // Memory.
  { name: 'lists that grow', script: 'const a = []; for (;;) a.push(new Array(1000).fill(1));' },
  { name: 'texts that double', script: "let s = 'x'; for (;;) s += s;" },
  { name: 'a buffer beyond memory', script: 'new ArrayBuffer(2 ** 31);' },
  { name: 'many buffers', script: 'const a = []; for (;;) a.push(new ArrayBuffer(1 << 20));' },
  {
    name: 'an out of memory that is caught',
    script: "let s = 'x'; try { for (;;) s += s; } catch (e) { s = null; } " + OK,
  },
  { name: 'maps that grow', script: 'const m = new Map(); for (let i = 0; ; i += 1) m.set({}, i);' },
  { name: 'closures that grow', script: 'let f = () => 0; for (;;) { const g = f; f = () => g() + 1; }' },
  { name: 'a cycle of millions', script: 'let o = {}; for (;;) o = { o };' },
  {
    name: 'shapes without number',
    script: 'for (let i = 0; ; i += 1) { const o = {}; o["k" + i] = i; o["q" + i] = o; }',
  },
  { name: 'symbols without number', script: 'const a = []; for (;;) a.push(Symbol.for("s" + a.length));' },
  { name: 'WebAssembly memory', script: 'new WebAssembly.Memory({ initial: 10000 });' },
  { name: 'a shared buffer', script: 'const a = []; for (;;) a.push(new SharedArrayBuffer(1 << 20));' },

  // Ways out.
  { name: 'the constructor of a function', script: "return (function () {}).constructor('return process')();" },
  { name: 'the constructor of a host function', script: "return GameSparks.constructor('return this.process.env')();" },
  { name: 'require', script: "return require('fs');" },
  { name: 'import', script: "import('node:fs'); " + OK },
  { name: 'process', script: 'return process.env;' },
  {
    name: 'globalThis of the host',
    script:
      'return Object.getOwnPropertyNames(globalThis).filter((n) => /process|require|Deno|Buffer|std|os/.test(n)).join() || missing;',
  },
  { name: 'std and os of the engine', script: 'return std.loadFile("/etc/passwd") || os.exec(["id"]);' },
  { name: 'the caller of the function', script: 'function f() { return f.caller; } return f().arguments;' },
  { name: 'the arguments of the wrapper', script: 'return arguments.callee.caller;' },
  { name: 'text that closes the wrapper', script: '}); globalThis.mark = 1; (function () {' },
  { name: 'the stack of an error', script: 'Error.prepareStackTrace = (e, s) => s; throw new Error("x");' },
  { name: 'Atomics that wait', script: 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60000);' },

  // Parsers.
  { name: 'a million brackets', script: "eval('('.repeat(1e6));" },
  { name: 'a deep list in source', script: "eval('['.repeat(1e5) + ']'.repeat(1e5));" },
  { name: 'a million unary operators', script: "eval('-'.repeat(1e6) + '1');" },
  { name: 'a deep regular expression', script: "new RegExp('('.repeat(1e5) + ')'.repeat(1e5));" },
  {
    name: 'a long class in a regular expression',
    script: "new RegExp('[' + Array.from({ length: 1e5 }, (_, i) => String.fromCharCode(i)).join('') + ']');",
  },
  { name: 'a long chain of functions in source', script: "eval('function f(){'.repeat(1e4) + '}'.repeat(1e4));" },
  { name: 'a deep template', script: "eval('`${'.repeat(1e4) + '1' + '}`'.repeat(1e4));" },
  {
    name: 'a function of many parameters',
    script: "new Function(...Array.from({ length: 60000 }, (_, i) => 'p' + i), 'return 1')();",
  },
  { name: 'JSON that nests', script: 'let o = {}; for (let i = 0; i < 1e5; i += 1) o = { o }; JSON.stringify(o);' },
  { name: 'a date that cannot be', script: 'new Date(8.64e15 + 1).toISOString();' },

  // Outputs and calls.
  { name: 'a response of megabytes', script: "return GameSparks().Messaging().Response({ a: 'x'.repeat(5e6) });" },
  {
    name: 'a response that nests',
    script: 'let o = {}; for (let i = 0; i < 3000; i += 1) o = { o }; return GameSparks().Messaging().Response(o);',
  },
  {
    name: 'a response with a getter without end',
    script: 'return GameSparks().Messaging().Response({ get a() { for (;;) {} } });',
  },
  {
    name: 'a response that is a proxy',
    script: 'return GameSparks().Messaging().Response(new Proxy({}, { ownKeys: () => { for (;;) {} } }));',
  },
  {
    name: 'a response whose toJSON lies',
    script: 'return GameSparks().Messaging().Response({ toJSON: () => "not an object" });',
  },
  {
    name: 'a response that contains itself',
    script: 'const o = {}; o.o = o; return GameSparks().Messaging().Response(o);',
  },
  { name: 'an error whose message is long', script: "throw new Error('x'.repeat(5e6));" },
  { name: 'an error with a getter', script: 'throw { get message() { for (;;) {} } };' },
  {
    name: 'an error that throws when it is shown',
    script: 'throw { toString() { throw 1; }, get name() { throw 2; } };',
  },
  { name: 'nothing that is thrown', script: 'throw undefined;' },
  { name: 'lines without end', script: 'for (;;) GameSparks().Logging().Info("x".repeat(1000));' },
  { name: 'a line of megabytes', script: "GameSparks().Logging().Info('x'.repeat(8e6)); " + OK },
  {
    name: 'calls without end',
    script: 'for (;;) { try { GameSparks().CurrentPlayer().GetData(["a"]); } catch (e) {} }',
  },
  { name: 'a call of megabytes', script: "GameSparks().CurrentPlayer().SetData({ a: 'x'.repeat(5e6) });" },
  {
    name: 'calls of megabytes without end',
    script: "const a = 'x'.repeat(2e6); for (;;) { try { GameSparks().CurrentPlayer().SetData({ a }); } catch (e) {} }",
  },
  {
    name: 'a call with a proxy',
    script: 'GameSparks().CurrentPlayer().SetData(new Proxy({}, { ownKeys: () => { for (;;) {} } }));',
  },
  {
    name: 'a call that calls',
    script:
      'GameSparks().CurrentPlayer().SetData({ toJSON: () => GameSparks().CurrentPlayer().GetData(["a"]) }); ' + OK,
  },

  // Changes that others must not see.
  { name: 'marks everywhere', script: MARKS + OK },
  { name: 'marks before an endless loop', script: MARKS + 'for (;;) {}' },
  { name: 'marks before memory runs out', script: MARKS + "let s = 'x'; for (;;) s += s;" },
  {
    name: 'functions that are replaced',
    script: 'Array.prototype.indexOf = () => 7; JSON.parse = () => ({ a: 2 }); Math.max = () => 9; ' + OK,
  },
  {
    name: 'a GameSparks that is replaced',
    script: 'GameSparks = () => ({ Messaging: () => ({ Response: () => 1 }) }); return 1;',
  },
  {
    name: 'a GameSparks that is deleted',
    script:
      'delete globalThis.GameSparks; for (const k of Object.getOwnPropertyNames(globalThis)) { try { delete globalThis[k]; } catch (e) {} } return 1;',
  },
  {
    name: 'prototypes that are set on everything',
    script: 'Object.setPrototypeOf(Object.prototype, new Proxy({}, {}));' + OK,
  },
  {
    name: 'a JSON that lies to the runtime',
    script: "JSON.stringify = () => '\"lie\"'; String.prototype.slice = () => 'lie'; " + OK,
  },
  {
    name: 'frozen objects',
    script: 'Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(globalThis); ' + OK,
  },
];
