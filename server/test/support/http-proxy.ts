import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request as requestHttp } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

/** What a proxy makes of a request on its way to the server. */
export interface Rewriting {
  /** The path with its query. */
  readonly path?: (path: string) => string;
  /** Headers by lower-case name, added to those that came or in place of them. */
  readonly headers?: (received: IncomingHttpHeaders) => Readonly<Record<string, string | readonly string[]>>;
}

export interface HttpProxy {
  readonly url: string;
  forwardTo(server: { readonly url: string }): void;
}

/** A proxy for calls in front of the server, which ends with the test. The server may be named later. */
export async function startHttpProxy(
  t: TestContext,
  server: { readonly url: string } | undefined,
  { path = (same) => same, headers = () => ({}) }: Rewriting = {},
): Promise<HttpProxy> {
  let target = server;
  const proxy = createServer((received, answer) => {
    const { method = 'GET', url = '/' } = received;
    const forwardedFor = received.socket.remoteAddress;
    const added = headers(received.headers) as IncomingHttpHeaders;
    const sent = { ...received.headers, 'x-forwarded-for': forwardedFor, ...added };
    const { hostname, port } = new URL(target?.url ?? '');
    const forwarded = requestHttp({ host: hostname, port, method, path: path(url), setHost: false, headers: sent });
    received.pipe(forwarded).on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    forwarded.on('error', () => answer.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    forwardTo(server) {
      target = server;
    },
  };
}
