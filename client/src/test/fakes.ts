import { encode, type ServerFrame, SUBPROTOCOL, type WelcomeFrame } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import type { Page } from '../page.ts';
import type { Socket, SocketConstructor } from '../socket.ts';

/** Lets every promise settle that needs neither time nor the network. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Time that moves only when a test moves it. With `wakeMs`, timers fire only at its multiples, as in a hidden tab. */
export class FakeClock implements Clock {
  readonly #wakeMs: number;
  #nowMs = 0;
  #timers: { readonly atMs: number; readonly task: () => void }[] = [];

  constructor(wakeMs = 0) {
    this.#wakeMs = wakeMs;
  }

  get timers(): number {
    return this.#timers.length;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const dueAtMs = this.#nowMs + delayMs;
    // A timer that is set in a wake-up, even for no time at all, waits for the next one.
    const wakes = Math.max(Math.ceil(dueAtMs / this.#wakeMs), Math.floor(this.#nowMs / this.#wakeMs) + 1);
    const timer = { atMs: this.#wakeMs === 0 ? dueAtMs : wakes * this.#wakeMs, task };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time without firing any timer, as when the machine sleeps; what is due fires at the next advance(). */
  sleep(forMs: number): void {
    this.#nowMs += forMs;
  }

  /** Fires the timers that are due, in order, as real time would: promises settle before the next timer. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    await settle();
    for (;;) {
      const due = this.#timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.task();
      await settle();
    }
    this.#nowMs = endMs;
  }
}

type Listener = (event: never) => void;

/** A socket whose other end is played by the test. */
export class FakeSocket implements Socket {
  readonly url: string;
  protocol = '';
  bufferedAmount = 0;
  readyState = 1;
  readonly sent: Record<string, unknown>[] = [];
  /** The code that this end closed with; 1005 if it gave none. */
  closedWith: number | undefined;
  isTerminated = false;
  /** Whether the other end has closed, or this end was terminated. */
  isGone = false;
  readonly #listeners: { readonly type: string; readonly listener: Listener }[] = [];

  constructor(url: string) {
    this.url = url;
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.push({ type, listener });
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(code = 1005): void {
    this.closedWith ??= code;
  }

  terminate(): void {
    this.isTerminated = true;
    this.isGone = true;
  }

  opens(protocol: string = SUBPROTOCOL): void {
    this.protocol = protocol;
    this.#emit('open', {});
  }

  receives(data: ServerFrame | string | Uint8Array): void {
    const isFrame = typeof data === 'object' && !(data instanceof Uint8Array);
    this.#emit('message', { data: isFrame ? encode(data) : data });
  }

  closes(code: number, reason = ''): void {
    this.isGone = true;
    this.#emit('close', { code, reason });
  }

  fails(message: string): void {
    this.#emit('error', { message });
    this.closes(1006);
  }

  /** Opens the socket and sends a welcome. */
  welcomes(members: Partial<WelcomeFrame> = {}): void {
    this.opens();
    this.receives({ ...WELCOME, ...members });
  }

  #emit(type: string, event: object): void {
    for (const known of this.#listeners) if (known.type === type) known.listener(event as never);
  }
}

/** A window with its document, whose events the test makes. */
export class FakePage implements Page {
  readonly #heard: { readonly type: string; readonly listener: () => void }[] = [];
  #visibility = 'visible';
  readonly document: NonNullable<Page['document']>;

  constructor() {
    const visibility = () => this.#visibility;
    this.document = {
      addEventListener: this.addEventListener,
      removeEventListener: this.removeEventListener,
      get visibilityState() {
        return visibility();
      },
    };
  }

  get listeners(): number {
    return this.#heard.length;
  }

  readonly addEventListener = (type: string, listener: () => void): void => {
    this.#heard.push({ type, listener });
  };

  readonly removeEventListener = (type: string, listener: () => void): void => {
    const index = this.#heard.findIndex((known) => known.type === type && known.listener === listener);
    if (index !== -1) this.#heard.splice(index, 1);
  };

  emit(type: string): void {
    for (const known of [...this.#heard]) if (known.type === type) known.listener();
  }

  turns(visibility: 'visible' | 'hidden'): void {
    this.#visibility = visibility;
    this.emit('visibilitychange');
  }
}

export const WELCOME: WelcomeFrame = {
  kind: 'welcome',
  playerId: 'player-1',
  connectionId: 'connection-1',
  heartbeatMs: 20_000,
  maxFrameBytes: 65_536,
  messagesPerSecond: 50,
  messagesBurst: 100,
  bytesPerSecond: 65_536,
  bytesBurst: 262_144,
  maxRequestsInFlight: 64,
  tokenLifetimeMs: 3_600_000,
};

/** All sockets that a client made, oldest first, and the constructor to pass to it. */
export function fakeNetwork(): { readonly sockets: FakeSocket[]; readonly WebSocket: SocketConstructor } {
  const sockets: FakeSocket[] = [];
  class NetworkSocket extends FakeSocket {
    constructor(url: string) {
      super(url);
      sockets.push(this);
    }
  }
  return { sockets, WebSocket: NetworkSocket };
}

/** Numbers from 0 up to but not including 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
