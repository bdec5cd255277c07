import type Libsql from 'libsql';
import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import { openSharedCommits, type SharedCommitsOptions, type WriteStatement } from '../shared-commits.ts';
import {
  assertStageMayGrow,
  assertWithinLimits,
  CANNOT_BE_KEPT,
  type Change,
  countFitting,
  FIRST,
  NOTHING,
  outdated,
  positionBehind,
  type Row,
  toChange,
  toValues,
} from './changes.ts';
import {
  BYTES_BESIDE_ENTRY,
  chargeFor,
  type PlayerData,
  type PlayerDataLimits,
  type PlayerDataPage,
  type PlayerDataPosition,
  type PlayerDataSize,
} from './player-data.ts';

/** The file in the data directory. */
export const PLAYER_DATA_FILE = 'player-data.sqlite';
/** Removing these takes a millisecond or two, in which no other write runs. */
const KEYS_REMOVED_AT_ONCE = 256;
const BYTES_REMOVED_AT_ONCE = 1_048_576;
/** Where a player has more than this, each step removes one entry, because nothing else runs meanwhile. */
const BYTES_REMOVED_IN_STEP = 262_144;

/**
 * Each entry leads from one version of the schema (`user_version`) to the next; only ever append to this list. A player
 * has the version of the first write as id, because the keys of entries should be short, and no version comes back. A
 * stage whose players have nothing has no row.
 */
const MIGRATIONS = [
  `CREATE TABLE players (
     stage_id TEXT NOT NULL,
     player_id TEXT NOT NULL,
     id INTEGER NOT NULL,
     version INTEGER NOT NULL,
     keys INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     PRIMARY KEY (stage_id, player_id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE entries (
     player INTEGER NOT NULL,
     key TEXT NOT NULL,
     bytes INTEGER NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (player, key)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE last_version (version INTEGER NOT NULL) STRICT;
   INSERT INTO last_version VALUES (0)`,
  // 128 is what a stage is charged for a key beside itself and its value.
  `CREATE TABLE stage_bytes (
     stage_id TEXT NOT NULL PRIMARY KEY,
     bytes INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   INSERT INTO stage_bytes SELECT stage_id, sum(bytes + 128 * keys) FROM players GROUP BY stage_id`,
];

/** The version that this program's migrations lead to. */
export const PLAYER_DATA_VERSION = MIGRATIONS.length;

const QUERIES = {
  find: 'SELECT id, version, keys, bytes FROM players WHERE stage_id = ? AND player_id = ?',
  findFrom: `SELECT player_id AS playerId, id, version, keys, bytes FROM players
             WHERE stage_id = ? AND player_id >= ? ORDER BY player_id LIMIT 1`,
  put: `INSERT INTO players (stage_id, player_id, id, version, keys, bytes) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET version = excluded.version, keys = excluded.keys, bytes = excluded.bytes`,
  remove: 'DELETE FROM players WHERE stage_id = ? AND player_id = ?',
  findBytes: 'SELECT bytes FROM entries WHERE player = ? AND key = ?',
  putEntry: `INSERT INTO entries (player, key, bytes, value) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET bytes = excluded.bytes, value = excluded.value`,
  removeEntry: 'DELETE FROM entries WHERE player = ? AND key = ?',
  removeEntries: `DELETE FROM entries WHERE player = ?1 AND key IN
                    (SELECT key FROM entries WHERE player = ?1 LIMIT ${KEYS_REMOVED_AT_ONCE})`,
  findKey: 'SELECT key FROM entries WHERE player = ? LIMIT 1',
  lastVersion: 'SELECT version FROM last_version',
  setLastVersion: 'UPDATE last_version SET version = ?',
  findTotal: 'SELECT bytes FROM stage_bytes WHERE stage_id = ?',
  putTotal: `INSERT INTO stage_bytes (stage_id, bytes) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET bytes = excluded.bytes`,
  removeTotal: 'DELETE FROM stage_bytes WHERE stage_id = ?',
} as const;

type Statements = Readonly<Record<keyof typeof QUERIES, WriteStatement>>;

/** What a player has, beside the entries. */
interface Player extends PlayerDataSize {
  readonly id: number;
  readonly version: number;
}

/** What the players of a stage have together, as it is stored and as the writes of a transaction leave it. */
interface Total {
  readonly stored: number;
  bytes: number;
}

interface Options extends Pick<SharedCommitsOptions<never>, 'file' | 'clock' | 'log'> {
  readonly limits: PlayerDataLimits;
  /** Whether the room that is left on the disk is needed for more urgent things than what scripts set. */
  readonly isShort?: () => boolean;
}

/**
 * Keeps players' data in an SQLite file of its own. Every write is on disk when it resolves, in a commit that it shares
 * with what came at the same time. Other processes on the same machine may use the same file. Throws a `StartupError`.
 */
