import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Turns } from '../turns.ts';
import { addressGroup } from './client-address.ts';

/**
 * What is read from a socket reaches Node.js's parser in pieces of this size. The shortest request has 26 bytes, so one
 * read of 64 KiB may hold 2,500, and the parser makes an object of each before anything else can run.
 */
const PIECE_BYTES = 1_024;

/**
 * More than a socket brings before it is paused, which is one read of 64 KiB, and what the next reads find when somebody
 * else has resumed it. One that goes on to bring more is not held off by a pause, and would fill the memory.
 */
const MAX_UNPARSED_BYTES = 1_048_576;

type Feed = (chunk: Buffer) => void;

/** The property of a socket that leads to its input, so that all of them share their event handlers. */
const INPUT = Symbol('input');

interface Carrier extends Socket {
  [INPUT]?: Input | undefined;
}

/** What decides when a socket's input is parsed. */
export interface ParsingOrder {
  /** Whether more of what the socket has brought may be parsed. When that may have changed, call `resumeParsing`. */
  readonly mayParse: (socket: Socket) => boolean;
  /** For a socket that brings the requests of many clients: what tells the lane of each. Otherwise undefined. */
  readonly laneFinderOf: (socket: Socket) => LaneFinder | undefined;
}

/** Finds the lane of the request that these bytes, which have not been parsed, begin with. */
export type LaneFinder = (bytes: Buffer) => string;

/**
 * Has the server parse what its sockets bring in turns with everything else that clients have it do. Must be called after
 * the server's other event handlers have been added.
 */
export function parseInTurns(server: Server, turns: Turns, order: Partial<ParsingOrder> = {}): void {
  // A handler on a server that serves no players would make Node.js accept their upgrades, which get no answer then.
  if (server.listenerCount('upgrade') > 0) {
    server.prependListener('upgrade', (_request, socket) => (socket as Carrier)[INPUT]?.detach());
  }
  server.on('connection', () => turns.noteArrival());
  // The server's own listener has run before, and has attached its parser. TLS has an event of its own.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Carrier) => {
    const [feed, ...others] = socket.listeners('data') as Feed[];
    if (feed === undefined || others.length > 0) return;
    socket[INPUT] = new Input({ socket, feed, turns, order });
    socket.off('data', feed).on('data', onData).on('resume', onResume);
  });
}

/** Goes on with what a socket has brought, if `mayParse` held it back. All its requests must have been answered. */
export function resumeParsing(socket: Socket): void {
  (socket as Carrier)[INPUT]?.release();
}

/** From now on, what the socket brings waits in this lane, and no longer in that which all sockets of its address share. */
export function parseInLane(socket: Socket, lane: string): void {
  const input = (socket as Carrier)[INPUT];
  if (input !== undefined) input.ownLane = lane;
}

/** The rest of the request whose head has been parsed waits in this lane. */
export function parseBodyInLane(socket: Socket, lane: string): void {
  const input = (socket as Carrier)[INPUT];
  if (input !== undefined) input.requestLane = lane;
}

/** Whether what the socket brings is for the parser: no longer after an upgrade. */
export function isParsed(socket: Socket): boolean {
  return (socket as Carrier)[INPUT] !== undefined;
}

/** What a socket has brought and its parser has not been given. */
class Input {
  /** Where it waits when its request has no lane of its own. */
  ownLane: string;
  /** From its first byte until it is answered, however its body looks. */
  requestLane: string | undefined;
  readonly #findLane: LaneFinder | undefined;
  readonly #socket: Carrier;
  readonly #feed: Feed;
  readonly #turns: Turns;
  readonly #mayParse: (socket: Socket) => boolean;
  /** Undefined most of the time: what comes is usually one piece, whose turn it is. */
  #pieces: Buffer[] | undefined;
  /** How much is in the pieces. */
  #unparsedBytes = 0;
  #isWaiting = false;
  #isHeld = false;
  #isDetached = false;

