import {
  type ChainHead,
  contentOfItems,
  digestOf,
  linkHash,
  type RemovalNote,
  removedItems,
  rootOf,
} from '../../audit-chain.ts';
import { putNewest } from '../../newest-entries.ts';
import type { AuditChain, AuditItem, AuditLink, ChainReader } from '../../store/audit/audit-log.ts';
import { oldestOf, parseNote, type Removal, Removals, timeOf } from './removals.ts';

const LINKS_OF_PAGE = 100;
/** A link whose hash is that of another place is looked for this far away. */
const NEIGHBOURS = 8;
const NOTES_KEPT = 16;

export type FindingKind =
  | 'removed'
  | 'changed'
  | 'reordered'
  | 'inserted'
  | 'link_removed'
  | 'link_changed'
  | 'link_reordered'
  | 'cut_off';

/** Something that the server never does to its audit log. */
export interface Finding {
  readonly kind: FindingKind;
  readonly writer: string;
  readonly link?: number;
  readonly requestId?: string;
  /** A sentence for people. */
  readonly message: string;
}

/** What somebody knows of a chain from elsewhere: from a receipt, or from an earlier verification. */
export interface KnownLink extends ChainHead {
  readonly chain: string;
  /** Digests of items that the link had. */
  readonly digests: readonly string[];
  /** Where this is known from, for people. */
  readonly source: string;
  /** The time of the record that this is about. */
  readonly recordAt?: number | undefined;
}

export interface VerifiedChain extends ChainHead {
  readonly writer: string;
  readonly id: string;
  readonly installation: string;
  /** How many links and items were looked at. */
  readonly links: number;
  readonly items: number;
  /** The removals that are on record in it, summed up by reason. */
  readonly removals: readonly Removal[];
}

export type Report = (finding: Finding) => void;

/** Two places between which something is missing, or that do not fit. */
interface Unmatched {
  readonly link: AuditLink;
  readonly item: AuditItem;
  readonly digest: string;
}

interface Missing {
  readonly link: AuditLink;
  /** The request ids of the items before and behind. */
  readonly between: string;
}

/** One walk through a chain, from its beginning to its end. */
export class ChainWalk {
  readonly #reader: ChainReader;
  readonly #chain: AuditChain;
  readonly #known: readonly KnownLink[];
  readonly #report: Report;
  readonly #notes = new Map<number, RemovalNote | undefined>();
  readonly #removals: Removals;
  readonly outdated: string[] = [];
  /** What is known from elsewhere and was removed, as the chain has on record. */
  readonly removed = new Set<string>();
  /** What is known from elsewhere and is so in the chain. */
  readonly confirmed = new Set<KnownLink>();
  #unchained: number | undefined;
  #last: ChainHead;
  #headHash: string | undefined;
  #hasFindings = false;
  /** Whether the server has removed records since the walk began, which may look as if somebody else had. */
  hasMoved = false;
  #links = 0;
  #items = 0;

