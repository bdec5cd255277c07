import { type Attack, OK } from './attacks.ts';

/** What a script can do to the runtime around it, and to what it hands to the host. */
export const BORDER_ATTACKS: readonly Attack[] = [
  {
    name: 'a toJSON of all lists that makes nothing of a call',
    script:
      'Array.prototype.toJSON = function () { return undefined; }; GameSparks().CurrentPlayer().GetData(["a"]); ' + OK,
  },
  {
    name: 'a toJSON of all lists that makes text of a call',
    script: 'Array.prototype.toJSON = () => "text"; GameSparks().CurrentPlayer().GetData(["a"]); ' + OK,
  },
  {
    name: 'a toJSON of all lists that makes null of a call',
    script: 'Array.prototype.toJSON = () => null; GameSparks().CurrentPlayer().GetData(["a"]); ' + OK,
  },
  {
    name: 'a toJSON of all lists that makes an object of a call',
    script: 'Array.prototype.toJSON = () => ({ length: 1e9 }); GameSparks().DynamoDB().Query("x", {}); ' + OK,
  },
  {
    name: 'a toJSON of all objects that makes nothing of a response',
    script: 'Object.prototype.toJSON = () => undefined; ' + OK,
  },
  {
    name: 'a toJSON of all text',
    script: 'String.prototype.toJSON = () => 5; GameSparks().CurrentPlayer().GetData(["a"]); ' + OK,
  },
  {
    name: 'an own error whose code never becomes text',
    script: 'return GameSparks().Messaging().Error({ toString: () => { for (;;) {} } }, "x");',
  },
  { name: 'an own error of symbols', script: 'return GameSparks().Messaging().Error(Symbol("x"), Symbol("y"));' },
  {
    name: 'a toJSON of all objects that makes nothing of an own error',
    script: 'Object.prototype.toJSON = () => undefined; return GameSparks().Messaging().Error("A", "b");',
  },
  {
    name: 'a toJSON of all objects that makes null of an own error',
    script: 'Object.prototype.toJSON = () => null; return GameSparks().Messaging().Error("A", "b");',
  },
  {
    name: 'a toJSON of all objects that makes a response of an own error',
    script:
      'Object.prototype.toJSON = () => ({ kind: "returned", response: "not json" }); return GameSparks().Messaging().Error("A", "b");',
  },
  {
    name: 'a toJSON of all objects that makes another ending of an own error',
    script:
      'Object.prototype.toJSON = () => ({ kind: "busy", why: "lie" }); return GameSparks().Messaging().Error("A", "b");',
  },
  {
    name: 'a toJSON of all objects that makes nothing of a failure',
    script: 'Object.prototype.toJSON = () => undefined; throw new Error("x");',
  },
  {
    name: 'a toJSON of all objects that makes null of a failure',
    script: 'Object.prototype.toJSON = () => null; throw new Error("x");',
  },
  {
    name: 'a toJSON of all objects that makes other types of a failure',
    script: 'Object.prototype.toJSON = () => ({ name: 5, message: {}, stack: [] }); throw new Error("x");',
  },
  {
    name: 'a toJSON of all objects that throws',
    script: 'Object.prototype.toJSON = () => { throw 1; }; throw new Error("x");',
  },
  { name: 'a response of nothing', script: 'return GameSparks().Messaging().Response();' },
  { name: 'a response that is a function', script: 'return GameSparks().Messaging().Response(function () {});' },
  { name: 'a response with a BigInt', script: 'return GameSparks().Messaging().Response({ a: 1n });' },
  { name: 'a response that is a symbol', script: 'return GameSparks().Messaging().Response(Symbol());' },
  {
    name: 'a response whose class is asked without end',
    script:
      'const r = GameSparks().Messaging().Response({}); Object.defineProperty(r.constructor, Symbol.hasInstance, { value: () => { for (;;) {} } }); return 1;',
  },
  {
    name: 'a response that was not made by Messaging',
    script:
      'const r = GameSparks().Messaging().Response({}); const p = Object.create(Object.getPrototypeOf(r), { payload: { get() { return { a: "mine" }; } } }); return p;',
  },
  {
    name: 'a response behind a proxy without an end',
    script:
      'const r = GameSparks().Messaging().Response({}); r.payload = 5; return new Proxy(r, { getPrototypeOf() { for (;;) {} } });',
  },
  {
    name: 'an own error with a getter without end',
    script:
      'const e = GameSparks().Messaging().Error("A", "b"); Object.defineProperty(e, "code", { get() { for (;;) {} } }); throw e;',
  },
  {
    name: 'an own error that throws itself',
    script:
      'const e = GameSparks().Messaging().Error("A", "b"); Object.defineProperty(e, "code", { get() { throw e; } }); throw e;',
  },
  {
    name: 'an own error of megabytes',
    script: 'return GameSparks().Messaging().Error("A".repeat(3e6), "b".repeat(3e6));',
  },
  { name: 'an error that is no Unicode', script: 'throw new Error("\\ud800".repeat(1e5));' },
  { name: 'a response that is no Unicode', script: 'return GameSparks().Messaging().Response({ a: "\\ud800" });' },
  {
    name: 'a call with zero characters',
    script: 'GameSparks().CurrentPlayer().SetData({ "a\\u0000b": "c\\u0000d" }); ' + OK,
  },
  {
    name: 'a line of what is no Unicode, zero and a terminal’s escapes',
    script: 'GameSparks().Logging().Info("\\ud800\\u0000x\\u001b[31m"); ' + OK,
  },
  {
    name: 'a line that is a proxy without end',
    script:
      'GameSparks().Logging().Info(new Proxy({}, { get() { throw new Error("x"); }, ownKeys() { for (;;) {} } })); ' +
      OK,
  },
  {
    name: 'a line that is a proxy that throws',
    script: 'GameSparks().Logging().Info(new Proxy({}, { get() { throw new Error("x"); } })); ' + OK,
  },
  {
    name: 'lines of what has no JSON',
    script:
      'GameSparks().Logging().Info(Symbol("x")); GameSparks().Logging().Info(null); GameSparks().Logging().Info(undefined); GameSparks().Logging().Info(5n); ' +
      OK,
  },
  {
    name: 'a line that never becomes text',
    script: 'GameSparks().Logging().Info({ toJSON() {}, [Symbol.toPrimitive]() { for (;;) {} } }); ' + OK,
  },
  {
    name: 'lines of the runtime’s own functions',
    script: 'GameSparks().Logging().Info(GameSparks); GameSparks().Logging().Info(GameSparks().Logging().Info); ' + OK,
  },
  {
    name: 'a notification that is a proxy that throws',
    script:
      'GameSparks().Messaging().SendNotification("x", new Proxy({}, { ownKeys() { throw new Error("y"); } })); ' + OK,
  },
  {
    name: 'calls without their objects',
    script: 'const { Info } = GameSparks().Logging(); Info.call(null, 1); Info.apply(5, []); new Info(); ' + OK,
  },
  {
    name: 'every call without arguments',
    script:
      'for (const g of ["Logging","Messaging","CurrentPlayer","Player","Lambda","DynamoDB","Http"]) { const o = GameSparks()[g](); for (const k of Object.keys(o)) { try { o[k](); } catch (e) {} try { o[k].call(); } catch (e) {} try { Reflect.apply(o[k], {}, { length: 1000 }); } catch (e) {} } } ' +
      OK,
  },
  {
    name: 'a call with 50,000 arguments',
    script: 'GameSparks().Messaging().SendNotification(...Array(50000).fill("x")); ' + OK,
  },
  { name: 'a Map that lies', script: 'Map.prototype.get = () => () => "mine"; Map.prototype.set = () => 1; ' + OK },
  {
    name: 'a function that has every instance',
    script:
      'try { Object.defineProperty(Function.prototype, Symbol.hasInstance, { value: () => true }); } catch (e) {} return { payload: "x" };',
  },
  {
    name: 'a toString of all objects without end',
    script:
      'Object.prototype.toString = () => { for (;;) {} }; String.prototype.toString = () => { for (;;) {} }; throw {};',
  },
  {
    name: 'a call and an apply of all functions that lie',
    script:
      'Function.prototype.call = Function.prototype.apply = () => 1; GameSparks().CurrentPlayer().GetData(["a"]); ' +
      OK,
  },
  {
    name: 'an iterator of all lists without end',
    script:
      'Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1; }; GameSparks().Messaging().SendNotification("a", {}); ' +
      OK,
  },
  {
    name: 'an iterator of all lists that throws',
    script: 'Array.prototype[Symbol.iterator] = () => { throw 1; }; Math.random(); throw new Error("a");',
  },
  {
    name: 'an error that every answer has',
    script:
      'Object.defineProperty(Object.prototype, "error", { get() { return { code: "x", message: "y" }; } }); GameSparks().CurrentPlayer().GetData(["a"]); ' +
      OK,
  },
  {
    name: 'a setter of all objects without end',
    script: 'Object.defineProperty(Object.prototype, "payload", { set(v) { for (;;) {} } }); ' + OK,
  },
  {
    name: 'a setter of all errors without end',
    script:
      'Object.defineProperty(Error.prototype, "code", { set() { for (;;) {} } }); return GameSparks().Messaging().Error("A", "b");',
  },
  {
    name: 'marks through the prototype of the message',
    script: 'message.__proto__.mark = "left"; message.constructor.mark = "left"; ' + OK,
  },
  {
    name: 'calls at the end of the stack',
    script:
      'function f(n) { try { f(n + 1); } catch (e) { GameSparks().CurrentPlayer().GetData(["a"]); throw e; } } try { f(0); } catch (e) {} ' +
      OK,
  },
  {
    name: 'a line at the end of the stack',
    script:
      'let n = 0; function f() { n++; try { f(); } catch (e) { GameSparks().Logging().Info("deep " + n); } } f(); ' +
      OK,
  },
  {
    name: 'a call in a getter in a call',
    script:
      'GameSparks().CurrentPlayer().SetData({ get a() { return GameSparks().CurrentPlayer().GetData(["x"]); }, toJSON() { GameSparks().Logging().Info("in"); return { a: this.a }; } }); ' +
      OK,
  },
  {
    name: 'a call after the time is up',
    script: 'try { for (;;) {} } finally { try { GameSparks().CurrentPlayer().SetData({ a: 1 }); } catch (e) {} }',
  },
  {
    name: 'the caller of the wrapper',
    script:
      'let c; try { c = arguments.callee.caller; } catch (e) { c = e; } return GameSparks().Messaging().Response({ c: String(c) });',
  },
  {
    name: 'the caller of a function',
    script: 'function f() { return String(f.caller); } return GameSparks().Messaging().Response({ c: f() });',
  },
  {
    name: 'a stack trace without end',
    script: 'Error.prepareStackTrace = () => { for (;;) {} }; throw new Error("x");',
  },
  {
    name: 'a stack trace that throws',
    script: 'Error.prepareStackTrace = () => { throw new Error("again"); }; null.x;',
  },
  { name: 'a stack trace of any length', script: 'Error.stackTraceLimit = 1e9; (function f() { f(); })();' },
  {
    name: 'a stack that is a getter without end',
    script: 'const e = new Error("x"); Object.defineProperty(e, "stack", { get() { for (;;) {} } }); throw e;',
  },
  {
    name: 'an error behind a proxy',
    script: 'throw new Proxy(new Error("x"), { get() { return new Proxy({}, {}); } });',
  },
];
