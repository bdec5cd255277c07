import type { ServerResponse } from 'node:http';
import type { HttpReply } from './exchange.ts';

/** Sends a reply that goes on until its source ends it or its client is gone. Resolves then. */
export function sendStream(
  { status, headers, body, stream }: HttpReply & { readonly stream: NonNullable<HttpReply['stream']> },
  response: ServerResponse,
  timeoutMs: number,
): Promise<void> {
  response.writeHead(status, { ...headers, connection: 'close' });
  if (body.length > 0) response.write(body);
  return new Promise((resolve) => {
    let gone = () => {};
    response.once('close', () => {
      gone();
      resolve();
    });
    gone = stream({
      write: (text) => void response.write(text),
      get bufferedBytes() {
        return response.writableLength;
      },
      end() {
        // A client that takes nothing for this long counts as gone.
        response.req.socket.setTimeout(timeoutMs);
        response.end();
      },
    });
  });
}
