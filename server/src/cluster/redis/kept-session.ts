import { type Clock, withTimeout } from '../../clock.ts';
import type { RandomBytes } from '../../random.ts';
import { DirectoryUnavailable } from '../cluster.ts';
import type { RedisLink, RedisSession, Script, ScriptReply } from './link.ts';

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;

/** A connection to Redis that is given up, once and for good, when it ends, fails, or is late with a reply. */
export class OpenSession {
  readonly #session: RedisSession;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #measured: (durationMs: number) => void;
  readonly lost: Promise<void>;
  #lose = () => {};
  #isLost = false;

  constructor(
    session: RedisSession,
    { clock, timeoutMs, measured }: { clock: Clock; timeoutMs: number; measured: (durationMs: number) => void },
  ) {
    this.#session = session;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#measured = measured;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
  }

  get runId(): string {
    return this.#session.runId;
  }

  get mayHaveEvicted(): boolean {
    return this.#session.mayHaveEvicted ?? false;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Rejects with `DirectoryUnavailable` when there is no reply in time: whether anything was done is then unknown. */
  async run(script: Script, keys: readonly string[], parameters: readonly string[]): Promise<ScriptReply> {
    return await this.#settle(() => this.#session.run(script, keys, parameters));
  }

  async publish(channel: string, text: string): Promise<number> {
    return await this.#settle(() => this.#session.publish(channel, text));
  }

  giveUp(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#lose();
    this.#session.close();
  }

  async #settle<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isLost) throw new DirectoryUnavailable('the connection to Redis has been given up');
    const startedAt = this.#clock.monotonic();
    try {
      const reply = await withTimeout(work(), this.#timeoutMs, this.#clock);
      // A reply that comes after the connection was given up proves no more than a missing one.
      if (this.#isLost) throw new Error('the reply came too late');
      this.#measured(this.#clock.monotonic() - startedAt);
      return reply;
    } catch (cause) {
      this.giveUp();
      throw new DirectoryUnavailable('Redis did not answer', { cause });
    }
  }
}

interface KeptSessionParts {
  readonly link: RedisLink;
  /** The connection is to the server that has this key, whichever that is when it is made. */
  readonly key: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly redisTimeoutMs: number;
  /** Prepares a new connection; one for which it rejects is given up. */
  readonly join: (session: OpenSession) => Promise<void>;
  readonly failed: (error: unknown) => void;
  readonly lost: () => void;
  readonly measured: (durationMs: number) => void;
}

/** Keeps one connection to Redis, and makes another when it is lost, after a random time that grows with failures. */
export class KeptSession {
  readonly #parts: KeptSessionParts;
  readonly #pauses = new Set<() => void>();
  #current: OpenSession | undefined;
  #isClosed = false;

  constructor(parts: KeptSessionParts) {
    this.#parts = parts;
    void this.#keep();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    this.#current?.giveUp();
    for (const wake of this.#pauses) wake();
  }

  /** Resolves after this time, or earlier when this is closed. */
  async pause(delayMs: number): Promise<void> {
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        cancel();
        this.#pauses.delete(wake);
        resolve();
      };
      const cancel = this.#parts.clock.after(delayMs, wake);
      this.#pauses.add(wake);
    });
  }

  async #keep(): Promise<void> {
    const { random, join, lost, failed } = this.#parts;
    let failures = 0;
    while (!this.#isClosed) {
      try {
        const session = await this.#connect();
        try {
          await join(session);
          failures = 0;
          await session.lost;
        } finally {
          session.giveUp();
        }
        if (!this.#isClosed) lost();
      } catch (error) {
        failures += 1;
        if (failures === 1 && !this.#isClosed) failed(error);
      }
      const longestMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
      await this.pause(longestMs * fraction(random));
    }
  }

  async #connect(): Promise<OpenSession> {
    const { link, key, clock, redisTimeoutMs: timeoutMs, measured } = this.#parts;
    let isLate = false;
    let isEnded = false;
    let open: OpenSession | undefined;
    const connecting = link.connect(key, () => {
      isEnded = true;
      open?.giveUp();
    });
    // A connection that comes too late for the time limit below must not stay open.
    connecting.then((session) => (isLate ? session.close() : undefined)).catch(() => {});
    try {
      open = new OpenSession(await withTimeout(connecting, timeoutMs, clock), { clock, timeoutMs, measured });
    } catch (error) {
      isLate = true;
      throw error;
    }
    if (isEnded || this.#isClosed) open.giveUp();
    this.#current = open;
    return open;
  }
}

/** A random number from 0 to 1. */
export function fraction(random: RandomBytes): number {
  const [high = 0, low = 0] = random(2);
  return (high * 256 + low) / 65_535;
}