export async function openSqlitePlayerData({
  file,
  limits,
  clock,
  log,
  isShort = () => false,
}: Options): Promise<PlayerData> {
  const { commits, reader } = await openSharedCommits<Writes>({
    ...{ file, clock, log, subject: 'player data', synchronous: 'FULL', migrations: MIGRATIONS },
    async prepare(prepare) {
      const entries = Object.entries(QUERIES).map(async ([name, text]) => [name, await prepare(text)] as const);
      const statements = Object.fromEntries(await Promise.all(entries)) as Statements;
      return () => new Writes(statements, limits);
    },
  });
  const ofPlayer = 'WHERE players.stage_id = ?1 AND players.player_id = ?2';
  const selectAll = reader.prepare(
    `SELECT version, key, value FROM players LEFT JOIN entries ON player = id ${ofPlayer}`,
  );
  // Most scripts ask for one key at a time, which takes half as long without a list.
  const selectOne = reader.prepare(
    `SELECT version, key, value FROM players LEFT JOIN entries ON player = id AND key = ?3 ${ofPlayer}`,
  );
  const selectSome = reader.prepare(
    `SELECT version, key, value FROM players
     LEFT JOIN entries ON player = id AND key IN (SELECT value FROM json_each(?3)) ${ofPlayer}`,
  );

  const readPage = createReadPage(reader);

  return {
    async get({ stageId, playerId }, keys) {
      const kept = keys?.filter((key) => !CANNOT_BE_KEPT.test(key));
      const rows = commits.read(() => {
        if (kept === undefined) return selectAll.all(stageId, playerId);
        if (kept.length === 1) return [selectOne.get(stageId, playerId, kept[0])];
        return selectSome.all(stageId, playerId, JSON.stringify(kept));
      });
      return toValues(rows as (Row | undefined)[]);
    },
    page: async (player, { start = FIRST, maxBytes }) => commits.read(() => readPage(player, start, maxBytes)),
    async set(player, changes, expectedVersion) {
      const list = [...changes].map(([key, value]) => toChange(key, value));
      if (isShort() && list.some(({ value }) => value !== undefined)) throw noRoom();
      const bytes = list.reduce((sum, change) => sum + change.bytes, 0);
      return await commits.write(bytes, (writes) => writes.set(player, list, expectedVersion));
    },
    remove: (player) => commits.write(0, (writes) => writes.remove(player)),
    async removeStage(stageId) {
      let from: string | undefined = '';
      while (from !== undefined) {
        const next: string = from;
        from = await commits.write(0, (writes) => writes.removeSome(stageId, next));
      }
    },
    close: () => commits.close(),
  };
}

/** How many sizes are read first. They stand behind keys of any length, and most pages have few entries, or many. */
const SIZES_AT_FIRST = 8;

function createReadPage(reader: Libsql.Database) {
  const ofPage = 'FROM entries WHERE player = ? AND key >= ? ORDER BY key LIMIT ? OFFSET ?';
  const selectPlayer = reader.prepare(QUERIES.find);
  const selectKey = reader.prepare(`SELECT key ${ofPage}`);
  const selectSizes = reader.prepare(`SELECT bytes ${ofPage}`);
  // As text, a value would be read, and written again for the reply.
  const selectValues = reader.prepare(`SELECT key, CAST(value AS BLOB) AS value ${ofPage}`);

  /** The key of the first entry. SQLite walks along all that are skipped, of which there may be thousands, so it does once. */
  function firstKey(player: number, { from, skip }: PlayerDataPosition): string | undefined {
    if (skip === 0) return from;
    return (selectKey.get(player, from, 1, skip) as { key: string } | undefined)?.key;
  }

  /** How many entries the page has, and whether there are more. Their values may be megabytes, so they are read later. */
  function measure(player: number, first: string, maxBytes: number) {
    const sizes: { bytes: number }[] = [];
    for (let step = SIZES_AT_FIRST; ; step *= 2) {
      const more = selectSizes.all(player, first, step, sizes.length) as typeof sizes;
      sizes.push(...more);
      const count = countFitting(sizes, maxBytes, BYTES_BESIDE_ENTRY);
      if (count < sizes.length || more.length < step) return { count, hasMore: count < sizes.length };
    }
  }

  // One transaction sees one version.
  return reader.transaction(
    ({ stageId, playerId }: PlayerKey, start: PlayerDataPosition, maxBytes: number): PlayerDataPage => {
      const player = selectPlayer.get(stageId, playerId) as Player | undefined;
      if (player === undefined) return { ...NOTHING, version: 0, values: new Map(), next: undefined };
      const { id, version, keys, bytes } = player;
      const first = firstKey(id, start);
      if (first === undefined) return { version, keys, bytes, values: new Map(), next: undefined };
      const { count, hasMore } = measure(id, first, maxBytes);
      const rows = selectValues.all(id, first, count, 0) as { key: string; value: ArrayBuffer }[];
      const values = new Map(rows.map(({ key, value }) => [key, new Uint8Array(value)]));
      return { version, keys, bytes, values, next: hasMore ? positionBehind(start, [...values.keys()]) : undefined };
    },
  );
}

/**
 * The writes of one transaction. They count versions and the bytes of stages together, because each version, and each
 * change of a total, costs a write otherwise.
 */
class Writes {
  readonly #statements: Statements;
  readonly #limits: PlayerDataLimits;
  #lastVersion: number | undefined;
  readonly #totals = new Map<string, Total>();