  constructor({
    socket,
    feed,
    turns,
    order: { mayParse = () => true, laneFinderOf },
  }: {
    socket: Carrier;
    feed: Feed;
    turns: Turns;
    order: Partial<ParsingOrder>;
  }) {
    this.#socket = socket;
    this.#feed = feed;
    this.#turns = turns;
    this.#mayParse = mayParse;
    this.#findLane = laneFinderOf?.(socket);
    this.ownLane = addressGroup(socket.remoteAddress ?? '');
  }

  take(chunk: Buffer): void {
    if (this.#pieces === undefined) this.#lookAhead(chunk);
    const isAlone = this.#pieces === undefined && chunk.length <= PIECE_BYTES && this.#mayGoOn;
    if (isAlone && this.#mayParse(this.#socket) && this.#turns.isOpen(this.#lane)) {
      this.#give(chunk);
      return;
    }
    this.#pieces ??= [];
    this.#unparsedBytes += chunk.length;
    if (this.#unparsedBytes > MAX_UNPARSED_BYTES) {
      this.#forget();
      this.#socket.destroy();
      return;
    }
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) this.#pieces.push(chunk.subarray(at, at + PIECE_BYTES));
    this.goOn();
  }

  /** Gives the parser what there is, unless another turn or the parser itself, which pauses the socket, must come first. */
  goOn(): void {
    // Node.js resumes a socket whose body is being read, whether or not something else has paused it.
    if (this.#isWaiting) this.#socket.pause();
    while (this.#pieces !== undefined && this.#mayGoOn) {
      this.#lookAhead(this.#pieces[0]);
      if (!this.#mayParse(this.#socket)) this.#hold();
      else if (this.#turns.isOpen(this.#lane)) this.#giveOne();
      else this.#waitForTurn();
    }
  }

  get #lane(): string {
    return this.requestLane ?? this.ownLane;
  }

  /** What comes next begins with these bytes. While nothing else waits, any lane will do. */
  #lookAhead(bytes: Buffer | undefined): void {
    if (this.#findLane === undefined || bytes === undefined || this.#turns.size === 0) return;
    this.requestLane ??= this.#findLane(bytes);
  }

  #hold(): void {
    this.#isWaiting = true;
    this.#isHeld = true;
    this.#socket.pause();
  }

  release(): void {
    this.requestLane = undefined;
    if (!this.#isHeld) return;
    this.#isWaiting = false;
    this.#isHeld = false;
    this.#socket.resume();
    this.goOn();
  }

  get #mayGoOn(): boolean {
    return !this.#isWaiting && !this.#socket.isPaused();
  }

  #giveOne(): void {
    const piece = this.#pieces?.shift();
    if (piece === undefined || this.#socket.destroyed) {
      this.#forget();
      return;
    }
    this.#unparsedBytes -= piece.length;
    this.#give(piece);
  }

  #give(piece: Buffer): void {
    // A body must not be taken for the beginning of a request. The head, when it is parsed, says which lane it is.
    if (this.#findLane !== undefined) this.requestLane ??= this.ownLane;
    this.#feed.call(this.#socket, piece);
    // After an upgrade the rest is no longer HTTP: the code that has taken the socket over reads it.
    if (this.#isDetached) for (const rest of this.#pieces ?? []) this.#socket.push(rest);
    if (this.#isDetached || this.#pieces?.length === 0) this.#forget();
  }

  #forget(): void {
    this.#pieces = undefined;
    this.#unparsedBytes = 0;
  }

  #waitForTurn(): void {
    this.#isWaiting = true;
    this.#socket.pause();
    this.#turns.wait(this.#lane, () => {
      this.#isWaiting = false;
      this.#socket.resume();
      this.#giveOne();
      this.goOn();
    });
  }

  detach(): void {
    this.#isDetached = true;
    this.#socket[INPUT] = undefined;
    this.#socket.off('data', onData).off('resume', onResume);
  }
}

function onData(this: Carrier, chunk: Buffer): void {
  this[INPUT]?.take(chunk);
}

function onResume(this: Carrier): void {
  this[INPUT]?.goOn();
}
