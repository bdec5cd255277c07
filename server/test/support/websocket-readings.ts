import type { Writable } from 'node:stream';
import * as ws from 'ws';
import { FrameReader, type ReaderLimits, type Received } from '../../src/gateway/websocket/frame-reader.ts';

/** What a WebSocket's reader says about bytes, a line each: `text …`, `ping …`, `close 1000 …`, `fault 1002`. */
export type Reading = readonly string[];

const line = (kind: string, data: Uint8Array) => `${kind} ${Buffer.from(data).toString('latin1')}`;

function describe(received: Received): string {
  if (received.kind === 'fault') return `fault ${received.code}`;
  if (received.kind === 'close') return line(`close ${received.code ?? 1005}`, received.reason);
  return line(received.kind, received.data);
}

/** Reads bytes as the server does. The bytes stay as they are. */
export function readWithServer(chunks: readonly Uint8Array[], limits: ReaderLimits): Reading {
  const reader = new FrameReader(limits);
  const lines: string[] = [];
  for (const chunk of chunks) {
    reader.push(Buffer.from(chunk));
    for (let received = reader.next(); received !== undefined; received = reader.next()) {
      lines.push(describe(received));
      if (received.kind === 'close' || received.kind === 'fault') return lines;
    }
  }
  return lines;
}

interface ReceiverOptions {
  readonly isServer: boolean;
  readonly maxPayload: number;
  readonly maxFragments: number;
}

// Its types leave out this class, which `ws` exports.
const { Receiver } = ws as unknown as { Receiver: new (options: ReceiverOptions) => Writable };

/** A reader of `ws`, for either end of a WebSocket without compression. */
export class WsReader {
  readonly lines: string[] = [];
  readonly #receiver: Writable;
  /** Whether a close frame or a fault has come, after which nothing more is read. */
  hasEnded = false;

  constructor(options: ReceiverOptions) {
    this.#receiver = new Receiver(options)
      .on('message', (data: Buffer, isBinary: boolean) => this.lines.push(line(isBinary ? 'binary' : 'text', data)))
      .on('ping', (data: Buffer) => this.lines.push(line('ping', data)))
      .on('pong', (data: Buffer) => this.lines.push(line('pong', data)))
      .on('conclude', (code: number, reason: Buffer) => this.#end(line(`close ${code}`, reason)))
      .on('error', () => {});
  }

  /** Takes bytes, which it may change. What they hold is in `lines` when this returns. */
  push(chunk: Uint8Array): void {
    if (this.hasEnded) return;
    this.#receiver.write(chunk);
    const { errored } = this.#receiver;
    if (errored !== null) this.#end(`fault ${closeCodeOf(errored)}`);
  }

  #end(how: string): void {
    this.hasEnded = true;
    this.lines.push(how);
  }
}

/** `ws` keeps the close code that goes with a fault under a symbol of its own. */
function closeCodeOf(error: Error): unknown {
  const [symbol] = Object.getOwnPropertySymbols(error).filter(({ description }) => description === 'status-code');
  if (symbol === undefined) throw error;
  return (error as unknown as Record<symbol, unknown>)[symbol];
}

/** Reads bytes as a server with `ws` does. The bytes stay as they are. */
export function readWithWs(chunks: readonly Uint8Array[], limits: ReaderLimits): Reading {
  const { maxMessageBytes, maxFragments } = limits;
  const reader = new WsReader({ isServer: true, maxPayload: maxMessageBytes, maxFragments });
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  return reader.lines;
}
