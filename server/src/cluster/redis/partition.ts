import { type Moment, momentOf } from '../../clock.ts';
import type { PlayerKey } from '../../player-key.ts';
import {
  type Bar,
  type Barred,
  type BarTarget,
  type DirectoryEntry,
  DirectoryUnavailable,
  type Expectations,
  type Lifting,
  type Listing,
  type Newcomer,
  type RegistrationFault,
  type Standing,
} from '../cluster.ts';
import { newcomerTexts, PartitionBars, readBarred } from './bars.ts';
import { Departures } from './departures.ts';
import { Entries, type EntryRecord } from './entries.ts';
import { adviceAgainst } from './fault-advice.ts';
import { fraction, KeptSession, type OpenSession } from './kept-session.ts';
import { PartitionKeys, playerName } from './keys.ts';
import { Observation } from './observation.ts';
import type { Joined, PartitionParts } from './partition-parts.ts';
import { PartitionStages } from './partition-stages.ts';
import * as scripts from './scripts.ts';
import { sweep } from './sweep.ts';
import { decodeEntry, encodeEntry, pairsOf } from './values.ts';

/** Entries that are listed again in one step in a new era, and the longest pause between two such steps. */
const RESTORED_AT_ONCE = 100;
const RESTORE_PAUSE_MS = 20;
/** The share of a lease that the pauses may take together. */
const RESTORE_PAUSE_SHARE = 0.1;

/** How many registrations may wait for the directory's answer. More are refused. */
const MAX_REGISTRATIONS = 10_000;

/**
 * One incarnation's side of one partition of the directory. It is *away* until it has a connection on which it has joined
 * the era; in a new era it is *restoring* until all its entries are listed again, and only then does its lease count there;
 * and the era is *recovering* until it has been seen for long enough. A connection that gives any answer but the expected
 * one is given up, and everything begins again on the next.
 */
export class Partition {
  readonly stages: PartitionStages;
  readonly #parts: PartitionParts;
  readonly #keys: PartitionKeys;
  readonly #entries = new Entries();
  readonly #departures: Departures;
  readonly #observation: Observation;
  readonly #kept: KeptSession;
  readonly #bars: PartitionBars;
  #joined: Joined | undefined;
  #era = '';
  /** The era of which the server may have evicted keys. */
  #lostEra = '';
  #eraSeenAt = 0;
  #isRecovered = false;
  /** Whether the era lists all of this node's entries. */
  #isRestored = false;
  /** The latest acknowledged renewal in the current era. */
  #renewedAt: Moment | undefined;
  #links = 0;
  #sequence = 0;
  #registrations = 0;
  #isTending = false;
  /** The era whose recovery the directory knows of. */
  #recoveryToldIn = '';

