import { randomInt } from 'node:crypto';
import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import { Batches } from '../postgres/batches.ts';
import type { Session, Sessions } from '../postgres/sessions.ts';
import {
  assertStageMayGrow,
  assertWithinLimits,
  CANNOT_BE_KEPT,
  type Change,
  FIRST,
  NOTHING,
  outdated,
  positionBehind,
  type Row,
  toChange,
  toValues,
} from './changes.ts';
import { idOfEntry } from './entry-ids.ts';
import {
  BYTES_BESIDE_ENTRY,
  chargeFor,
  type PlayerData,
  type PlayerDataLimits,
  type PlayerDataSize,
} from './player-data.ts';
import { SLOTS } from './stage-totals.ts';

/** Players of a deleted stage that are removed in one transaction. */
const REMOVED_AT_ONCE = 128;

type Query = Pick<Session, 'query'>;

interface Write {
  readonly player: PlayerKey;
  /** Undefined removes everything. */
  readonly changes: readonly Change[] | undefined;
  readonly expectedVersion: number | undefined;
}

/** What a write has come to. */
interface Written {
  readonly version: number;
  /** What a removal has removed. */
  readonly removed: PlayerDataSize;
}

/** A player as the writes of a batch leave them. */
interface Player {
  readonly key: PlayerKey;
  readonly isStored: boolean;
  version: number;
  keys: number;
  bytes: number;
  /** Whether what is stored of the entries goes. */
  isWiped: boolean;
  /** Id of an entry → the bytes that are stored. */
  readonly stored: Map<string, number>;
  /** Id of an entry → what becomes of it. */
  readonly changes: Map<string, Change>;
}

/** What the players of a stage have together. */
interface Total {
  /** As a batch found it. */
  readonly stored: number;
  /** As its writes leave it, as far as this batch knows. */
  bytes: number;
}

/** What a batch has read of what it changes. */
interface Found {
  readonly players: ReadonlyMap<string, Player>;
  /** As many new versions as the writes may need. */
  readonly versions: number[];
  /** Id of a stage → its total. */
  readonly totals: ReadonlyMap<string, Total>;
}

/**
 * Keeps players' data in PostgreSQL, in commits that writes share with what came at the same time. A batch locks the rows
 * of its players, always in the same order, so batches of several nodes wait for each other only where they meet.
 *
 * What a stage has is counted in slots, each process in its own, and a batch reads their sum without a lock. So nodes do
 * not queue for the total of a stage, but batches of several nodes at the same time may exceed the quota by what they
 * write: at most one batch of each node, of 8 MiB or one write, and what its keys are charged beside.
 */
export function openPostgresPlayerData({
  sessions,
  limits,
  slot = randomInt(SLOTS),
}: {
  sessions: Sessions;
  limits: PlayerDataLimits;
  /** In which this process counts. Two that have the same wait for each other, and count as well. */
  slot?: number;
}): PlayerData {
  const batches = new Batches<Write, Written>({
    subject: 'player data',
    perform: (writes) => sessions.transact((session) => performAll({ session, writes, limits, slot })),
  });
  return {
    async get({ stageId, playerId }, keys) {
      batches.assertOpen();
      const ids = keys?.filter((key) => !CANNOT_BE_KEPT.test(key)).map(idOfEntry) ?? null;
      const { rows } = await sessions.use(({ query }) =>
        query<Row>(
          `select version, key, value from players left join player_entries entry
             on entry.stage_id = players.stage_id and entry.player_id = players.player_id
             and ($3::text[] is null or entry.id = any($3::text[]))
           where players.stage_id = $1 and players.player_id = $2`,
          [stageId, playerId, ids],
        ),
      );
      return toValues(rows);
    },
    async page({ stageId, playerId }, { start = FIRST, maxBytes }) {
      batches.assertOpen();
      const { rows } = await sessions.use(({ query }) =>
        query<Row & PlayerDataSize & { found: number | null }>(
          `select version, keys, players.bytes, entry.key, entry.value, entry.found from players left join (
             select id, key, value, count(*) over () as found, row_number() over up_to as number, sum(charge) over up_to as sum
             from (
               select id, key, value, bytes + ${BYTES_BESIDE_ENTRY} as charge from player_entries
               where stage_id = $1 and player_id = $2 and id >= $3 order by id limit $4 offset $5
             ) as charged window up_to as (order by id)
           ) as entry on entry.number = 1 or entry.sum <= $6
           where players.stage_id = $1 and players.player_id = $2 order by entry.id`,
          [stageId, playerId, start.from, Math.floor(maxBytes / BYTES_BESIDE_ENTRY) + 2, start.skip, maxBytes],
        ),
      );
      const { keys, bytes, found } = rows[0] ?? { ...NOTHING, found: null };
      const { version, values } = toValues(rows);
      const hasMore = (found ?? 0) > values.size;
      const next = hasMore ? positionBehind(start, [...values.keys()].map(idOfEntry)) : undefined;
      return {
        version,
        keys,
        bytes,
        next,
        values: new Map([...values].map(([key, text]) => [key, Buffer.from(text)])),
      };
    },
    async set(player, changes, expectedVersion) {
      const list = [...changes].map(([key, value]) => toChange(key, value));
      const bytes = list.reduce((sum, change) => sum + change.bytes, 0);
      return (await batches.write({ player, changes: list, expectedVersion }, bytes)).version;
    },
    async remove(player) {
      return (await batches.write({ player, changes: undefined, expectedVersion: undefined }, 0)).removed;
    },
    async removeStage(stageId) {
      for (let removed = REMOVED_AT_ONCE; removed === REMOVED_AT_ONCE; ) {
        batches.assertOpen();
        removed = await sessions.transact((session) => removeSome(session, stageId, slot));
      }
      await sessions.transact((session) => removeSlots(session, stageId));
    },
    close: () => batches.close(),
  };
}