  constructor(statements: Statements, limits: PlayerDataLimits) {
    this.#statements = statements;
    this.#limits = limits;
  }

  *set(player: PlayerKey, changes: readonly Change[], expectedVersion: number | undefined): Generator<void, number> {
    const found = this.#find(player);
    if (expectedVersion !== undefined && expectedVersion !== (found?.version ?? 0)) throw outdated(expectedVersion);
    const { keys, bytes } = yield* this.#sizeAfter(found, changes);
    const growth = chargeFor({ keys, bytes }) - chargeFor(found ?? NOTHING);
    if (changes.some(({ value }) => value !== undefined)) {
      assertWithinLimits({ keys, bytes }, this.#limits);
      if (growth > 0) assertStageMayGrow(this.#totalOf(player.stageId).bytes, growth, this.#limits);
    }
    if (keys === 0) {
      yield* this.#removeAll(player, found);
      return 0;
    }
    if (growth !== 0) this.#totalOf(player.stageId).bytes += growth;
    const version = this.#nextVersion();
    const id = found?.id ?? version;
    const { put, putEntry, removeEntry } = this.#statements;
    for (const change of changes) {
      if (change.value !== undefined) putEntry.run(id, change.key, change.bytes, change.value);
      else if (found !== undefined) removeEntry.run(id, change.key);
      yield;
    }
    put.run(player.stageId, player.playerId, id, version, keys, bytes);
    return version;
  }

  *remove(player: PlayerKey): Generator<void, PlayerDataSize> {
    const found = this.#find(player);
    yield* this.#removeAll(player, found);
    const { keys, bytes } = found ?? NOTHING;
    return { keys, bytes };
  }

  /** Removes some players of the stage, from this one on; gives where to go on, unless that was all. */
  *removeSome(stageId: string, playerId: string): Generator<void, string | undefined> {
    let [next, keys, bytes] = [playerId, 0, 0];
    while (keys < KEYS_REMOVED_AT_ONCE && bytes < BYTES_REMOVED_AT_ONCE) {
      const found = this.#statements.findFrom.get(stageId, next) as (Player & { playerId: string }) | undefined;
      if (found === undefined) return undefined;
      next = found.playerId;
      yield* this.#removeAll({ stageId, playerId: next }, found);
      keys += found.keys;
      bytes += found.bytes;
    }
    return next;
  }

  *end(): Generator<void, void> {
    if (this.#lastVersion !== undefined) this.#statements.setLastVersion.run(this.#lastVersion);
    yield;
    const { putTotal, removeTotal } = this.#statements;
    for (const [stageId, { stored, bytes }] of this.#totals) {
      if (bytes === stored) continue;
      if (bytes === 0) removeTotal.run(stageId);
      else putTotal.run(stageId, bytes);
      yield;
    }
  }

  #totalOf(stageId: string): Total {
    const known = this.#totals.get(stageId);
    if (known !== undefined) return known;
    const { bytes } = (this.#statements.findTotal.get(stageId) as PlayerDataSize | undefined) ?? NOTHING;
    const total = { stored: bytes, bytes };
    this.#totals.set(stageId, total);
    return total;
  }

  #find({ stageId, playerId }: PlayerKey): Player | undefined {
    return this.#statements.find.get(stageId, playerId) as Player | undefined;
  }

  /** What the player will have after the changes. */
  *#sizeAfter(found: Player | undefined, changes: readonly Change[]): Generator<void, PlayerDataSize> {
    let { keys, bytes } = found ?? NOTHING;
    for (const change of changes) {
      const before = found && (this.#statements.findBytes.get(found.id, change.key) as { bytes: number } | undefined);
      if (before !== undefined) {
        keys -= 1;
        bytes -= before.bytes;
      }
      if (change.value !== undefined) {
        keys += 1;
        bytes += change.bytes;
      }
      yield;
    }
    return { keys, bytes };
  }

  *#removeAll({ stageId, playerId }: PlayerKey, found: Player | undefined): Generator<void, void> {
    if (found === undefined) return;
    const { remove, removeEntries } = this.#statements;
    if (found.bytes > BYTES_REMOVED_IN_STEP) yield* this.#removeEach(found.id);
    else while (removeEntries.run(found.id).changes === KEYS_REMOVED_AT_ONCE) yield;
    remove.run(stageId, playerId);
    this.#totalOf(stageId).bytes -= chargeFor(found);
    yield;
  }

  *#removeEach(player: number): Generator<void, void> {
    const { findKey, removeEntry } = this.#statements;
    for (;;) {
      const entry = findKey.get(player) as { key: string } | undefined;
      if (entry === undefined) return;
      removeEntry.run(player, entry.key);
      yield;
    }
  }

  #nextVersion(): number {
    this.#lastVersion ??= (this.#statements.lastVersion.get() as { version: number }).version;
    this.#lastVersion += 1;
    return this.#lastVersion;
  }
}

function noRoom(): ServiceError {
  const message = 'the disk of the server is full, so nothing was set: make room on it, and try again';
  return new ServiceError('internal', message, { retryAfterMs: 1_000 });
}