  constructor(parts: PartitionParts) {
    const { number: partition, log, settings, events } = parts;
    this.#parts = parts;
    this.#keys = new PartitionKeys(settings.redisPrefix, partition, parts.database);
    this.#observation = new Observation(settings);
    this.#kept = new KeptSession({
      ...parts,
      key: this.#keys.era,
      redisTimeoutMs: settings.redisTimeoutMs,
      join: (session) => this.#join(session),
      failed: (err) =>
        log.warn(
          { err, partition, advice: adviceAgainst(err) },
          'the directory of connections in Redis cannot be reached',
        ),
      lost: () => {
        log.warn({ partition }, 'the connection to the directory was lost');
        events.linkLost();
      },
      measured: events.measured,
    });
    const refused = (session: OpenSession, status: string) => this.#refused(session, status);
    const findJoined = () => this.#findJoined();
    const { node } = parts.lease;
    this.#departures = new Departures({ node, keys: this.#keys, entries: this.#entries, findJoined, refused });
    const pause = (delayMs: number) => this.#kept.pause(delayMs);
    this.#bars = new PartitionBars({ parts, keys: this.#keys, pause, refused });
    this.stages = new PartitionStages({
      ...{ keys: this.#keys, observation: this.#observation, clock: parts.clock, refused },
      ...{ getJoined: () => this.#getJoined(), getRecovered: () => this.#getRecovered() },
    });
    void this.#keepRenewing();
  }

  /** Empty until the first one is known. */
  get era(): string {
    return this.#era;
  }

  get isAvailable(): boolean {
    return this.#findJoined() !== undefined && this.#isRecovered && this.#bars.areComplete;
  }

  /** Whether the era has lasted for long enough that each node which acts has joined it. */
  get isRecovered(): boolean {
    return this.#isRecovered;
  }

  get size(): number {
    return this.#entries.size;
  }

  async register(
    key: PlayerKey,
    entry: DirectoryEntry,
    expected: Expectations,
  ): Promise<RegistrationFault | Barred | undefined> {
    const { session, era, keys, link } = this.#getJoined();
    const { lease } = this.#parts;
    const { connectionId: id, node, runtimeId } = entry;
    if (expected.era !== era || node !== lease.node) return 'era_changed';
    if (this.#registrations >= MAX_REGISTRATIONS) throw new DirectoryUnavailable('too many registrations wait');
    if (this.#entries.isLeaving(id)) throw new Error(`connection ${id} has been unregistered`);
    const known = this.#entries.find(id);
    const record: EntryRecord = known ?? { key, entry, state: 'registering', sentIn: era, listedIn: undefined };
    this.#entries.add(record);
    const player = playerName(key);
    const [at, ...ofStage] = keys.entriesOf(player);
    const ownNames = [this.#keys.era, keys.links, at, keys.index(node)];
    const names = [...ownNames, keys.stages, keys.barred, keys.bars, ...ofStage];
    const maximum = String(expected.maxConnectionsPerPlayer);
    const ownTexts = [era, node, link, player, id, encodeEntry(entry), key.stageId, runtimeId, maximum];
    const texts = [...ownTexts, ...newcomerTexts(expected.newcomer)];
    this.#registrations += 1;
    let status: string;
    let rest: string[];
    try {
      [status, ...rest] = await session.run(scripts.REGISTER, names, texts);
    } catch (error) {
      if (record.state === 'registering') record.state = 'unknown';
      throw error;
    } finally {
      this.#registrations -= 1;
    }
    if (status === 'ok') {
      if (record.state === 'registering') record.state = 'listed';
      record.listedIn = era;
      if (!lease.mayAct()) throw new DirectoryUnavailable('the lease ended while the directory answered');
      return undefined;
    }
    if (record !== known) this.#entries.drop(record);
    const barred = readBarred(status, rest);
    if (barred !== undefined) return barred;
    if (isFault(status)) return status;
    this.#refused(session, status);
    return 'era_changed';
  }

  async setBar(target: BarTarget, bar: Bar, asOf: Standing): Promise<number | undefined> {
    return await this.#bars.set(this.#getJoined(), target, bar, asOf);
  }

  async liftBar(target: BarTarget, version: number): Promise<Lifting> {
    return await this.#bars.lift(this.#getJoined(), target, version);
  }

  async findBar(newcomer: Newcomer): Promise<Barred | undefined> {
    return await this.#bars.find(this.#getJoined(), newcomer);
  }

  async unregister(key: PlayerKey, ids: readonly string[]): Promise<void> {
    await this.#departures.unregister(key, ids, this.#era);
  }

  async list(key: PlayerKey, owners: readonly string[]): Promise<Listing> {
    const { session, era, keys } = this.#getRecovered();
    const names = [this.#keys.era, keys.touch, keys.player(playerName(key)), keys.links];
    const [status, count, ...texts] = await session.run(scripts.LIST, names, [era, ...owners]);
    if (status !== 'ok') throw this.#refused(session, status);
    const endedOwners = texts.slice(0, Number(count));
    const entries = pairsOf(texts.slice(endedOwners.length)).map(([id, value]) => decodeEntry(id, value));
    return { era, entries: entries.filter(({ node }) => !this.#observation.isDead(node)), endedOwners };
  }

  isDead(node: string): boolean {
    return this.#observation.isDead(node);
  }

  async nodes(): Promise<[node: string, facts: string][]> {
    const { session, era, keys } = this.#getJoined();
    const [status, ...texts] = await session.run(scripts.NODES, [this.#keys.era, keys.facts], [era]);
    if (status !== 'ok') throw this.#refused(session, status);
    return pairsOf(texts);
  }

  async publish(channel: string, text: string): Promise<number> {
    return await this.#getJoined().session.publish(channel, text);
  }

  /** Ends the connection; with `isLeaving`, the node record goes first. Pending calls reject. */
  async close({ isLeaving }: { isLeaving: boolean }): Promise<void> {
    const { lease } = this.#parts;
    this.#departures.abandon();
    this.#entries.abandon(new Error(`incarnation ${lease.node} has ended`));
    const joined = this.#findJoined();
    if (isLeaving && joined !== undefined) {
      const { session, era, keys, link } = joined;
      const names = [this.#keys.era, keys.links, keys.nodes, keys.facts, keys.dead];
      await session.run(scripts.LEAVE, names, [era, lease.node, link]).catch(() => {});
    }
    this.#kept.close();
  }

  /** Enters the era on a new connection, repeats what was not acknowledged, and lists again what the era lacks. */
  async #join(session: OpenSession): Promise<void> {
    const { lease, facts, clock, random, log, number: partition } = this.#parts;
    if (this.#era === '') await this.#endEraOfAnother(session);
    const newPart = Buffer.from(random(8)).toString('hex');
    if (session.mayHaveEvicted) this.#lostEra = this.#era;
    const [, era = ''] = await session.run(
      scripts.ENTER,
      [this.#keys.era, this.#keys.former],
      [session.runId, newPart, this.#lostEra],
    );
    const sentAt = momentOf(clock);
    this.#links += 1;
    this.#sequence += 1;
    const link = String(this.#links);
    const keys = this.#keys.of(era);
    const names = [this.#keys.era, keys.links, keys.nodes, keys.facts, keys.recovered, keys.barred, keys.listers];
    const texts = [era, lease.node, link, String(this.#sequence), facts];
    const [status, hasRecovered, hasBars] = await session.run(scripts.JOIN, names, texts);
    if (status !== 'ok') throw this.#refused(session, status);
    if (era !== this.#era) {
      log.info({ era, former: this.#era, partition }, 'the directory is in an era that is new to this node');
      this.#begin(era);
    }
    if (hasRecovered === '1') this.#isRecovered = true;
    this.#renewedAt = sentAt;
    const joined = { session, era, keys, link };
    this.#joined = joined;
    this.#bars.joined(joined, hasBars === '1');
    this.#departures.sendAll(joined);
    await this.#restore(joined);
    this.#countLease();
    log.info({ partition, link }, 'the node has joined the directory of connections');
  }

  /** Ends the era if it belongs to another database: a restored backup, for instance, has other stages and bars. */
  async #endEraOfAnother(session: OpenSession): Promise<void> {
    const { comesFrom, log, number: partition } = this.#parts;
    if (comesFrom === undefined) return;
    const names = [this.#keys.era, this.#keys.former, this.#keys.database];
    const [, hasEnded] = await session.run(scripts.START, names, [comesFrom]);
    if (hasEnded !== '1') return;
    log.warn(
      { partition },
      'this is another database than before, or an earlier state of it: the directory of connections begins anew',
    );
  }

  #begin(era: string): void {
    this.#era = era;
    this.#eraSeenAt = this.#parts.clock.monotonic();
    this.#isRecovered = false;
    this.#isRestored = false;
    this.#observation.forget();
    this.#parts.events.eraChanged();
  }

  async #restore({ session, era, keys, link }: Joined): Promise<void> {
    const { lease, random, settings } = this.#parts;
    const missing = this.#entries.missingIn(era);
    // Nodes must not all come at once, nor may the pauses use up the old lease.
    const steps = Math.ceil(missing.length / RESTORED_AT_ONCE);
    const pauseMs = Math.min(RESTORE_PAUSE_MS, (settings.leaseMs * RESTORE_PAUSE_SHARE) / Math.max(1, steps));
    for (let from = 0; from < missing.length; from += RESTORED_AT_ONCE) {
      // An entry that is to go meanwhile is left out; from a sent batch, its removal follows on the same connection.
      const batch = missing.slice(from, from + RESTORED_AT_ONCE).filter(({ state }) => state === 'listed');
      for (const record of batch) record.sentIn = era;
      const players = batch.flatMap(({ key }) => keys.entriesOf(playerName(key)));
      const names = [this.#keys.era, keys.links, keys.index(lease.node), ...players];
      const texts = batch.flatMap(({ key, entry }) => [playerName(key), entry.connectionId, encodeEntry(entry)]);
      const [status] = await session.run(scripts.RESTORE, names, [era, lease.node, link, ...texts]);
      if (status !== 'ok') throw this.#refused(session, status);
      for (const record of batch) record.listedIn = era;
      await this.#kept.pause(pauseMs * fraction(random));
    }
    this.#isRestored = true;
  }

  /** The lease counts in an era only when all entries are listed there. */
  #countLease(): void {
    const { lease, number: partition } = this.#parts;
    if (this.#isRestored && this.#renewedAt !== undefined) lease.renew(partition, this.#renewedAt);
  }

  async #keepRenewing(): Promise<void> {
    const { settings, random } = this.#parts;
    while (!this.#kept.isClosed) {
      await this.#kept.pause(settings.renewMs * (0.9 + 0.1 * fraction(random)));
      const joined = this.#findJoined();
      // A failure has ended the connection, and the next one joins anew.
      if (joined !== undefined) await this.#renew(joined).catch(() => {});
    }
  }

  async #renew(joined: Joined): Promise<void> {
    const { lease, clock, settings } = this.#parts;
    const { session, era, keys, link } = joined;
    const sentAt = momentOf(clock);
    this.#sequence += 1;
    const names = [this.#keys.era, keys.links, keys.nodes, keys.dead, this.#keys.former];
    const texts = [era, lease.node, link, String(this.#sequence)];
    const [status, dead = '', former = '', ...nodes] = await session.run(scripts.RENEW, names, texts);
    if (status !== 'ok') throw this.#refused(session, status);
    this.#renewedAt = sentAt;
    this.#countLease();
    const readAt = { sentAt: sentAt.monotonic, receivedAt: clock.monotonic() };
    const silent = this.#observation.read(new Map(pairsOf(nodes)), readAt);
    if (dead !== '') this.#observation.confirm(dead);
    if (readAt.receivedAt - this.#eraSeenAt >= settings.recoveryMs) this.#isRecovered = true;
    if (this.#isTending) return;
    this.#isTending = true;
    // In the background: the next renewal must not wait for it.
    void this.#tend(joined, { silent, dead, former })
      .catch(() => {})
      .finally(() => {
        this.#isTending = false;
      });
  }

  /** Buries silent nodes, and sweeps what dead nodes and former eras have left: any node may do it for all. */
  async #tend(
    joined: Joined,
    found: {
      readonly silent: readonly { readonly node: string; readonly sequence: string }[];
      readonly dead: string;
      readonly former: string;
    },
  ): Promise<void> {
    const { session, era, keys } = joined;
    const { silent, dead, former } = found;
    for (const { node, sequence } of silent) await this.#bury(joined, node, sequence);
    const { former: own } = this.#parts;
    if (own !== undefined && !this.isDead(own)) await this.#bury(joined, own, '');
    if (!this.#isRecovered || !this.#isRestored) return;
    if (this.#recoveryToldIn !== era) {
      await session.run(scripts.RECOVERED, [this.#keys.era, keys.recovered], [era]);
      this.#recoveryToldIn = era;
    }
    await sweep({
      run: (script, names, ...texts) => session.run(script, [this.#keys.era, ...names], [era, ...texts]),
      ...{ keys, partitionKeys: this.#keys, dead, former },
    });
  }

  async #bury({ session, era, keys }: Joined, node: string, sequence: string): Promise<void> {
    const names = [this.#keys.era, keys.links, keys.nodes, keys.facts, keys.dead];
    const [status] = await session.run(scripts.BURY, names, [era, node, sequence]);
    if (status === 'ok') this.#observation.confirm(node);
    else if (status !== 'alive') throw this.#refused(session, status);
  }

  #findJoined(): Joined | undefined {
    return this.#joined === undefined || this.#joined.session.isLost ? undefined : this.#joined;
  }

  #getJoined(): Joined {
    const joined = this.#findJoined();
    if (joined === undefined) throw new DirectoryUnavailable('the directory of connections is away');
    return joined;
  }

  #getRecovered(): Joined {
    const joined = this.#getJoined();
    if (!this.#isRecovered) throw new DirectoryUnavailable('the directory is recovering: its list may not be complete');
    return joined;
  }

  /** Gives the connection up: the directory means another era or connection of this node, which the next one finds out. */
  #refused(session: OpenSession, status: string): DirectoryUnavailable {
    session.giveUp();
    if (status === 'dead') this.#parts.events.buried();
    return new DirectoryUnavailable(`the directory of connections refused a command: ${status}`);
  }
}

function isFault(status: string): status is RegistrationFault {
  return status === 'stage_closed' || status === 'runtime_changed' || status === 'player_full';
}
