import { type AddressBuckets, createAddressBuckets } from '../address-buckets.ts';
import type { Clock } from '../clock.ts';
import { GroupCounter } from '../http/group-counter.ts';
import { createTokenBuckets, type TokenBuckets } from '../token-bucket.ts';
import type { Backlog } from '../turns.ts';

export interface LimitSettings {
  readonly handshakesPerSecond: number;
  readonly handshakesPerSecondPerAddress: number;
  readonly maxUnauthenticated: number;
  readonly maxUnauthenticatedPerAddress: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly messagesPerSecondPerAddress: number;
  readonly messagesBurstPerAddress: number;
  readonly bytesPerSecondPerAddress: number;
  readonly bytesBurstPerAddress: number;
}

/** Why a handshake is refused: before the upgrade, or with `full` after it. */
export interface LimitRefusal {
  readonly limit: 'rate' | 'unread' | 'unauthenticated' | 'full';
  /** Whether the limit is that of the address; otherwise it is the node's. */
  readonly isOfAddress: boolean;
  readonly retryAfterMs: number;
}

/**
 * An address may have no more handshakes when for so long something of what it has sent has waited to be read, and as many
 * pieces wait as it may have handshakes in that time. Each waits in a socket, and one whose client is gone is not found to be so
 * before.
 */
const UNREAD_MS = 250;
const RETRY_WHEN_UNREAD_MS = 1_000;

/** How many addresses have their handshakes counted at once. A flood from more of them meets the node's own rate. */
const MAX_COUNTED_ADDRESSES = 50_000;

/** The share of the connections that guests cannot take. */
const RESERVED_FOR_TOKENS = 0.05;

/** When a player should try again if there is room only after another socket has ended. */
export const RETRY_WHEN_FULL_MS = 5_000;

/** One node's sockets, counted per address group and in total, so that one address can never use up the node. */
export class Limits {
  readonly #settings: LimitSettings;
  readonly #handshakesByAddress: AddressBuckets;
  readonly #handshakes: TokenBuckets;
  readonly #messagesByAddress: AddressBuckets;
  readonly #bytesByAddress: AddressBuckets;
  readonly #unauthenticated = new GroupCounter();
  readonly #connections = new GroupCounter();
  /** How many of either were refused as they came, because there was no place for them. */
  #withoutPlace = 0;

  constructor({ settings, clock }: { settings: LimitSettings; clock: Clock }) {
    this.#settings = settings;
    const ofAddress = (ratePerSecond: number, burst: number) =>
      createAddressBuckets({ ratePerSecond, burst, maxKeys: MAX_COUNTED_ADDRESSES, clock });
    const { handshakesPerSecond: rate, handshakesPerSecondPerAddress: addressRate } = settings;
    this.#handshakesByAddress = ofAddress(addressRate, addressRate);
    this.#handshakes = createTokenBuckets({ ratePerSecond: rate, burst: rate, maxKeys: 1, clock });
    this.#messagesByAddress = ofAddress(settings.messagesPerSecondPerAddress, settings.messagesBurstPerAddress);
    this.#bytesByAddress = ofAddress(settings.bytesPerSecondPerAddress, settings.bytesBurstPerAddress);
  }

  /** The current counts; all zero when every socket is gone. */
  get counts(): { connections: number; unauthenticated: number; addresses: number } {
    return {
      connections: this.#connections.total,
      unauthenticated: this.#unauthenticated.total,
      addresses: this.#connections.groups + this.#unauthenticated.groups,
    };
  }

  /**
   * Why one more handshake from this address must be refused; undefined when it may go on. Each call counts as a
   * handshake. The limits of the address are checked before those of the node. A node without a place refuses only when
   * none of its connections can give way. `unread` is what the address has sent that waits to be read.
   */
  refusal(
    group: string,
    { unread, canMakeRoom }: { unread: Backlog; canMakeRoom: () => boolean },
  ): LimitRefusal | undefined {
    const s = this.#settings;
    const addressWaitMs = this.#handshakesByAddress.take(group);
    if (addressWaitMs > 0) return { limit: 'rate', isOfAddress: true, retryAfterMs: addressWaitMs };
    if (unread.ms > UNREAD_MS && unread.pieces * 1_000 > s.handshakesPerSecondPerAddress * UNREAD_MS)
      return { limit: 'unread', isOfAddress: true, retryAfterMs: RETRY_WHEN_UNREAD_MS };
    const nodeWaitMs = this.#handshakes.take('');
    if (nodeWaitMs > 0) return { limit: 'rate', isOfAddress: false, retryAfterMs: nodeWaitMs };

    const waiting = this.#unauthenticated;
    if (waiting.isFull(group, s.maxUnauthenticatedPerAddress)) return full('unauthenticated', true);
    if (this.#connections.isFull(group, s.maxConnectionsPerAddress)) return full('full', true);
    if (!this.isCrowded || canMakeRoom()) return undefined;
    // Those without a place count here, or there would be any number of them.
    return full(waiting.total >= s.maxUnauthenticated ? 'unauthenticated' : 'full', false);
  }

  /** Whether one more connection needs the place of another. */
  get isCrowded(): boolean {
    const { maxUnauthenticated, maxConnections } = this.#settings;
    const unauthenticated = this.#unauthenticated.total - this.#withoutPlace;
    return unauthenticated >= maxUnauthenticated || this.#connectionsInPlaces >= maxConnections;
  }

  get #connectionsInPlaces(): number {
    return this.#connections.total - this.#withoutPlace;
  }

  /**
   * Whether the places that are left are for players with a token. A guest needs nothing but the public game key, so
   * guests could take every place; a player that comes back still finds one.
   */
  get hasOnlyReserve(): boolean {
    const { maxConnections } = this.#settings;
    return this.#connectionsInPlaces > maxConnections - Math.floor(maxConnections * RESERVED_FOR_TOKENS);
  }

  /** Counts what the players of an address have sent. Tells of what they have sent more than they may together. */
  findExcess(group: string, { frames, bytes }: { frames: number; bytes: number }): 'messages' | 'bytes' | undefined {
    if (this.#messagesByAddress.take(group, frames) > 0) return 'messages';
    return this.#bytesByAddress.take(group, bytes) > 0 ? 'bytes' : undefined;
  }

  /**
   * Counts a socket from its upgrade on. One without a place came when the node was full, and counts only against its
   * address. `closed` must follow, once for each call.
   */
  opened(group: string, { hasPlace }: { hasPlace: boolean }): void {
    this.#connections.add(group);
    this.#unauthenticated.add(group);
    if (!hasPlace) this.#withoutPlace += 1;
  }

  /** The socket no longer counts as unauthenticated. */
  welcomed(group: string): void {
    this.#unauthenticated.remove(group);
  }

  closed(group: string, { wasWelcomed, hadPlace }: { wasWelcomed: boolean; hadPlace: boolean }): void {
    this.#connections.remove(group);
    if (!wasWelcomed) this.#unauthenticated.remove(group);
    if (!hadPlace) this.#withoutPlace -= 1;
  }
}

function full(limit: 'unauthenticated' | 'full', isOfAddress: boolean): LimitRefusal {
  return { limit, isOfAddress, retryAfterMs: RETRY_WHEN_FULL_MS };
}
