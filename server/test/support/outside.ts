import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { createLog } from '../../src/log.ts';
import { createOutside, type OutsideSettings } from '../../src/outside/outside.ts';
import type { HostAnswer } from '../../src/sandbox/sandbox.ts';
import { ManualClock } from './manual-clock.ts';

export const NO_SETTINGS: OutsideSettings = {
  region: 'eu-central-1',
  lambdaEndpoint: undefined,
  lambdaFunctions: [],
  lambdaRoutes: [],
  dynamodbEndpoint: undefined,
  dynamodbTables: [],
  outsideHosts: [],
  outsideTimeoutMs: 3_000,
  outsideMaxResponseBytes: 262_144,
};

/** Ways to the outside with these settings, whose time stands still until the test moves it. */
export function openOutside(
  t: TestContext,
  settings: Partial<OutsideSettings>,
  parts: Pick<Parameters<typeof createOutside>[0], 'lookUp'> = {},
) {
  const lines: { level: number; msg: string; [field: string]: unknown }[] = [];
  const log = createLog({ level: 'debug', destination: { write: (line: string) => lines.push(JSON.parse(line)) } });
  const clock = new ManualClock();
  const outside = createOutside({ clock, log, settings: { ...NO_SETTINGS, ...settings }, ...parts });
  t.after(() => outside.close());
  return { outside, clock, lines };
}

/** Lets the AWS SDK find these credentials and no others, nor any settings, until the test has ended. */
export function setAwsEnvironment(t: TestContext, variables: Readonly<Record<string, string>> = CREDENTIALS): void {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  const nowhere = { AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null' };
  Object.assign(process.env, { ...nowhere, AWS_SHARED_CREDENTIALS_FILE: '/dev/null', ...variables });
  t.after(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, before);
  });
}

export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'AKIDOUTSIDE',
  AWS_SECRET_ACCESS_KEY: 'a-secret-that-nobody-may-see',
  AWS_SESSION_TOKEN: 'a-session-token-that-nobody-may-see',
};

/** The result of a call, which must have been answered with one. */
export async function resultOf(answer: Promise<HostAnswer>): Promise<unknown> {
  const given = await answer;
  assert.ok('result' in given, JSON.stringify(given));
  // As the script gets it.
  return JSON.parse(JSON.stringify(given.result));
}

/** The error of a call, which must have been answered with one. */
export async function errorOf(answer: Promise<HostAnswer>): Promise<{ code: string; message: string }> {
  const given = await answer;
  assert.ok('error' in given, JSON.stringify(given));
  return { ...given.error };
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server that answers as the test says, and ends with it. */
export async function startWebServer(
  t: TestContext,
  answer: (response: ServerResponse, request: SeenRequest, incoming: IncomingMessage) => void,
  create: (listener: RequestListener) => Server = createServer,
) {
  const requests: SeenRequest[] = [];
  const sockets: Socket[] = [];
  const server = create(async (incoming, response) => {
    const { method = '', url = '', headers } = incoming;
    const request = { method, url, headers, body: await text(incoming) };
    requests.push(request);
    answer(response, request, incoming);
  });
  server.on('connection', (socket: Socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
  });
  server.on('secureConnection', (socket: Socket) => socket.on('error', () => {}));
  const port = await listen(t, server);
  t.after(() => server.closeAllConnections());
  return { port, url: `http://127.0.0.1:${port}`, requests, sockets, server };
}

/** A server that reads what comes and then does with the socket what the test says. */
export async function startTcpServer(t: TestContext, answer: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  const port = await listen(t, server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return { port, url: `http://127.0.0.1:${port}`, sockets };
}

/** A port of this machine on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listen(t: TestContext, server: ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Resolves once the first of these sockets of a server has closed, however. */
export async function firstClosed([socket]: readonly Socket[]): Promise<void> {
  assert.ok(socket);
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}
