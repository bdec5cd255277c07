import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { createTestWorld, ROOT } from './world.ts';

export interface FakeReply {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** Sent as JSON unless it is text. */
  readonly body: unknown;
}

/** Instead of a reply: the connection breaks, or stays open and silent. */
export const HANG_UP = Symbol('hang up');
export const SILENCE = Symbol('silence');

export type FakeAnswer = FakeReply | typeof HANG_UP | typeof SILENCE;

export interface FakeRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A management API that answers as the test says, and a world in which it is the server of the data directory. */
export async function startFakeService(t: TestContext, answer: (request: FakeRequest) => FakeAnswer) {
  const requests: FakeRequest[] = [];
  const service = createServer(async (incoming, response) => {
    const { method = '', url = '', headers } = incoming;
    const request = { method, url, headers, body: await text(incoming) };
    requests.push(request);
    const reply = answer(request);
    // To destroy the request would not do: once its body is read, that leaves the socket open.
    if (reply === HANG_UP) return void incoming.socket.destroy();
    if (reply === SILENCE) return;
    const { status = 200, headers: replyHeaders = {}, body } = reply;
    response.writeHead(status, replyHeaders).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  t.after(() => {
    service.closeAllConnections();
    service.close();
  });
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  return { url, world: createTestWorld({ local: { root: ROOT, url } }), requests };
}

/** An error, which the service answers instead of a result. */
export function refusal(name: string, message: string, status = 400): FakeReply {
  return { status, headers: { 'x-amzn-errortype': name, 'x-amzn-requestid': 'r-1' }, body: { Message: message } };
}
