import { parseJson } from '@respark/protocol';
import { type Clock, withTimeout } from '../../clock.ts';
import type { Log } from '../../log.ts';
import { type RandomBytes, uuidV7 } from '../../random.ts';
import type { NodeCallKind } from '../node-calls.ts';
import { adviceAgainst } from './fault-advice.ts';
import { fraction } from './kept-session.ts';
import type { PartitionKeys } from './keys.ts';
import type { RedisLink, RedisSubscription } from './link.ts';

/** What goes through a node's channel: a request, or the reply to one of its own. */
type Message =
  | { readonly id: string; readonly from: string; readonly kind: NodeCallKind; readonly request: unknown }
  | { readonly to: string; readonly reply: unknown }
  | { readonly to: string; readonly fault: string };

/** How many requests may wait for other nodes, and how many for this one. More are refused at once. */
const MAX_WAITING = 10_000;
const MAX_ANSWERING = 10_000;

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;

interface ChannelsParts {
  readonly node: string;
  readonly keys: Pick<PartitionKeys, 'channel'>;
  readonly timeoutMs: number;
  readonly link: RedisLink;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly publish: (channel: string, text: string) => Promise<number>;
  /** Carries out a request. Its result is not sent once the incarnation has ended. */
  readonly answer: (kind: NodeCallKind, request: unknown) => Promise<unknown>;
}

/**
 * The requests that one incarnation exchanges with others about one partition's players, as messages on channels. Each
 * incarnation has a channel with its name on the partition's server. A message is delivered once or not at all, so a
 * request without a reply fails at its time limit.
 */
export class Channels {
  readonly #parts: ChannelsParts;
  /** Request id → what takes its reply. */
  readonly #waiting = new Map<string, { resolve: (reply: unknown) => void; reject: (error: Error) => void }>();
  #subscription: RedisSubscription | undefined;
  #answering = 0;
  #isClosed = false;
  #wake = () => {};
  readonly #subscribed: Promise<void>;
  #noteSubscribed = () => {};

  constructor(parts: ChannelsParts) {
    this.#parts = parts;
    this.#subscribed = new Promise((resolve) => {
      this.#noteSubscribed = resolve;
    });
    void this.#keepSubscribed();
  }

  /** Resolves when requests can reach this node for the first time. */
  get subscribed(): Promise<void> {
    return this.#subscribed;
  }

  async request(target: string, kind: NodeCallKind, request: unknown, timeoutMs: number): Promise<unknown> {
    const { node, random, clock, keys, publish } = this.#parts;
    if (this.#waiting.size >= MAX_WAITING) throw new Error('too many requests wait for other nodes');
    const id = uuidV7(random, clock.now());
    const replied = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    replied.catch(() => {});
    try {
      const message: Message = { id, from: node, kind, request };
      const send = async () => {
        const receivers = await publish(keys.channel(target), JSON.stringify(message));
        if (receivers === 0) throw new Error(`node ${target} is not listening`);
        return await replied;
      };
      return await withTimeout(send(), timeoutMs, clock);
    } finally {
      this.#waiting.delete(id);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
    this.#subscription?.close();
    for (const { reject } of this.#waiting.values()) reject(new Error(`incarnation ${this.#parts.node} has ended`));
    this.#waiting.clear();
  }

  async #keepSubscribed(): Promise<void> {
    const { node, link, keys, log, random } = this.#parts;
    for (let failures = 0; !this.#isClosed; ) {
      try {
        await this.#subscribeUntilLost(link, keys.channel(node), () => {
          failures = 0;
        });
        if (!this.#isClosed) log.warn({ node }, 'the channel of this node was lost: other nodes cannot reach it');
      } catch (error) {
        failures += 1;
        const advice = adviceAgainst(error);
        if (failures === 1)
          log.warn({ err: error, node, advice }, 'the channel of this node in Redis cannot be opened');
      }
      const longestMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 10));
      if (!this.#isClosed) await this.#pause(longestMs * fraction(random));
    }
  }

  async #subscribeUntilLost(link: RedisLink, channel: string, opened: () => void): Promise<void> {
    const { clock, timeoutMs } = this.#parts;
    let lose = () => {};
    const lost = new Promise<void>((resolve) => {
      lose = resolve;
    });
    let isLate = false;
    const message = (text: string) => {
      if (!this.#isClosed) this.#receive(text);
    };
    const opening = link.subscribe(channel, { message, closed: lose });
    opening.then((subscription) => (isLate ? subscription.close() : undefined)).catch(() => {});
    try {
      this.#subscription = await withTimeout(opening, timeoutMs, clock);
    } catch (error) {
      isLate = true;
      throw error;
    }
    opened();
    this.#noteSubscribed();
    if (this.#isClosed) this.#subscription.close();
    else await lost;
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  #receive(text: string): void {
    const message = parse(text);
    if (message === undefined) {
      this.#parts.log.warn({ length: text.length }, 'a message that no node has sent came on the channel of this node');
      return;
    }
    if ('to' in message) {
      const waiting = this.#waiting.get(message.to);
      if ('fault' in message) waiting?.reject(new Error(message.fault));
      else waiting?.resolve(message.reply);
      return;
    }
    void this.#answer(message).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, to: message.from }, 'a reply to another node was lost');
    });
  }

  async #answer({ id, from, kind, request }: Extract<Message, { id: string }>): Promise<void> {
    const { keys, publish } = this.#parts;
    const send = async (message: Message) => {
      if (!this.#isClosed) await publish(keys.channel(from), JSON.stringify(message));
    };
    if (this.#answering >= MAX_ANSWERING) {
      await send({ to: id, fault: 'the node has too many requests to answer' });
      return;
    }
    this.#answering += 1;
    try {
      const reply = await this.#parts.answer(kind, request);
      await send({ to: id, reply });
    } catch (error) {
      await send({ to: id, fault: error instanceof Error ? error.message : String(error) });
    } finally {
      this.#answering -= 1;
    }
  }
}

/** A client who may publish on the Redis server can send anything. */
function parse(text: string): Message | undefined {
  try {
    const message = parseJson(text) as Partial<Record<string, unknown>> | null;
    const isRequest = typeof message?.id === 'string' && typeof message.from === 'string';
    return isRequest || typeof message?.to === 'string' ? (message as Message) : undefined;
  } catch {
    return undefined;
  }
}
