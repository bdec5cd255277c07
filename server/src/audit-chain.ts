import { hash } from 'node:crypto';

/**
 * How audit records are chained. All of it can be computed again from the rows of the log. Every digest is the SHA-256
 * of a JSON array in the form of RFC 8785, in UTF-8; digests are lower-case hexadecimal. docs/receipts.md has the rules.
 */

export const DIGEST_BYTES = 32;
const DIGEST_LENGTH = 2 * DIGEST_BYTES;

/** What a row of the log says of an intent; `details` is the JSON text as it is stored. */
export interface StoredIntent {
  readonly at: number;
  readonly requestId: string;
  readonly cause: string;
  readonly actor: string;
  readonly sourceAddress: string;
  readonly operation: string;
  readonly resource: string;
  readonly playerId: string | null;
  readonly details: string | null;
}

/** Links of records and of records of scripts are apart, because those of scripts may be removed long before. */
export type LinkKind = 'records' | 'scripts' | 'note';

/** The newest link of a chain, or what its first link follows. */
export interface ChainHead {
  readonly number: number;
  readonly hash: string;
}

/** What is hashed of a link, beside the hash of the link before. */
export interface LinkBody {
  readonly number: number;
  readonly at: number;
  readonly kind: LinkKind;
  /** The digest of its items, or of its note. */
  readonly content: string;
  /** What a link of the kind `note` says; of a link of items, an `ItemsNote`. Both in JSON. */
  readonly note?: string | undefined;
}

/** What a link of items says of them, so that it can still be told when nothing of them is left. */
export interface ItemsNote {
  /** The time of the oldest of the records that its items are of. */
  readonly oldest: number;
}

export function intentText(intent: StoredIntent): string {
  const { at, requestId, cause, actor, sourceAddress, operation, resource, playerId, details } = intent;
  return JSON.stringify([
    'respark audit intent 1',
    ...[at, requestId, cause, actor, sourceAddress, operation, resource, playerId, details],
  ]);
}

/** `outcome` is the JSON text as it is stored. */
export function outcomeText(at: number, requestId: string, outcome: string): string {
  return JSON.stringify(['respark audit outcome 1', at, requestId, outcome]);
}

export function digestOf(text: string): string {
  return hash('sha256', text, 'hex');
}

/** The digest of a link's items, which are the bytes of their digests in order. */
export function contentOfItems(digests: readonly string[]): string {
  return hash('sha256', packDigests(digests), 'hex');
}

/** What the first link of a chain follows. */
export function rootOf({ installation, chain }: { readonly installation: string; readonly chain: string }): ChainHead {
  return { number: 0, hash: digestOf(JSON.stringify(['respark audit chain 1', installation, chain])) };
}

export function linkHash(previous: string, { number, at, kind, content, note }: LinkBody): string {
  const ofItems = kind === 'note' || note === undefined ? [] : [note];
  return digestOf(JSON.stringify(['respark audit link 1', previous, number, at, kind, content, ...ofItems]));
}

export function packDigests(digests: readonly string[]): Buffer {
  return Buffer.from(digests.join(''), 'hex');
}

export function unpackDigests(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString('hex');
  return Array.from({ length: Math.floor(text.length / DIGEST_LENGTH) }, (_, index) =>
    text.slice(index * DIGEST_LENGTH, (index + 1) * DIGEST_LENGTH),
  );
}

/** What a chain says of itself in its first link. */
export interface BeginNote {
  readonly type: 'begin';
  readonly installation: string;
  readonly chain: string;
  readonly writer: string;
  /** How many records the log had already, which are in no chain. */
  readonly unchained: number;
}

/** What was removed from the log for its age or its size. */
export interface RemovalNote {
  readonly type: 'removal';
  readonly reason: RemovalReason;
  /** Records from before this time, or of scripts, were removed. */
  readonly before: number;
  readonly onlyScripts: boolean;
  readonly records: number;
  /** The time of the newest record that was removed: no older one of its kind was left. */
  readonly newest: number;
  /** How many records that are in no chain are left. */
  readonly unchained: number;
  /** Links of which nothing is left, as ranges of their numbers. */
  readonly gone: readonly (readonly [first: number, last: number])[];
  /** Links of which something is left: which of their items are gone by now, as a mask in hexadecimal. */
  readonly thinned: readonly (readonly [number: number, mask: string])[];
  /**
   * The newest of the links at the chain's beginning that are not kept any more. The removal that removed it has all that
   * its hash is of.
   */
  readonly cutTo: ChainHead & Partial<LinkBody & { readonly previous: string }>;
}

export type RemovalReason = 'retention' | 'size';

/** Which items of a link were removed, a bit each: the first item has the lowest bit of the first byte. */
export interface RemovedItems {
  readonly size: number;
  has(index: number): boolean;
  add(index: number): void;
  toHex(): string;
}

export function removedItems(mask = ''): RemovedItems {
  const bits = new Set<number>();
  for (const [place, byte] of Buffer.from(mask, 'hex').entries()) {
    for (let bit = 0; bit < 8; bit += 1) if (((byte >> bit) & 1) === 1) bits.add(8 * place + bit);
  }
  return {
    get size() {
      return bits.size;
    },
    has: (index) => bits.has(index),
    add: (index) => void bits.add(index),
    toHex() {
      const bytes = Buffer.alloc(Math.ceil((Math.max(-1, ...bits) + 1) / 8));
      for (const bit of bits) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7));
      return bytes.toString('hex');
    },
  };
}

/** Consecutive numbers as ranges; the numbers must be in order. */
export function rangesOf(numbers: readonly number[]): [first: number, last: number][] {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}
