import { type Attack, OK } from './attacks.ts';

/** What a script can do to the engine: its parsers, its memory, and what it does in native code. */
export const ENGINE_ATTACKS: readonly Attack[] = [
  {
    name: 'a function whose text closes its wrapper',
    script: 'return new Function("}); globalThis.mark = 1; (function(){")();',
  },
  {
    name: 'parameters that comment out the wrapper of a function',
    script: 'return new Function("/*", "*/){ globalThis.mark = \'left\'; ")();',
  },
  {
    name: 'the constructors of async functions and generators',
    script:
      'const A = (async () => {}).constructor; new A("await 1; for(;;){}")(); const G = (function*(){}).constructor; new G("yield 1")(); ' +
      OK,
  },
  {
    name: 'marks by an indirect eval',
    script: "(0, eval)(\"var mark = 'left'; Array.prototype.mark = 'left'\"); " + OK,
  },
  { name: 'a global constant by an indirect eval', script: '(0, eval)("const mark = \'left\'"); ' + OK },
  { name: 'a global class by an indirect eval', script: '(0, eval)("let mark = \'left\'; class Foo {}"); ' + OK },
  {
    name: 'a generator that is never finished',
    script:
      'function* g() { try { yield 1; } finally { for (;;) {} } } const it = g(); it.next(); globalThis.it = it; ' + OK,
  },
  {
    name: 'a generator without end when it is left',
    script: 'function* g() { try { yield 1; } finally { for (;;) {} } } for (const x of g()) break; ' + OK,
  },
  {
    name: 'an iterator without end when it is left',
    script:
      'const [a] = { [Symbol.iterator]: () => ({ next: () => ({ value: 1 }), return() { for (;;) {} } }) }; ' + OK,
  },
  {
    name: 'a hundred thousand promises',
    script: 'for (let i = 0; i < 1e5; i++) Promise.resolve().then(() => { for (;;) {} }); ' + OK,
  },
  {
    name: 'an async generator without end',
    script: '(async () => { for await (const x of (async function* () { for (;;) yield 1; })()) {} })(); ' + OK,
  },
  {
    name: 'a registry of what is finalized',
    script:
      'const r = new FinalizationRegistry(() => { globalThis.mark = "left"; for (;;) {} }); for (let i = 0; i < 1e4; i++) r.register({}, i); ' +
      OK,
  },
  {
    name: 'a hundred thousand weak references',
    script: 'globalThis.w = new WeakRef({}); for (let i = 0; i < 1e5; i++) new WeakRef({}); ' + OK,
  },
  {
    name: 'a chain of weak maps',
    script:
      'const w = new WeakMap(); let k = {}; for (let i = 0; i < 1e5; i++) { const n = {}; w.set(k, n); k = n; } ' + OK,
  },
  { name: 'text of half a gigabyte', script: 'const s = "x".repeat(2 ** 29); s + s; ' + OK },
  { name: 'a join that grows', script: 'const a = Array(2 ** 20).fill("xxxxxxxxxxxxxxxx"); for (;;) a.join(a[0]);' },
  { name: 'typed arrays without number', script: 'const a = []; for (;;) a.push(new Float64Array(1e6).fill(1));' },
  {
    name: 'a sort of a typed array again and again',
    script: 'const a = new Float64Array(1e6).map(() => Math.random()); for (;;) a.sort();',
  },
  {
    name: 'a buffer that grows',
    script:
      'const b = new ArrayBuffer(8, { maxByteLength: 2 ** 30 }); const a = new Uint8Array(b); for (let n = 8; ; n *= 2) b.resize(n);',
  },
  {
    name: 'a buffer that was transferred',
    script: 'const b = new ArrayBuffer(64); const a = new Uint8Array(b); const c = b.transfer(); a[0] = 1; ' + OK,
  },
  {
    name: 'a buffer that is transferred while it is sorted',
    script:
      'const b = new ArrayBuffer(8e5); const a = new Uint8Array(b); a.sort((x, y) => { try { b.transfer(0); } catch (e) {} return x - y; }); ' +
      OK,
  },
  {
    name: 'reads and writes beyond a view',
    script:
      'const v = new DataView(new ArrayBuffer(8)); for (const n of [-1, 8, 2 ** 31, 2 ** 53, NaN]) { try { v.getFloat64(n); v.setInt32(n, 1); } catch (e) {} } ' +
      OK,
  },
  {
    name: 'reads and writes beyond a typed array',
    script:
      'const a = new Uint8Array(8); a[-1] = 1; a[2 ** 32] = 1; a.subarray(-100, 1e9); a.copyWithin(-1e9, 1e9); new Uint32Array(a.buffer, 4, 1)[5] = 1; ' +
      OK,
  },
  {
    name: 'waits that are caught',
    script: 'for (;;) { try { Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 1e9); } catch (e) {} }',
  },
  { name: 'a number that never becomes one', script: '+{ [Symbol.toPrimitive]() { for (;;) {} } };' },
  {
    name: 'a species that is a proxy without end',
    script:
      'const a = [1, 2, 3]; a.constructor = { [Symbol.species]: function () { return new Proxy([], { defineProperty() { for (;;) {} } }); } }; a.map((x) => x);',
  },
  {
    name: 'JSON of a deep list',
    script: 'let o = {}; for (let i = 0; i < 5e4; i++) o = [o]; try { JSON.stringify(o); } catch (e) {} ' + OK,
  },
  { name: 'text of a deep list', script: 'try { JSON.parse("[".repeat(1e6) + "]".repeat(1e6)); } catch (e) {} ' + OK },
  {
    name: 'JSON of megabytes again and again',
    script: 'const s = "x".repeat(1e6); for (;;) JSON.stringify([s, s, s]);',
    isStuck: true,
  },
  {
    name: 'an expression that backtracks again and again',
    script: 'const r = /(?:a|aa)+$/; for (;;) r.test("a".repeat(40) + "b");',
  },
  {
    name: 'an expression that repeats repetitions',
    script:
      'try { new RegExp("(a{1000}){1000}"); new RegExp("((a{9999}){9999}){9999}").test("a".repeat(1e5)); } catch (e) {} ' +
      OK,
  },
  {
    name: 'an expression that always finds something',
    script: 'RegExp.prototype.exec = () => ({ index: 0, 0: "", length: 1 }); "abc".replace(/x/g, "y");',
  },
  { name: 'a template without end', script: 'String.raw({ raw: { length: 2 ** 53 - 1 } });', isStuck: true },
  {
    name: 'a concatenation of empty lists',
    script: 'const a = []; a.length = 2 ** 32 - 1; a.concat(a);',
    isStuck: true,
  },
  {
    name: 'a list that is flattened to billions',
    script: 'let a = []; for (let i = 0; i < 30; i++) a = [a, a]; a.flat(Infinity);',
    isStuck: true,
  },
  {
    name: 'a list that is joined to billions',
    script: 'let a = []; for (let i = 0; i < 30; i++) a = [a, a]; String(a);',
  },
  { name: 'an object that is filled without end', script: 'Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 1);' },
  { name: 'a shift beyond memory', script: '1n << (2n ** 31n);' },
  { name: 'a product of great numbers', script: 'let a = 7n ** 200000n; for (;;) a * a;' },
  { name: 'numbers in base two without end', script: 'for (;;) (Math.random()).toString(2);' },
  {
    name: 'text that grows in upper case',
    script: 'const s = "\\ufb03".repeat(1e6); for (;;) s.toUpperCase();',
    isStuck: true,
  },
  {
    name: 'a search in text that takes the square of its length',
    script: 'const s = "a".repeat(2e6); s.indexOf("a".repeat(1e6) + "b"); ' + OK,
    isStuck: true,
  },
  {
    name: 'the keys of a great object again and again',
    script: 'const o = {}; for (let i = 0; i < 1e5; i++) o["k" + i] = i; for (;;) Object.keys(o);',
    isStuck: true,
  },
  { name: 'a chain of proxies', script: 'let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x;' },
  {
    name: 'a chain of proxies that is asked for its type',
    script: 'let p = () => 1; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); typeof p; Array.isArray(p); p();',
  },
  { name: 'a chain of bound functions', script: 'let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(); f();' },
  {
    name: 'a chain of prototypes',
    script: 'let o = {}; for (let i = 0; i < 1e5; i++) o = Object.create(o); for (;;) o.missing;',
    isStuck: true,
  },
  {
    name: 'a long list that is let go',
    script: 'let o = null; for (let i = 0; i < 1e5; i++) o = { o }; o = null; ' + OK,
  },
  {
    name: 'a chain of classes',
    script: 'let C = class {}; for (let i = 0; i < 1e4; i++) C = class extends C {}; new C();',
  },
  { name: 'billions of arguments', script: 'Math.max.apply(null, { length: 2 ** 31 });' },
  {
    name: 'modules of the host and of the engine',
    script: 'import("fs").then(() => { globalThis.mark = "left"; }); import("./x.js"); import("std"); ' + OK,
  },
  { name: 'a finally that never ends', script: 'for (;;) { try { return; } finally { continue; } }' },
  {
    name: 'a with over a proxy',
    script:
      'with (new Proxy({}, { has: () => true, get: (t, k) => k === Symbol.unscopables ? undefined : () => { for (;;) {} } })) { anything(); }',
  },
  { name: 'a list in source that never closes', script: 'eval("[".repeat(3000)); ' },
  { name: 'source of megabytes again and again', script: 'for (;;) eval("1;".repeat(1e5));', isStuck: true },
  {
    name: 'a switch of 50,000 cases',
    script: 'eval("switch(1){" + Array.from({ length: 5e4 }, (_, i) => "case " + i + ":").join("") + "}"); ' + OK,
  },
  {
    name: 'arrow functions as defaults of each other',
    script: 'eval("(a=".repeat(2000) + "1" + ")=>1".repeat(2000)); ' + OK,
  },
  { name: 'a pattern that nests', script: 'eval("[".repeat(2000) + "a" + "]".repeat(2000) + "=1"); ' + OK },
  {
    name: 'memory that grows and is let go',
    script:
      'const a = []; try { for (let i = 0; i < 20; i++) a.push(new Uint8Array(1e6).fill(7)); } catch (e) {} a.length = 0; ' +
      OK,
  },
  {
    name: 'thirty thousand secrets',
    script: 'const a = []; for (let i = 0; i < 30000; i++) a.push("secret" + i); ' + OK,
  },
  {
    name: 'an iterator that becomes a list',
    script: 'Iterator.from({ next: () => ({ value: 1 }) }).map((x) => x).toArray();',
  },
  {
    name: 'groups without end',
    script: 'Object.groupBy({ [Symbol.iterator]: () => ({ next: () => ({ value: 1 }) }) }, (x) => x);',
  },
  {
    name: 'a union without end',
    script:
      'new Set([1]).union({ size: Infinity, has: () => true, keys: () => ({ next: () => ({ value: Math.random() }) }) });',
  },
  {
    name: 'a set that grows while it is walked through',
    script: 'const s = new Set([1]); for (const x of s) s.add(x + 1);',
  },
  { name: 'a set that grows under forEach', script: 'const s = new Set([1]); s.forEach((x) => s.add(x + 1));' },
];