async function performAll({
  session,
  writes,
  limits,
  slot,
}: {
  session: Query;
  writes: readonly Write[];
  limits: PlayerDataLimits;
  slot: number;
}): Promise<PromiseSettledResult<Written>[]> {
  const players = await lockPlayers(session, writes);
  const counters = await readCounters(session, writes);
  await readEntries(session, writes, players);
  const found = { players, ...counters };
  const results = writes.map((write) => settled(() => perform(write, found, limits)));
  await writeAll({ session, found, slot });
  return results;
}

/** Reads the players, and keeps others from changing them until the end of the transaction. */
async function lockPlayers(session: Query, writes: readonly Write[]): Promise<Map<string, Player>> {
  const players = new Map<string, Player>();
  const keys = new Map(writes.map(({ player }) => [nameOf(player), player]));
  const { rows } = await session.query<PlayerKey & Pick<Player, 'version' | 'keys' | 'bytes'>>(
    `select stage_id as "stageId", player_id as "playerId", version, keys, bytes
     from players join unnest($1::text[], $2::text[]) as asked (stage_id, player_id) using (stage_id, player_id)
     order by stage_id, player_id for update of players`,
    columnsOf([...keys.values()], ({ stageId, playerId }) => [stageId, playerId]),
  );
  const found = new Map(rows.map((row) => [nameOf(row), row]));
  for (const [name, key] of keys) {
    const { version = 0, keys: count = 0, bytes = 0 } = found.get(name) ?? {};
    const rest = { isWiped: false, stored: new Map(), changes: new Map() };
    players.set(name, { key, isStored: found.has(name), version, keys: count, bytes, ...rest });
  }
  return players;
}

/** Takes as many new versions as the writes may need, and reads the totals of their stages. */
async function readCounters(session: Query, writes: readonly Write[]): Promise<Omit<Found, 'players'>> {
  const stageIds = [...new Set(writes.map(({ player }) => player.stageId))];
  const { rows } = await session.query<{ stageId: string | null; value: number }>(
    `select null as "stageId", nextval('player_versions') as value from generate_series(1, $1::integer)
     union all
     select stage_id, sum(bytes)::bigint from player_stage_bytes where stage_id = any($2::text[]) group by stage_id`,
    [setsOf(writes).length, stageIds],
  );
  const versions: number[] = [];
  const totals = new Map<string, Total>(stageIds.map((stageId) => [stageId, { stored: 0, bytes: 0 }]));
  for (const { stageId, value } of rows) {
    if (stageId === null) versions.push(value);
    else totals.set(stageId, { stored: value, bytes: value });
  }
  return { versions, totals };
}

