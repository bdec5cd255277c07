import {
  type ChainHead,
  contentOfItems,
  digestOf,
  type ItemsNote,
  intentText,
  type LinkBody,
  type LinkKind,
  linkHash,
  outcomeText,
  type RemovalNote,
  removedItems,
  unpackDigests,
} from '../../audit-chain.ts';
import type { AuditCause, AuditChain, AuditItem, AuditItemPlace, AuditLink, PlacedRecord } from './audit-log.ts';
import type { AuditRow } from './rows.ts';

/** The limit of the digests on a page of links, a hundred of 32 bytes, unless the first link alone has more. */
export const DIGEST_BYTES_OF_PAGE = 3_200;
/** The same for the bytes of what is in it. */
const BYTES_OF_PAGE = 65_536;
/** So many records more than a link has may say that they are in it, and are shown. */
export const MORE_ITEMS = 100;
export const STRAYS_SHOWN = 10;
/** A clock may have been set back by so much when the chain began. */
export const LATE_AFTER_MS = 60_000;
/** How many links at the beginning of a chain are removed at once. */
export const CUT_AT_ONCE = 1_000;
/** A record is looked for from so long before the time in its request id, and until so long after. */
export const PLACE_BEFORE_MS = 60_000;
export const PLACE_AFTER_MS = 120_000;

export interface ChainRow {
  readonly writer: string;
  readonly id: string;
  readonly installation: string;
  readonly began_at: number;
  /** How many records from before the chain are left. */
  readonly unchained: number;
  readonly number: number;
  readonly hash: string;
  readonly base_number: number;
  readonly base_hash: string;
}

export interface LinkRow {
  readonly number: number;
  readonly at: number;
  readonly kind: LinkKind;
  readonly previous: Uint8Array;
  readonly hash: Uint8Array;
  readonly content: Uint8Array;
  readonly digests: Uint8Array | null;
  readonly note: string | null;
  readonly removed: string | null;
  readonly removed_by: number | null;
}

export interface NewLink extends LinkBody, ChainHead {
  readonly previous: string;
  readonly digests: readonly string[] | undefined;
  readonly note: string | undefined;
}

/** What a transaction puts into a chain. Its links are made at its end, so that they follow the head as it was. */
export interface Batch {
  /** Adds an item of a record of this time to the link of its kind, and returns the number of that link. */
  add(kind: LinkKind, at: number, text: string): number;
  links(at: number): readonly NewLink[];
}

export function beginBatch(head: ChainHead): Batch {
  const drafts = new Map<LinkKind, { number: number; oldest: number; digests: string[] }>();
  return {
    add(kind, at, text) {
      let draft = drafts.get(kind);
      if (draft === undefined) {
        draft = { number: head.number + drafts.size + 1, oldest: at, digests: [] };
        drafts.set(kind, draft);
      }
      draft.oldest = Math.min(draft.oldest, at);
      draft.digests.push(digestOf(text));
      return draft.number;
    },
    links(at) {
      let previous = head.hash;
      return [...drafts].map(([kind, { number, oldest, digests }]) => {
        const link = linkAfter(previous, { number, at, kind, oldest, digests });
        previous = link.hash;
        return link;
      });
    },
  };
}

function linkAfter(
  previous: string,
  { number, at, kind, oldest, digests }: Omit<LinkBody, 'content'> & ItemsNote & { digests: readonly string[] },
): NewLink {
  const note: ItemsNote = { oldest };
  const body = { number, at, kind, content: contentOfItems(digests), note: JSON.stringify(note) };
  return { ...body, previous, hash: linkHash(previous, body), digests };
}

export function noteAfter(head: ChainHead, at: number, note: object): NewLink {
  const text = JSON.stringify(note);
  const body = { number: head.number + 1, at, kind: 'note', content: digestOf(text) } as const;
  return { ...body, previous: head.hash, hash: linkHash(head.hash, body), digests: undefined, note: text };
}

/** What is put on record of a removal, beside what it has done to links. */
export function aboutRemoval(
  rows: readonly AuditRow[],
  { unchained }: Pick<ChainRow, 'unchained'>,
): Pick<RemovalNote, 'records' | 'newest' | 'unchained'> {
  return {
    records: rows.length,
    newest: Math.max(...rows.map(({ at }) => at)),
    unchained: unchained - rows.filter(({ intent_link: link }) => link === null).length,
  };
}

/** The link that a chain is cut to, as the note has it. */
export function cutToLink(row: LinkRow): RemovalNote['cutTo'] {
  const { number, hash, previous, at, kind, content, note } = toLink(row, []);
  return { number, hash, previous, at, kind, content, note };
}

export function kindOf(cause: AuditCause): LinkKind {
  return cause === 'script' ? 'scripts' : 'records';
}

function intentTextOf(row: Omit<AuditRow, 'intent_link' | 'outcome_link' | 'outcome'>): string {
  return intentText({
    at: row.at,
    requestId: row.request_id,
    cause: row.cause,
    actor: row.actor,
    sourceAddress: row.source_address,
    operation: row.operation,
    resource: row.resource,
    playerId: row.player_id,
    details: row.details,
  });
}

