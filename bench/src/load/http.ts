import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

const CLOSED = 'the server closed an HTTP connection';

/** One kept-alive connection for one request at a time: an HTTP client that costs as little as possible. */
export class HttpConnection {
  /** Resolves when it is closed, by either side. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void } | undefined;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#waiting?.reject(error));
    this.closed = new Promise((resolve) => this.#socket.on('close', () => resolve()));
    void this.closed.then(() => this.#waiting?.reject(new Error(CLOSED)));
  }

  /** Rejects when the server closes the connection before its answer, or has done so before. */
  request(text: string): Promise<HttpAnswer> {
    // A socket that is closed already says nothing of a write.
    if (this.#socket.destroyed) return Promise.reject(new Error(CLOSED));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(text);
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = findAnswer(this.#received);
    if (answer === undefined) return;
    this.#received = Buffer.alloc(0);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(answer);
  }
}

/** The answer, once all of it has arrived, which its content length or its last chunk shows. */
function findAnswer(received: Buffer): HttpAnswer | undefined {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = received.toString('latin1', 0, headEnd);
  const body = received.subarray(headEnd + 4);
  const status = Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    return body.length < Number(length) ? undefined : { status, body: body.toString() };
  }
  const text = body.toString();
  if (!text.endsWith('0\r\n\r\n')) return undefined;
  // Lines with chunk sizes can be removed like this because the bodies are JSON without line breaks.
  return { status, body: text.replace(/(^|\r\n)[0-9a-f]+\r\n/gi, '').trim() };
}
