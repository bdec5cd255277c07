import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const WAIT_MS = 1;
const BODY = '{"Gold":5}';

/** Answers whatever it is asked after a millisecond, as a function or a database nearby would. */
export async function startWaitServer(): Promise<{ readonly url: string; stop(): void }> {
  const server = createServer((request, response) => {
    request.resume();
    setTimeout(() => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': BODY.length }).end(BODY);
    }, WAIT_MS);
  });
  // A connection that is kept while other figures are measured is still open when it is needed.
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
