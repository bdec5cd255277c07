import { type BeginNote, type ChainHead, type ItemsNote, linkHash, type RemovalNote } from '../../audit-chain.ts';
import type { AuditChain, AuditLink } from '../../store/audit/audit-log.ts';

const REASONS: ReadonlySet<string> = new Set<RemovalNote['reason']>(['retention', 'size']);
/** The shortest time for which a server keeps records, less what its clock may have been set back by. */
const LEAST_AGE_MS = 23 * 3_600_000;

/** A link of the chain at which something was removed for its age, or for the size of the log. */
export interface Removal {
  readonly writer: string;
  readonly link: number;
  readonly at: number;
  readonly reason: RemovalNote['reason'];
  readonly before: number;
  readonly onlyScripts: boolean;
  readonly records: number;
}

/** The oldest of the records that are left so far, by what a removal may have left. */
class OldestLeft {
  #intentOfScript = Number.POSITIVE_INFINITY;
  #outcomeOfScript = Number.POSITIVE_INFINITY;
  #other = Number.POSITIVE_INFINITY;

  add(kind: AuditLink['kind'], text: string): void {
    const [, part, digits] = /^\["respark audit (intent|outcome) 1",(\d+),/.exec(text) ?? [];
    const at = Number(digits);
    if (part === undefined) return;
    if (kind !== 'scripts') this.#other = Math.min(this.#other, at);
    else if (part === 'intent') this.#intentOfScript = Math.min(this.#intentOfScript, at);
    else this.#outcomeOfScript = Math.min(this.#outcomeOfScript, at);
  }

  /** The oldest is removed first; of scripts alone those are left whose outcome was still to come. */
  isOlderThan({ newest, before, onlyScripts }: RemovalNote): boolean {
    if (!onlyScripts) return Math.min(this.#other, this.#intentOfScript, this.#outcomeOfScript) < newest;
    return this.#outcomeOfScript < newest || this.#intentOfScript < Math.min(newest, before);
  }
}

/** The removals that a chain has on record, and what can be told of them. */
export class Removals {
  readonly #writer: string;
  readonly #base: ChainHead;
  /** Told of a link that is no removal of a server. */
  readonly #tell: (link: number, message: string) => void;
  readonly left = new OldestLeft();
  readonly #sums = new Map<string, Removal>();
  /** The removal for age that went the furthest. */
  #furthest: { readonly number: number; readonly before: number } | undefined;
  /** The time of the newest record that a removal names. */
  newest = Number.NEGATIVE_INFINITY;
  #cutTo: RemovalNote['cutTo'] | undefined;

  constructor({ writer, base }: Pick<AuditChain, 'writer' | 'base'>, tell: (link: number, message: string) => void) {
    this.#writer = writer;
    this.#base = base;
    this.#tell = tell;
  }

  /** All of them, summed up by reason. */
  summed(): Removal[] {
    return [...this.#sums.values()];
  }

  add({ link, at }: Pick<Removal, 'link' | 'at'>, said: RemovalNote): void {
    const { reason, before, onlyScripts, records, newest, cutTo } = said;
    const key = `${reason} ${onlyScripts}`;
    const sum = (this.#sums.get(key)?.records ?? 0) + records;
    this.#sums.set(key, { writer: this.#writer, link, at, reason, before, onlyScripts, records: sum });
    this.newest = Math.max(this.newest, newest);
    // Later removals that have removed no link do not repeat what it was, and the chain may have been cut again meanwhile.
    if (cutTo.number === this.#base.number && cutTo.previous !== undefined) this.#cutTo = cutTo;
  }

  /** Is a removal one that the server makes? What is left of before it was looked at already. */
  look(number: number, said: RemovalNote): void {
    const { reason, before, newest, onlyScripts } = said;
    const say = (what: string) => this.#tell(number, `link ${number} is no removal of a server: ${what}`);
    if (this.left.isOlderThan(said)) {
      say(`it has removed a record of ${timeOf(newest)} and left older ones, but the oldest are removed first`);
    }
    if (!onlyScripts && newest >= before) {
      say(
        `it has removed a record of ${timeOf(newest)}, but only those from before ${timeOf(before)} were to be removed`,
      );
    }
    const isFurthest = reason === 'retention' && before > (this.#furthest?.before ?? Number.NEGATIVE_INFINITY);
    if (isFurthest) this.#furthest = { number, before };
  }

  /**
   * No record is removed for its age within a day. The time that a removal says may be invented, so those of later links
   * count as well.
   */
  lookAtAge(at: number): void {
    if (this.#furthest === undefined || at - this.#furthest.before >= LEAST_AGE_MS) return;
    const { number, before } = this.#furthest;
    this.#furthest = undefined;
    const message = `link ${number} is no removal of a server: it has removed records from before ${timeOf(before)} for their age, which at ${timeOf(at)} was less than a day`;
    this.#tell(number, message);
  }

  /** Is a removal on record that has removed the links up to the base, and one that can have removed their records? */
  isBaseAnchored(): boolean {
    const { number, hash } = this.#base;
    const { previous, at, kind, content, note } = this.#cutTo ?? {};
    if (previous === undefined || at === undefined || kind === undefined || content === undefined) return false;
    const link = { number, at, kind, content, note };
    return linkHash(previous, link) === hash && oldestOf(link) <= this.newest;
  }
}

/** The time of the oldest record in a link, as far as it says that. */
export function oldestOf({ kind, note }: Pick<AuditLink, 'kind' | 'note'>): number {
  if (kind === 'note' || note === undefined) return Number.NEGATIVE_INFINITY;
  try {
    const { oldest } = Object(JSON.parse(note)) as Partial<ItemsNote>;
    return typeof oldest === 'number' ? oldest : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Everything may go when a log has twice its size, whatever its time. */
export function timeOf(at: number): string {
  return Number.isNaN(new Date(at).getTime()) ? 'any time' : new Date(at).toISOString();
}

/** What has another form was never written by a server: its link is reported for its hash, or has no effect. */
export function parseNote(note: string | undefined): BeginNote | RemovalNote | undefined {
  try {
    const said = Object(JSON.parse(note ?? 'null')) as BeginNote | RemovalNote;
    if (said.type === 'begin') return said;
    const isRemoval = said.type === 'removal' && Array.isArray(said.gone) && Array.isArray(said.thinned);
    const hasNumbers = [said.before, said.newest, said.cutTo?.number].every((value) => typeof value === 'number');
    return isRemoval && hasNumbers && REASONS.has(said.reason) ? said : undefined;
  } catch {
    return undefined;
  }
}
