import { isUtf8 } from 'node:buffer';
import { GrowingBytes } from '../../growing-bytes.ts';
import { type FrameFault, type FrameHead, isCloseCode, MAX_HEAD_BYTES, OPCODE, readHead, unmask } from './frames.ts';

export interface ReaderLimits {
  /** For a message, in whatever number of fragments it comes. */
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
}

/** What a client has sent. The bytes may be a part of those that were pushed, and count until the next push. */
export type Received =
  | { readonly kind: 'text' | 'binary' | 'ping' | 'pong'; readonly data: Buffer }
  /** The code is undefined when the client gave none. */
  | { readonly kind: 'close'; readonly code: number | undefined; readonly reason: Buffer }
  | FrameFault;

/** A frame whose head has come. */
interface Frame {
  readonly head: FrameHead;
  /** Where the payload is collected when it does not come in one piece, or is a fragment. */
  collected: GrowingBytes | undefined;
  missing: number;
}

/** A message of which a part has come. */
interface Message {
  readonly opcode: number;
  readonly collected: GrowingBytes;
  fragments: number;
}

const NOTHING = Buffer.alloc(0);

/**
 * Reads what a client sends on one WebSocket, as RFC 6455 demands of a server: the caller pushes bytes, cut in whatever
 * way, and takes what they hold until nothing more is there. Text is checked once its message is complete. After a close
 * frame or a fault there is nothing more to read. What is kept grows with the bytes that have come, not with the length
 * that a client announces.
 */
export class FrameReader {
  readonly #limits: ReaderLimits;
  #chunk: Buffer = NOTHING;
  #at = 0;
  /** The beginning of a head. */
  #head: GrowingBytes | undefined;
  #frame: Frame | undefined;
  #message: Message | undefined;

  constructor(limits: ReaderLimits) {
    this.#limits = limits;
  }

  /** Whether the bytes so far ended with a message, so that a new reader could go on. */
  get isAtRest(): boolean {
    return !this.hasUnread && this.#head === undefined && this.#frame === undefined && this.#message === undefined;
  }

  /** Whether bytes that were pushed have not been looked at. */
  get hasUnread(): boolean {
    return this.#at < this.#chunk.length;
  }

  /** What is kept of a message that has not come whole, with the room for what comes next. */
  get begunBytes(): number {
    return this.#message?.collected.sizeWith(0) ?? 0;
  }

  /** Gives bytes to the reader, which writes to them. */
  push(chunk: Buffer): void {
    this.#chunk = this.hasUnread ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
  }

  /** The next message, control frame or fault; undefined when more bytes must come. */
  next(): Received | undefined {
    const received = this.#next();
    if (received === undefined) {
      // What counts of the chunk has been copied. A client must not make the server keep the rest by pausing in a frame.
      this.#chunk = NOTHING;
      this.#at = 0;
    }
    return received;
  }

  #next(): Received | undefined {
    for (;;) {
      if (this.#frame === undefined) {
        const head = this.#readHead();
        if (head === undefined || head.kind === 'fault') return head;
        this.#frame = { head, collected: undefined, missing: head.length };
      }
      const frame = this.#frame;
      const { head } = frame;
      const payload = this.#readPayload(frame);
      if (payload === undefined) return undefined;
      this.#frame = undefined;
      const received = head.opcode >= OPCODE.close ? endControl(head, payload) : this.#endData(head, payload);
      if (received !== undefined) return received;
    }
  }

  #readHead(): FrameHead | FrameFault | undefined {
    const isFragmented = this.#message !== undefined;
    const room = this.#limits.maxMessageBytes - (this.#message?.collected.length ?? 0);
    if (this.#head === undefined) {
      const head = readHead(this.#chunk, this.#at, this.#chunk.length, isFragmented, room);
      if (head?.kind === 'head') this.#at += head.size;
      else if (head === undefined && this.hasUnread) this.#growHead();
      return head;
    }
    const all = this.#growHead();
    const head = readHead(all, 0, all.length, isFragmented, room);
    if (head?.kind === 'head') {
      // What was added may be longer than the head.
      this.#at += head.size - all.length;
      this.#head = undefined;
    }
    return head;
  }

  /** The whole payload of a control frame or of a message in one frame; otherwise what of the message there is. */
  #readPayload(frame: Frame): Buffer | undefined {
    const { head } = frame;
    const piece = this.#chunk.subarray(this.#at, this.#at + frame.missing);
    this.#at += piece.length;
    const isWhole = piece.length === head.length;
    if (isWhole && (head.opcode >= OPCODE.close || (head.isFinal && this.#message === undefined))) {
      unmask(piece, piece, 0, head.mask, 0);
      return piece;
    }
    frame.collected ??= this.#collectorOf(head);
    const added = frame.collected.add(piece);
    unmask(added, added, 0, head.mask, head.length - frame.missing);
    frame.missing -= piece.length;
    return frame.missing === 0 ? frame.collected.all : undefined;
  }

  #collectorOf({ opcode }: FrameHead): GrowingBytes {
    if (opcode >= OPCODE.close) return new GrowingBytes();
    this.#message ??= { opcode, collected: new GrowingBytes(this.#limits.maxMessageBytes), fragments: 0 };
    return this.#message.collected;
  }

  #endData(head: FrameHead, data: Buffer): Received | undefined {
    const message = this.#message;
    const fragments = (message?.fragments ?? 0) + 1;
    if (fragments > this.#limits.maxFragments) {
      return { kind: 'fault', code: 1008, reason: 'a message came in too many pieces' };
    }
    if (message !== undefined) message.fragments = fragments;
    if (!head.isFinal) return undefined;
    this.#message = undefined;
    if ((message ?? head).opcode === OPCODE.binary) return { kind: 'binary', data };
    return isUtf8(data) ? { kind: 'text', data } : NOT_UTF8;
  }

  /** Adds what is unread, up to the longest head. */
  #growHead(): Buffer {
    this.#head ??= new GrowingBytes();
    const more = this.#chunk.subarray(this.#at, this.#at + MAX_HEAD_BYTES - this.#head.length);
    this.#at += more.length;
    this.#head.add(more);
    return this.#head.all;
  }
}

const NOT_UTF8: FrameFault = { kind: 'fault', code: 1007, reason: 'text must be UTF-8' };

function endControl({ opcode }: FrameHead, data: Buffer): Received {
  if (opcode === OPCODE.ping) return { kind: 'ping', data };
  if (opcode === OPCODE.pong) return { kind: 'pong', data };
  if (data.length === 0) return { kind: 'close', code: undefined, reason: data };
  const code = data.readUInt16BE(0);
  const reason = data.subarray(2);
  if (!isCloseCode(code)) return { kind: 'fault', code: 1002, reason: `a client must not send close code ${code}` };
  return isUtf8(reason) ? { kind: 'close', code, reason } : NOT_UTF8;
}