/** Reads the sizes of the entries that change. */
async function readEntries(session: Query, writes: readonly Write[], players: Map<string, Player>): Promise<void> {
  const asked = setsOf(writes).flatMap((write) => {
    const { key, isStored } = playerOf(players, write);
    return isStored ? (write.changes ?? []).map((change) => [key.stageId, key.playerId, idOfEntry(change.key)]) : [];
  });
  if (asked.length > 0) {
    const { rows } = await session.query<PlayerKey & { id: string; bytes: number }>(
      `select distinct stage_id as "stageId", player_id as "playerId", id, bytes
       from player_entries join unnest($1::text[], $2::text[], $3::text[]) as asked (stage_id, player_id, id)
         using (stage_id, player_id, id)`,
      columnsOf(asked, (row) => row),
    );
    for (const row of rows) players.get(nameOf(row))?.stored.set(row.id, row.bytes);
  }
}

function setsOf(writes: readonly Write[]): readonly Write[] {
  return writes.filter(({ changes }) => changes !== undefined);
}

/** Changes the player in memory; throws a `ServiceError`, and changes nothing, when the write is refused. */
function perform(write: Write, { players, versions, totals }: Found, limits: PlayerDataLimits): Written {
  const { changes, expectedVersion } = write;
  const player = playerOf(players, write);
  const total = totals.get(player.key.stageId);
  if (total === undefined) throw new Error('a stage of the batch was not read');
  if (changes === undefined) return wipe(player, total);
  if (expectedVersion !== undefined && expectedVersion !== player.version) throw outdated(expectedVersion);
  let { keys, bytes } = player;
  for (const change of changes) {
    const before = bytesOf(player, idOfEntry(change.key));
    if (before !== undefined) {
      keys -= 1;
      bytes -= before;
    }
    if (change.value !== undefined) {
      keys += 1;
      bytes += change.bytes;
    }
  }
  const growth = chargeFor({ keys, bytes }) - chargeFor(player);
  if (changes.some(({ value }) => value !== undefined)) {
    assertWithinLimits({ keys, bytes }, limits);
    assertStageMayGrow(total.bytes, growth, limits);
  }
  if (keys === 0) return wipe(player, total);
  total.bytes += growth;
  for (const change of changes) player.changes.set(idOfEntry(change.key), change);
  player.version = versions.shift() ?? 0;
  Object.assign(player, { keys, bytes });
  return { version: player.version, removed: NOTHING };
}

function wipe(player: Player, total: Total): Written {
  const removed = { keys: player.keys, bytes: player.bytes };
  total.bytes -= chargeFor(player);
  player.changes.clear();
  Object.assign(player, { isWiped: true, version: 0, keys: 0, bytes: 0 });
  return { version: 0, removed };
}

/** The size of the entry, if the player has it. */
function bytesOf({ changes, isWiped, stored }: Player, id: string): number | undefined {
  const change = changes.get(id);
  if (change !== undefined) return change.value === undefined ? undefined : change.bytes;
  return isWiped ? undefined : stored.get(id);
}

