import { type ClientRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { SocketConstructor } from '@respark/client';
import { WebSocket } from 'ws';
import { excerpt, MAX_SENTENCE_CHARACTERS } from '../text.ts';

/** The HTTP answer of a server, or of something in front of it, that did not open a WebSocket. */
export interface UpgradeRefusal {
  readonly status: number;
  /** The status, and what the answer says in plain text, ready to be shown. */
  readonly text: string;
  /** Whether the same attempt may be answered differently a little later. */
  readonly mayPass: boolean;
}

/** Statuses below 500 that ask the client to come again: a time-out, too early, too many requests. */
const PASSING_STATUSES = [408, 425, 429];

/** Much more than any frame of a server has. Values made from JSON take fifty times its bytes. */
const MAX_PAYLOAD_BYTES = 4_194_304;

/**
 * A WebSocket that tells `refused` with which HTTP answer an attempt failed, before it reports the failure itself. The
 * WebSocket of Node.js hides that answer, as those of browsers do. Nothing is sent before `assertThere` has resolved; an
 * attempt fails with what it rejects with.
 */
export function createPlayerWebSocket(
  refused: (refusal: UpgradeRefusal) => void,
  assertThere: () => Promise<void> = async () => {},
): SocketConstructor {
  const begin = (request: ClientRequest) => {
    assertThere().then(
      () => {
        // The client may have given up meanwhile.
        if (!request.destroyed) request.end();
      },
      (error: Error) => request.destroy(error),
    );
  };
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, { finishRequest: begin, maxPayload: MAX_PAYLOAD_BYTES, perMessageDeflate: false });
      this.on('unexpected-response', (_, response) => {
        void readRefusal(response).then((refusal) => {
          // The client may have given up while it waited for the text.
          if (this.readyState !== WebSocket.CONNECTING) return;
          refused(refusal);
          this.terminate();
        });
      });
    }
  };
}

async function readRefusal(response: IncomingMessage): Promise<UpgradeRefusal> {
  const { statusCode: status = 0, headers } = response;
  const title = `${status} ${STATUS_CODES[status] ?? ''}`.trim();
  // What else proxies answer with, such as pages of HTML, says no more than the status.
  const isText = headers['content-type']?.startsWith('text/plain') === true;
  const body = isText ? excerpt((await readStart(response)).trim(), MAX_SENTENCE_CHARACTERS) : '';
  return {
    status,
    text: body === '' ? title : `${title}: ${body}`,
    mayPass: status >= 500 || PASSING_STATUSES.includes(status),
  };
}

/** As much of the text as has arrived when it ends, breaks off or is long enough to be shown. */
async function readStart(response: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk;
      if (text.length > 2 * MAX_SENTENCE_CHARACTERS) break;
    }
  } catch {
    // The text is only an explanation, of which any beginning will do.
  }
  return text;
}