  constructor(parts: { reader: ChainReader; chain: AuditChain; known: readonly KnownLink[]; report: Report }) {
    this.#reader = parts.reader;
    this.#chain = parts.chain;
    this.#known = parts.known;
    this.#report = (finding) => {
      this.#hasFindings = true;
      parts.report(finding);
    };
    this.#last = parts.chain.base;
    this.#removals = new Removals(parts.chain, (link, message) =>
      this.#report({ kind: 'removed', writer: parts.chain.writer, link, message }),
    );
  }

  async run({
    since,
    now,
    progress,
  }: {
    since: number | undefined;
    now: number;
    progress: (links: number) => void;
  }): Promise<void> {
    const { writer, base } = this.#chain;
    if (since !== undefined) this.#last = { number: await this.#findLinkBefore(since), hash: '' };
    const isWhole = this.#last.number === base.number;
    if (isWhole) this.#last = base;
    const first = this.#last.number;
    for (;;) {
      const page = await this.#reader.links({ writer, after: this.#last.number, limit: LINKS_OF_PAGE });
      if (page.length === 0) break;
      await this.#look(page);
      progress(this.#last.number - first);
    }
    this.#removals.lookAtAge(now);
    this.#lookAtEnds(isWhole);
    this.#lookAtKnown(first);
  }

  result() {
    const { writer, id, installation } = this.#chain;
    return {
      ...{ writer, id, installation, ...this.#last, links: this.#links, items: this.#items },
      ...{ removals: this.#removals.summed(), unchained: this.#unchained },
    };
  }

  /** The number of the last link from before this time. Times of links do not fall, unless a clock was set back. */
  async #findLinkBefore(at: number): Promise<number> {
    const { writer, base, number } = this.#chain;
    let low = base.number;
    let high = number;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [link] = await this.#reader.links({ writer, after: middle, limit: 1 });
      if (link === undefined || link.at >= at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  async #look(page: readonly AuditLink[]): Promise<void> {
    const unmatched: Unmatched[] = [];
    const missing = new Map<string, Missing>();
    for (const link of page) {
      this.#lookAtPlace(link);
      this.#links += 1;
      this.#items += link.digests?.length ?? 0;
      if (link.kind === 'note') this.#take(link, unmatched);
      else await this.#match(link, unmatched, missing);
      this.#removals.lookAtAge(link.at);
    }
    this.#explain(unmatched, missing);
  }

  /** Does a link follow the one before, and is its hash its own? */
  #lookAtPlace(link: AuditLink): void {
    const { writer } = this.#chain;
    const { number, previous, hash } = link;
    const next = this.#last.number + 1;
    if (number > next) {
      const which = number === next + 1 ? `link ${next} is` : `links ${next} to ${number - 1} are`;
      this.#report({ kind: 'link_removed', writer, link: next, message: `${which} missing` });
    } else if (this.#last.hash !== '' && previous !== this.#last.hash) {
      this.#report({
        kind: 'link_reordered',
        writer,
        link: number,
        message: `link ${number} does not follow link ${next - 1}`,
      });
    }
    const content = contentOf(link);
    if (linkHash(previous, link) !== hash) {
      const place = findPlace(link);
      const message =
        place === undefined
          ? `link ${number} was changed: its hash is not that of what it says`
          : `link ${number} was link ${place} when it was written: links were exchanged`;
      this.#report({ kind: place === undefined ? 'link_changed' : 'link_reordered', writer, link: number, message });
    } else if (content !== undefined && content !== link.content) {
      const what =
        link.kind === 'note' ? 'what it says is not what was hashed' : 'its items are not those that were hashed';
      this.#report({ kind: 'link_changed', writer, link: number, message: `link ${number} was changed: ${what}` });
    }
    for (const known of this.#known) {
      if (known.number !== number) continue;
      const isSame = known.hash === hash && known.digests.every((digest) => link.digests?.includes(digest) ?? true);
      const message = `link ${number} is not the one that ${known.source} names: the chain was written again`;
      if (isSame) this.confirmed.add(known);
      else this.#report({ kind: 'link_changed', writer, link: number, message });
    }
    this.#last = { number, hash };
    if (number === this.#chain.number) this.#headHash = hash;
  }

  /** Takes in what a note says. No record is in a note, whatever it says of itself. */
  #take(link: AuditLink, unmatched: Unmatched[]): void {
    const { number, at, note, items } = link;
    const { writer, id, installation } = this.#chain;
    unmatched.push(...items.map((item) => ({ link, item, digest: digestOf(item.text) })));
    const said = parseNote(note);
    if (said?.type === 'begin') {
      this.#unchained = said.unchained;
      if (said.chain === id && said.installation === installation && number === 1) return;
      const message = `link ${number} begins another chain, ${said.chain}`;
      this.#report({ kind: 'link_changed', writer, link: number, message });
    } else if (said !== undefined) {
      // What it has removed may have been looked at before.
      if (number > this.#chain.number) this.hasMoved = true;
      else this.#removals.look(number, said);
      this.#removals.add({ link: number, at }, said);
      this.#unchained = said.unchained;
    }
  }

  async #match(link: AuditLink, unmatched: Unmatched[], missing: Map<string, Missing>): Promise<void> {
    const { writer } = this.#chain;
    const { number, digests } = link;
    const isRemoved = await this.#removedOf(link);
    if (isRemoved === undefined) {
      const message = `items of link ${number} were taken away, and no removal is on record that can have removed them`;
      this.#report({ kind: 'removed', writer, link: number, message });
      return;
    }
    const found = new Map<number, string>();
    const places = new Map(digests?.map((digest, place) => [digest, place]));
    for (const item of link.items) {
      const digest = digestOf(item.text);
      const place = places.get(digest);
      if (place === undefined || found.has(place) || isRemoved(place)) unmatched.push({ link, item, digest });
      else {
        found.set(place, item.requestId);
        this.#removals.left.add(link.kind, item.text);
      }
    }
    for (const known of this.#known) if (known.number === number) await this.#lookAtRecord(known, link, isRemoved);
    for (const [place, digest] of digests?.entries() ?? []) {
      if (found.has(place) || isRemoved(place)) continue;
      const before = found.get(place - 1) ?? found.get(place - 2);
      const behind = found.get(place + 1) ?? found.get(place + 2);
      const names = [before && `after ${before}`, behind && `before ${behind}`].filter((name) => name !== undefined);
      missing.set(digest, { link, between: names.join(' and ') });
    }
  }

  /** Was a record removed that is known from elsewhere? */
  async #lookAtRecord(
    { source, digests: known, recordAt }: KnownLink,
    { number, digests, removedBy }: AuditLink,
    isRemoved: (place: number) => boolean,
  ): Promise<void> {
    if (removedBy === undefined || known.length === 0) return;
    if (digests !== undefined && !known.some((digest) => isRemoved(digests.indexOf(digest)))) return;
    this.#lookAtRemovedRecord({ source, recordAt, number, newest: (await this.#noteOf(removedBy))?.newest });
  }

  #lookAtRemovedRecord({
    source,
    recordAt = Number.NEGATIVE_INFINITY,
    number,
    newest = Number.POSITIVE_INFINITY,
  }: Pick<KnownLink, 'source' | 'recordAt' | 'number'> & { newest: number | undefined }): void {
    if (recordAt <= newest) {
      this.removed.add(`the record of ${source} was removed for its age, or for the size of the log`);
      return;
    }
    const message = `the record of ${source} was taken away: it is of ${timeOf(recordAt)}, and none after ${timeOf(newest)} was removed`;
    this.#report({ kind: 'removed', writer: this.#chain.writer, link: number, message });
  }

  /** Which items of a link are rightly gone; undefined when some are gone without a note that says so. */
  async #removedOf(link: AuditLink) {
    const { number, kind, digests, removed, removedBy } = link;
    if (removedBy === undefined) return digests !== undefined && removed === undefined ? () => false : undefined;
    if (removedBy <= number) return undefined;
    const note = await this.#noteOf(removedBy);
    if (note === undefined || (note.onlyScripts && kind !== 'scripts')) return undefined;
    if (note.newest < oldestOf(link)) return undefined;
    if (digests === undefined) {
      return note.gone.some(([first, last]) => first <= number && number <= last) ? () => true : undefined;
    }
    const mask = note.thinned.find(([thinned]) => thinned === number)?.[1];
    if (mask === undefined || mask !== removed) return undefined;
    const items = removedItems(mask);
    return (place: number) => items.has(place);
  }

  /** A note that comes later. That it is the one of the chain shows when the walk comes to it. */
  async #noteOf(number: number): Promise<RemovalNote | undefined> {
    if (this.#notes.has(number)) return this.#notes.get(number);
    const [link] = await this.#reader.links({ writer: this.#chain.writer, after: number - 1, limit: 1 });
    const said = link?.number === number && link.content === contentOf(link) ? parseNote(link.note) : undefined;
    const note = said?.type === 'removal' ? said : undefined;
    putNewest(this.#notes, number, note, NOTES_KEPT);
    return note;
  }

  /** What does not fit, and what is missing, are often the two sides of one thing. */
  #explain(unmatched: readonly Unmatched[], missing: Map<string, Missing>): void {
    const { writer } = this.#chain;
    const rest = unmatched.filter(({ link: { number }, item: { requestId }, digest }) => {
      const place = missing.get(digest);
      if (place === undefined) return true;
      missing.delete(digest);
      const message = `the record ${requestId} says that it is in link ${number}, but was written into link ${place.link.number}`;
      this.#report({ kind: 'reordered', writer, link: number, requestId, message });
      return false;
    });
    for (const { link, item } of rest) {
      const { requestId } = item;
      const [digest] = [...missing].find(([, place]) => place.link === link) ?? [];
      if (digest !== undefined) missing.delete(digest);
      const isChanged = digest !== undefined;
      const message = isChanged
        ? `the record ${requestId} was changed: link ${link.number} has another digest of it`
        : `the record ${requestId} was put into the log later: link ${link.number} does not have it`;
      this.#report({ kind: isChanged ? 'changed' : 'inserted', writer, link: link.number, requestId, message });
    }
    const lacking = new Map<AuditLink, Missing[]>();
    for (const each of missing.values()) lacking.set(each.link, [...(lacking.get(each.link) ?? []), each]);
    for (const [{ number, at }, items] of lacking) {
      const many = items.length === 1 ? 'an item' : `${items.length} items`;
      const between = items[0]?.between ? `, the first of them ${items[0].between}` : '';
      const message = `${many} of link ${number}, written ${new Date(at).toISOString()}, were removed${between}`;
      this.#report({ kind: 'removed', writer, link: number, message });
    }
  }

  #lookAtEnds(isWhole: boolean): void {
    const { writer, id, installation, base, number, hash } = this.#chain;
    if (isWhole && base.number === 0 && base.hash !== rootOf({ installation, chain: id }).hash) {
      this.#report({
        kind: 'link_changed',
        writer,
        message: `the chain does not begin as one of ${installation} does`,
      });
    }
    if (isWhole && base.number > 0 && !this.#removals.isBaseAnchored()) {
      const message = `the links up to ${base.number} are missing, and no removal is on record that can have removed them`;
      this.#report({ kind: 'link_removed', writer, link: base.number, message });
    }
    // The chain may have grown since its head was read.
    if (this.#last.number >= number) {
      const isOther = (this.#headHash ?? hash) !== hash;
      const message = `link ${number} is not the head of the chain that its writer left: the chain was written again`;
      if (isOther && !this.#hasFindings) this.#report({ kind: 'link_changed', writer, link: number, message });
      return;
    }
    const message = `the chain ends with link ${this.#last.number}, but its head is link ${number}`;
    this.#report({ kind: 'cut_off', writer, link: this.#last.number, message });
  }

  #lookAtKnown(first: number): void {
    const { writer, base } = this.#chain;
    for (const { number, source, recordAt } of this.#known) {
      if (number > this.#last.number) {
        const message = `the chain ends with link ${this.#last.number}, but ${source} is in link ${number}: its end was cut off`;
        this.#report({ kind: 'cut_off', writer, link: this.#last.number, message });
      } else if (number <= base.number && recordAt !== undefined) {
        this.#lookAtRemovedRecord({ source, recordAt, number, newest: this.#removals.newest });
      } else if (number <= Math.max(first, base.number)) {
        this.outdated.push(`${source} is in link ${number}, which is from before what was looked at`);
      }
    }
  }
}

/** The digest of what a link has; undefined when nothing is left of it. */
function contentOf({ kind, note, digests }: AuditLink): string | undefined {
  if (kind === 'note') return digestOf(note ?? '');
  return digests && contentOfItems(digests);
}

/** The number that a link had when it was hashed, if that was another one near it. */
function findPlace(link: AuditLink): number | undefined {
  for (let away = 1; away <= NEIGHBOURS; away += 1) {
    for (const number of [link.number - away, link.number + away]) {
      if (linkHash(link.previous, { ...link, number }) === link.hash) return number;
    }
  }
  return undefined;
}