/** A player whom another transaction has made meanwhile breaks the key, and the batch is repeated. */
async function writeAll({ session, found, slot }: { session: Query; found: Found; slot: number }): Promise<void> {
  const players = [...found.players.values()];
  const wiped = players.filter(({ isWiped, isStored }) => isWiped && isStored);
  if (wiped.length > 0) {
    await session.query(
      `delete from player_entries using unnest($1::text[], $2::text[]) as gone (stage_id, player_id)
       where player_entries.stage_id = gone.stage_id and player_entries.player_id = gone.player_id`,
      columnsOf(wiped, ({ key }) => [key.stageId, key.playerId]),
    );
  }
  const rowOf = ({ key, version, keys, bytes }: Player) => [key.stageId, key.playerId, version, keys, bytes];
  const kept = players.filter(({ keys, changes }) => keys > 0 && changes.size > 0);
  const entries = kept.flatMap(({ key, changes }) =>
    [...changes].map(([id, change]) => ({ player: [key.stageId, key.playerId, id], change })),
  );
  await session.query(
    `with gone as (
       delete from players using unnest($1::text[], $2::text[]) as gone (stage_id, player_id)
       where players.stage_id = gone.stage_id and players.player_id = gone.player_id
     ), made as (
       insert into players (stage_id, player_id, version, keys, bytes)
       select * from unnest($3::text[], $4::text[], $5::bigint[], $6::integer[], $7::bigint[])
     ), changed as (
       update players set version = new.version, keys = new.keys, bytes = new.bytes
       from unnest($8::text[], $9::text[], $10::bigint[], $11::integer[], $12::bigint[])
         as new (stage_id, player_id, version, keys, bytes)
       where players.stage_id = new.stage_id and players.player_id = new.player_id
     ), removed as (
       delete from player_entries using unnest($13::text[], $14::text[], $15::text[]) as old (stage_id, player_id, id)
       where player_entries.stage_id = old.stage_id and player_entries.player_id = old.player_id
         and player_entries.id = old.id
     ), counted as (
       insert into player_stage_bytes as total (stage_id, slot, bytes)
       select stage_id, $22::smallint, growth from unnest($23::text[], $24::bigint[]) as grown (stage_id, growth)
       order by stage_id collate "C"
       on conflict (stage_id, slot) do update set bytes = total.bytes + excluded.bytes
     )
     insert into player_entries (stage_id, player_id, id, bytes, key, value)
     select * from unnest($16::text[], $17::text[], $18::text[], $19::integer[], $20::text[], $21::text[])
     on conflict (stage_id, player_id, id) do update set bytes = excluded.bytes, value = excluded.value`,
    [
      ...columnsOf(
        players.filter(({ isStored, keys }) => isStored && keys === 0),
        ({ key }) => [key.stageId, key.playerId],
        2,
      ),
      ...columnsOf(
        kept.filter(({ isStored }) => !isStored),
        rowOf,
        5,
      ),
      ...columnsOf(
        kept.filter(({ isStored }) => isStored),
        rowOf,
        5,
      ),
      ...columnsOf(
        entries.filter(({ change }) => change.value === undefined),
        ({ player }) => player,
        3,
      ),
      ...columnsOf(
        entries.filter(({ change }) => change.value !== undefined),
        ({ player, change: { bytes, key, value } }) => [...player, bytes, key, value],
        6,
      ),
      slot,
      ...columnsOf(
        [...found.totals].filter(([, { stored, bytes }]) => bytes !== stored),
        ([stageId, { stored, bytes }]) => [stageId, bytes - stored],
        2,
      ),
    ],
  );
}

async function removeSome(session: Query, stageId: string, slot: number): Promise<number> {
  const { rows } = await session.query<{ removed: number }>(
    `with gone as (
       delete from players where (stage_id, player_id) in
         (select stage_id, player_id from players where stage_id = $1 order by player_id limit ${REMOVED_AT_ONCE}
          for update)
       returning player_id, bytes + $3::bigint * keys as charge
     ), entries as (
       delete from player_entries using gone
       where player_entries.stage_id = $1 and player_entries.player_id = gone.player_id
     ), counted as (
       insert into player_stage_bytes as total (stage_id, slot, bytes)
       select $1, $2::smallint, -sum(charge) from gone having count(*) > 0
       on conflict (stage_id, slot) do update set bytes = total.bytes + excluded.bytes
     )
     select count(*) as removed from gone`,
    [stageId, slot, BYTES_BESIDE_ENTRY],
  );
  return rows[0]?.removed ?? 0;
}

/** Slots that give nothing together go without a change of the total, whatever others write meanwhile. */
async function removeSlots(session: Query, stageId: string): Promise<void> {
  await session.query(
    `with slots as (
       select stage_id, slot, bytes from player_stage_bytes where stage_id = $1 order by slot for update
     )
     delete from player_stage_bytes using slots
     where player_stage_bytes.stage_id = slots.stage_id and player_stage_bytes.slot = slots.slot
       and (select sum(bytes) from slots) = 0`,
    [stageId],
  );
}

/** The columns of a table, as arrays that one statement takes. */
function columnsOf<Row>(rows: readonly Row[], valuesOf: (row: Row) => readonly unknown[], width?: number): unknown[][] {
  const values = rows.map(valuesOf);
  return Array.from({ length: width ?? values[0]?.length ?? 0 }, (_, column) => values.map((row) => row[column]));
}

function settled<T>(work: () => T): PromiseSettledResult<T> {
  try {
    return { status: 'fulfilled', value: work() };
  } catch (reason) {
    if (reason instanceof ServiceError) return { status: 'rejected', reason };
    throw reason;
  }
}

function playerOf(players: ReadonlyMap<string, Player>, { player }: Write): Player {
  const found = players.get(nameOf(player));
  if (found === undefined) throw new Error('a player of the batch was not read');
  return found;
}

function nameOf({ stageId, playerId }: PlayerKey): string {
  return JSON.stringify([stageId, playerId]);
}
