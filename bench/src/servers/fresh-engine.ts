// What is usually done to run scripts that must not see each other: QuickJS, with a runtime and a context made anew for each
// message, in the server's own process and behind a bare WebSocket. The handlers and the functions that they can call are
// those of Respark; player data is a map in memory. Nothing waits for anything here, so there is no handler that does.
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { SCRIPTS } from '../cloud-code/handlers.ts';
import { fromServer } from '../respark-build.ts';
import { reportReady } from './ready.ts';

const { compileEngine, startEngine } =
  await fromServer<typeof import('../../../server/src/sandbox/engine.ts')>('sandbox/engine');
const { installGuestApi } =
  await fromServer<typeof import('../../../server/src/sandbox/guest-api.ts')>('sandbox/guest-api');

class PlayerSocket extends WebSocket {
  playerId = '';
}

const PRELUDE = `(${installGuestApi.toString()})`;
const { quickJs } = await startEngine(await compileEngine());
const sockets = new Map<string, PlayerSocket>();
const data = new Map<string, Record<string, unknown>>();

/** The calls that the handlers make, by the names that the guest's own side has for them. */
const CALLS: Readonly<Record<string, (...parameters: never[]) => unknown>> = {
  GetData(playerId: string, keys: readonly string[]) {
    const all = data.get(playerId) ?? {};
    return Object.fromEntries(keys.flatMap((key) => (key in all ? [[key, all[key]]] : [])));
  },
  SetData: (playerId: string, values: object) => void data.set(playerId, { ...data.get(playerId), ...values }),
  SendNotification: (type: string, payload: unknown, playerId: string) =>
    sockets.get(playerId)?.send(JSON.stringify({ type, payload })),
};

/** Runs a handler, and returns the JSON text of its response. */
function handle(handler: keyof typeof SCRIPTS, playerId: string, message: unknown): string {
  const runtime = quickJs.newRuntime();
  const context = runtime.newContext();
  const call = context.newFunction('call', (operation, parametersJson) => {
    const parameters = JSON.parse(context.getString(parametersJson)) as never[];
    const result = CALLS[context.getString(operation)]?.(...parameters) ?? null;
    return context.newString(JSON.stringify({ result }));
  });
  const log = context.newFunction('log', () => {});
  const host = context.newObject();
  context.setProp(host, 'call', call);
  context.setProp(host, 'log', log);
  const install = context.unwrapResult(context.evalCode(PRELUDE, 'prelude'));
  const installed = context.unwrapResult(context.callFunction(install, context.undefined, host));
  const compiled = context.unwrapResult(context.evalCode(`(function(message){${SCRIPTS[handler]}\n})`, handler));
  const name = context.newString(handler);
  const define = context.getProp(installed, 'define');
  const defined = context.unwrapResult(context.callFunction(define, context.undefined, name, compiled));
  const run = context.getProp(installed, 'run');
  const input = context.newString(JSON.stringify({ playerId, message }));
  const seeds = Array.from({ length: 4 }, () => context.newNumber(Math.random() * 2 ** 31));
  const result = context.unwrapResult(context.callFunction(run, context.undefined, name, input, ...seeds));
  const text = context.getString(result);
  const handles = [result, ...seeds, input, run, defined, define, name, compiled, installed, install, host, log, call];
  for (const handle of handles) handle.dispose();
  context.dispose();
  runtime.dispose();
  if (text[0] !== 'r') throw new Error(`handler ${handler} gave no response: ${text}`);
  return text.slice(1);
}

function onMessage(this: WebSocket, bytes: RawData): void {
  const { handler, payload } = JSON.parse(String(bytes)) as { handler: keyof typeof SCRIPTS; payload: unknown };
  this.send(handle(handler, (this as PlayerSocket).playerId, payload));
}

const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, WebSocket: PlayerSocket });
const server = createServer();
server.on('upgrade', (request, socket, head) => {
  webSockets.handleUpgrade(request, socket as Socket, head, (ws) => {
    ws.playerId = (request.url ?? '').slice('/?player='.length);
    sockets.set(ws.playerId, ws);
    ws.on('message', onMessage);
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => reportReady(server));
