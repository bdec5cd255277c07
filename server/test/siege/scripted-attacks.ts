import type { Json, Sections } from '../../src/domain/configuration/document.ts';
import { scriptedGame } from '../support/scripted-game.ts';

/** A script that harms, and the payload with which players have it run. */
interface HarmfulHandler {
  readonly script: string;
  /** JSON text; `{}` unless it says otherwise. */
  readonly payload?: string;
}

const OK = 'return GameSparks().Messaging().Response({});';
const MAX_CALLS = 100;
/** About what one message may bring. */
const PAYLOAD_BYTES = 15_000;

/** What the scripts of the attacker's stage do, by the names of their messages. */
export const HARMFUL_HANDLERS: Readonly<Record<string, HarmfulHandler>> = {
  Nothing: { script: OK },
  Loop: { script: 'for (;;) {}' },
  Recursion: { script: 'function f() { try { f(); } catch (e) { f(); } } f();' },
  Native: { script: 'Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);' },
  Memory: { script: 'const a = []; for (;;) a.push(new Uint8Array(65536).fill(1));' },
  Texts: { script: "let s = 'x'; for (;;) s += s;" },
  Reads: { script: `${repeated("GameSparks().CurrentPlayer().GetData(['a']);")} ${OK}` },
  Writes: {
    script: `const text = 'x'.repeat(200000); ${repeated('GameSparks().CurrentPlayer().SetData({ a: text + i });')} ${OK}`,
  },
  // What the script has read is looked at once more before the write, because others write meanwhile.
  ReadsOfManyKeys: {
    script: `
      const everybody = GameSparks().Player('everybody');
      const text = 'x'.repeat(2400);
      for (let i = 0; i < ${MAX_CALLS - 2}; i += 1) everybody.GetData(Array.from({ length: 100 }, (_, at) => text + (100 * i + at)));
      try { everybody.SetData({ Me: 1 }); } catch (e) {} ${OK}`,
  },
  WritesBeside: {
    script: `${repeated("GameSparks().Player('everybody').SetData({ Number: Math.random() });")} ${OK}`,
  },
  Notifies: {
    script: `const text = 'x'.repeat(10000); ${repeated("GameSparks().Messaging().SendNotification('Note', { Text: text });")} ${OK}`,
  },
  Raises: { script: `${repeated("GameSparks().Messaging().RaiseEvent('Again', {});")} ${OK}` },
  // Their payloads are read once more, and written, when the handler has ended.
  RaisesOfLists: {
    script: `const list = Array.from({ length: 2400 }, () => ({ Text: 'a' })); ${repeated("GameSparks().Messaging().RaiseEvent('Listed', { List: list });")} ${OK}`,
  },
  Disconnects: { script: `${repeated("GameSparks().Player('nobody-' + i).Disconnect();")} ${OK}` },
  Unlisted: {
    script: `${repeated("try { GameSparks().Http().Fetch('http://localhost:1/'); GameSparks().Lambda('f').Invoke({}); } catch (e) {}")} ${OK}`,
  },
  LongArguments: {
    script: `const a = Array.from({ length: 4900 }, (_, i) => ({})); ${repeated("try { GameSparks().Lambda('f').Invoke(a); } catch (e) {}")} ${OK}`,
  },
  Logs: {
    script: `for (let i = 0; i < 10000; i += 1) GameSparks().Logging().Info('x'.repeat(320) + i); ${OK}`,
  },
  // The first just fits; the second is refused.
  Responses: { script: responseOf(4_900) },
  LongResponses: { script: responseOf(80_000) },
  LooseResponses: {
    script:
      'const o = {}; for (let i = 0; i < 4900; i += 1) o["k" + i] = i; return GameSparks().Messaging().Response(o);',
  },
  Documents: { script: OK, payload: `{"Any":${filled('[', () => '{"a":[]},', '0]')}}` },
  Lists: { script: OK, payload: `{"List":${filled('[', () => '{"Text":"a"},', '{"Text":"z"}]')}}` },
  Faults: { script: OK, payload: `{"List":${filled('[', (at) => `{"Text":"a","${at}":1},`, '{"Text":5}]')}}` },
};

/** The sections of the game with these handlers. */
export function harmfulGame(): Sections {
  const requests = Object.entries(HARMFUL_HANDLERS).map(([name, { script }]) => [
    name,
    { request: { Any: 'Document?', List: 'Items?' }, response: { Any: 'Document?' }, script },
  ]);
  const item: Json = { Structure: { Fields: { Text: { Shape: 'String', Cardinality: 'Required' } } } };
  return scriptedGame({
    requests: Object.fromEntries(requests),
    events: {
      Again: { script: repeated("GameSparks().Messaging().RaiseEvent('Again', {});"), isFromPlayers: false },
      Listed: { event: { List: 'Items' }, script: '', isFromPlayers: false },
    },
    notifications: { Note: { Text: 'String' } },
    shapes: { Item: item, Items: { List: { Shape: 'Item' } } },
  });
}

function responseOf(items: number): string {
  return `return GameSparks().Messaging().Response({ Any: Array.from({ length: ${items} }, (_, i) => i % 3 ? {} : []) });`;
}

function repeated(call: string): string {
  return `for (let i = 0; i < ${MAX_CALLS}; i += 1) { ${call} }`;
}

function filled(begin: string, part: (at: number) => string, end: string): string {
  let text = begin;
  for (let at = 0; text.length < PAYLOAD_BYTES; at += 1) text += part(at);
  return text + end;
}