/** Adds the intent and the outcome of a row. Returns the values of the columns of `AuditRow`, in their order, with both links. */
export function addToBatch(batch: Batch, row: AuditRow): (string | number | null)[] {
  const { at, request_id, cause, actor, source_address, operation, resource, player_id, details, outcome } = row;
  const kind = kindOf(cause);
  const intentLink = batch.add(kind, at, intentTextOf(row));
  const outcomeLink = outcome === null ? null : batch.add(kind, at, outcomeText(at, request_id, outcome));
  const texts = [request_id, cause, actor, source_address, operation, resource, player_id, details, outcome];
  return [at, ...texts, intentLink, outcomeLink];
}

/** The items of rows, by the number of their link. */
export function itemsByLink(rows: readonly AuditRow[]): Map<number, AuditItem[]> {
  const items = new Map<number, AuditItem[]>();
  const take = (link: number | null, requestId: string, text: () => string) => {
    if (link === null) return;
    const known = items.get(link);
    const item = { requestId, text: text() };
    if (known === undefined) items.set(link, [item]);
    else known.push(item);
  };
  for (const row of rows) {
    take(row.intent_link, row.request_id, () => intentTextOf(row));
    take(row.outcome_link, row.request_id, () => outcomeText(row.at, row.request_id, row.outcome ?? ''));
  }
  return items;
}

export function toChain(row: ChainRow): AuditChain {
  const { writer, id, installation, began_at: beganAt, number, hash, base_number, base_hash } = row;
  return { writer, id, installation, beganAt, number, hash, base: { number: base_number, hash: base_hash } };
}

export function toLink(row: LinkRow, items: readonly AuditItem[]): AuditLink {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  return {
    number: row.number,
    at: row.at,
    kind: row.kind,
    previous: hex(row.previous),
    hash: hex(row.hash),
    content: hex(row.content),
    digests: row.digests === null ? undefined : unpackDigests(row.digests),
    note: row.note ?? undefined,
    removed: row.removed ?? undefined,
    removedBy: row.removed_by ?? undefined,
    items,
  };
}

/** Where the parts of a row are. `links` are those that it names, as far as they are there. */
export function placesOf(row: AuditRow, links: readonly LinkRow[]): Pick<PlacedRecord, 'intent' | 'outcome' | 'fits'> {
  const { at, request_id: requestId, cause, intent_link, outcome, outcome_link } = row;
  const placeIn = (number: number | null, text: string): AuditItemPlace | 'unfit' | undefined => {
    if (number === null) return undefined;
    const link = links.find((each) => each.number === number);
    const digest = digestOf(text);
    if (link === undefined || link.kind !== kindOf(cause) || !hasItem(toLink(link, []), digest)) return 'unfit';
    return { number, hash: Buffer.from(link.hash).toString('hex'), digest };
  };
  const intent = placeIn(intent_link, intentTextOf(row));
  const ended = placeIn(outcome_link, outcomeText(at, requestId, outcome ?? ''));
  const isEndLoose = outcome !== null && outcome_link === null && intent_link !== null;
  return {
    intent: intent === 'unfit' ? undefined : intent,
    outcome: ended === 'unfit' ? undefined : ended,
    fits: intent !== 'unfit' && ended !== 'unfit' && !isEndLoose,
  };
}

/** Whether a link of items is as it was hashed, and still has an item of this digest. */
function hasItem({ digests = [], removed, ...link }: AuditLink, digest: string): boolean {
  const place = digests.indexOf(digest);
  if (place < 0 || removedItems(removed).has(place)) return false;
  return contentOfItems(digests) === link.content && linkHash(link.previous, link) === link.hash;
}

/** What becomes of links whose items are removed. */
export interface Thinning {
  readonly gone: readonly number[];
  readonly thinned: readonly (readonly [number: number, mask: string])[];
}

/**
 * Decides what is left of links when these items are removed. An item that its link does not have changes nothing: the
 * link then goes on missing the one that was in its place.
 */
export function thin(
  removed: ReadonlyMap<number, readonly AuditItem[]>,
  links: readonly Pick<LinkRow, 'number' | 'digests' | 'removed'>[],
): Thinning {
  const gone: number[] = [];
  const thinned: (readonly [number, string])[] = [];
  for (const { number, digests: bytes, removed: mask } of links) {
    if (bytes === null) continue;
    const places = new Map(unpackDigests(bytes).map((digest, place) => [digest, place]));
    const items = removedItems(mask ?? '');
    for (const { text } of removed.get(number) ?? []) {
      const place = places.get(digestOf(text));
      if (place !== undefined) items.add(place);
    }
    if (items.size === places.size) gone.push(number);
    else thinned.push([number, items.toHex()]);
  }
  return { gone, thinned };
}

/** As many links, with their items, as a page has room for; at least one, since a link is hashed as a whole. */
export function fittingLinks(links: readonly AuditLink[]): AuditLink[] {
  let bytes = 0;
  const end = links.findIndex((link, index) => {
    bytes += bytesOfLink(link);
    return index > 0 && bytes > BYTES_OF_PAGE;
  });
  return links.slice(0, end < 0 ? links.length : end);
}

function bytesOfLink({ digests = [], note = '', removed = '', items }: AuditLink): number {
  return 67 * digests.length + note.length + removed.length + items.reduce((sum, { text }) => sum + text.length, 300);
}

/** When a request id says that it was made; undefined for one that is no UUID of version 7. */
export function timeOfRequestId(requestId: string): number | undefined {
  const [, high, low] =
    /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.exec(requestId) ?? [];
  return high === undefined ? undefined : Number.parseInt(`${high}${low}`, 16);
}
