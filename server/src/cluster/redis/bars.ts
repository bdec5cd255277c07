import { createSettledTime } from '../../settled-time.ts';
import {
  type Bar,
  type Barred,
  type BarTarget,
  DirectoryUnavailable,
  type Lifting,
  type Newcomer,
  type Standing,
} from '../cluster.ts';
import { BAR_MEMORY_MS } from '../local-bars.ts';
import { fraction, type OpenSession } from './kept-session.ts';
import { type PartitionKeys, partitionOf } from './keys.ts';
import type { Joined, PartitionParts } from './partition-parts.ts';
import * as scripts from './scripts.ts';

/** Bars that are set in one step in a new era, and the longest pause between two such steps. */
const SET_AT_ONCE = 100;
const SET_PAUSE_MS = 20;

interface PartitionBarsParts {
  readonly parts: PartitionParts;
  readonly keys: PartitionKeys;
  readonly pause: (delayMs: number) => Promise<void>;
  /** Gives the connection up, and returns the error to throw. */
  readonly refused: (session: OpenSession, status: string) => DirectoryUnavailable;
}

/**
 * The bars of one partition. A new era begins without any, and registers nobody until a node has set all that the store
 * has, which each node that joins such an era sets out to do.
 */
export class PartitionBars {
  readonly #parts: PartitionBarsParts;
  /** The connection, if any, on which the era is known to have every bar. */
  #completeOn: Joined | undefined;
  #latest: Joined | undefined;
  /**
   * The time by which the directory may forget bars: a clock that is ahead for a while must not cost other nodes
   * theirs.
   */
  readonly #settledTime: () => number;

  constructor(parts: PartitionBarsParts) {
    this.#parts = parts;
    this.#settledTime = createSettledTime(parts.parts.clock, BAR_MEMORY_MS);
  }

  /** Whether newcomers are registered, as far as this node knows. */
  get areComplete(): boolean {
    return this.#completeOn !== undefined && this.#completeOn === this.#latest;
  }

  /** Must be called for each connection on which the node has joined an era. */
  joined(joined: Joined, hasBars: boolean): void {
    this.#latest = joined;
    if (hasBars) this.#completeOn = joined;
    // In the background: the store may be away for longer than the lease.
    else void this.#keepSetting(joined);
  }

  /** Resolves with the newer version that the directory has heard of, if there is one. */
  async set(joined: Joined, target: BarTarget, bar: Bar, { era, node }: Standing): Promise<number | undefined> {
    if (era !== joined.era || node !== this.#parts.parts.lease.node) {
      throw new DirectoryUnavailable('the bar was read in another era of the directory');
    }
    return (await this.#send(joined, barTexts(target, bar))).newer;
  }

  async lift(joined: Joined, { name }: BarTarget, version: number): Promise<Lifting> {
    const forgottenAt = this.#parts.parts.clock.now() + BAR_MEMORY_MS;
    const texts = [name, String(version), `${version}|lifted|||`, String(forgottenAt)];
    const { hasReplaced, newer } = await this.#send(joined, texts);
    return { hasHeld: hasReplaced, newer };
  }

  async find({ session, era, keys }: Joined, newcomer: Newcomer): Promise<Barred | undefined> {
    const names = [this.#parts.keys.era, keys.barred, keys.bars];
    const [status, ...rest] = await session.run(scripts.FIND_BAR, names, [era, ...newcomerTexts(newcomer)]);
    const barred = readBarred(status, rest);
    if (barred === undefined && status !== 'ok') throw this.#parts.refused(session, status);
    return barred;
  }

  /**
   * Sends bars. Resolves with whether the era has all bars, whether one of these has replaced one that held, and the
   * newer version that the directory has heard of, if there is one.
   */
  async #send({ session, era, keys, link }: Joined, bars: readonly string[]) {
    const { lease, clock } = this.#parts.parts;
    const names = [this.#parts.keys.era, keys.links, keys.bars, keys.barEnds, keys.barred];
    const forgottenUntil = Math.max(0, this.#settledTime());
    const texts = [era, lease.node, link, String(clock.now()), String(forgottenUntil), ...bars];
    const [status, hasBars, hasReplaced, newer = ''] = await session.run(scripts.SET_BARS, names, texts);
    if (status !== 'ok') throw this.#parts.refused(session, status);
    return {
      hasBars: hasBars === '1',
      hasReplaced: hasReplaced === '1',
      newer: newer === '' ? undefined : Number(newer),
    };
  }

  async #keepSetting(joined: Joined): Promise<void> {
    const { log, number: partition, settings } = this.#parts.parts;
    const { session } = joined;
    while (!session.isLost) {
      try {
        await this.#setAll(joined);
        this.#completeOn = joined;
        return;
      } catch (err) {
        if (!session.isLost) log.warn({ err, partition }, 'the bars could not be set: nobody is let in until they are');
        await this.#parts.pause(settings.renewMs);
      }
    }
  }

  /** Returns when the era has every bar, whichever node has set the last. */
  async #setAll(joined: Joined): Promise<void> {
    const { session, era, keys, link } = joined;
    const { lease, loadBars, number, random, settings } = this.#parts.parts;
    const isOwn = ({ player }: BarTarget) =>
      player === undefined || partitionOf(player, settings.redisPartitions) === number;
    let after: string | undefined;
    do {
      // Each partition reads for itself, and only now: what was read before this era began may lack what the directory was
      // told until then.
      const { bars, next } = await loadBars(after);
      const own = bars.filter(({ target }) => isOwn(target));
      for (let from = 0; from < own.length; from += SET_AT_ONCE) {
        const some = own.slice(from, from + SET_AT_ONCE);
        const texts = some.flatMap(({ target, bar }) => barTexts(target, bar));
        if ((await this.#send(joined, texts)).hasBars) return;
        await this.#parts.pause(SET_PAUSE_MS * fraction(random));
      }
      after = next;
    } while (after !== undefined);
    const names = [this.#parts.keys.era, keys.links, keys.barred];
    const [status] = await session.run(scripts.BARRED, names, [era, lease.node, link]);
    if (status !== 'ok') throw this.#parts.refused(session, status);
  }
}

/** The parameters for one bar of the script that sets bars. */
function barTexts({ name }: BarTarget, { version, until, signedInBefore, note }: Bar): string[] {
  const value = `${version}|set|${until ?? ''}|${signedInBefore ?? ''}|${note}`;
  return [name, String(version), value, until === undefined ? '' : String(until + BAR_MEMORY_MS)];
}

export function newcomerTexts({ at, signedInAt, barNames }: Newcomer): string[] {
  return [String(at), String(signedInAt), ...barNames];
}

/**
 * The bar that a script has found, according to its reply. Throws `DirectoryUnavailable` if the era does not have all
 * bars.
 */
export function readBarred(status: string, [barName = '', value = '']: readonly string[]): Barred | undefined {
  if (status === 'unbarred') throw new DirectoryUnavailable('the directory does not have all bars of its new era yet');
  if (status !== 'barred') return undefined;
  const [, until = '', note = ''] = /^\d+\|set\|(\d*)\|\d*\|(.*)$/s.exec(value) ?? [];
  return { barName, until: until === '' ? undefined : Number(until), note };
}
