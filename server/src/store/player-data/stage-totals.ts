import type { Clock } from '../../clock.ts';
import { Interrupted } from '../../interrupted.ts';
import type { Log } from '../../log.ts';
import type { Session, Sessions } from '../postgres/sessions.ts';
import { BYTES_BESIDE_ENTRY } from './player-data.ts';

/** The total of a stage is the sum of so many rows, so that nodes seldom wait for each other's. */
export const SLOTS = 16;
/** What only a later count finds has a slot of its own, so that the count and writers do not wait for each other. */
const LATER = SLOTS;

/** How many players one statement looks at, which takes a tenth of a second. */
const PLAYERS_AT_ONCE = 20_000;
const COUNTERS_LOCK = 7_305_808_872;
const PERIOD_MS = 3_600_000;

type Query = Pick<Session, 'query'>;

/**
 * Adds to the totals of stages what they lack of what their players have: all of it where nothing was counted before, and
 * what nodes of a version wrote that did not count. It looks at every player in one snapshot, which sees each write with
 * its count or without both, so others may write meanwhile. When two do this at the same time, one of them does nothing.
 * Rejects with `Interrupted` soon after `isOver` says so.
 */
export async function recountStages(sessions: Sessions, isOver: () => boolean = () => false): Promise<void> {
  await sessions.transact(async (session) => {
    const { rows: locks } = await session.query<{ isMine: boolean }>(
      'select pg_try_advisory_xact_lock($1) as "isMine"',
      [COUNTERS_LOCK],
    );
    if (locks[0]?.isMine !== true) return;
    const lacking = await readCounted(session);
    for (let last: readonly [string, string] | undefined = ['', '']; last !== undefined; ) {
      if (isOver()) throw new Interrupted();
      last = await addPage(session, last, lacking);
    }
    const differing = [...lacking].filter(([, bytes]) => bytes !== 0);
    if (differing.length === 0) return;
    // Where another recount has come in between, this fails and is repeated, because both write the same row.
    await session.query(
      `insert into player_stage_bytes as total (stage_id, slot, bytes)
       select stage_id, ${LATER}, bytes from unnest($1::text[], $2::bigint[]) as lacking (stage_id, bytes)
       order by stage_id collate "C"
       on conflict (stage_id, slot) do update set bytes = total.bytes + excluded.bytes`,
      [differing.map(([stageId]) => stageId), differing.map(([, bytes]) => bytes)],
    );
  }, 'begin isolation level repeatable read');
}

/** Id of a stage → what is counted of it, negative. */
async function readCounted(session: Query): Promise<Map<string, number>> {
  const { rows } = await session.query<{ stageId: string; bytes: number }>(
    'select stage_id as "stageId", sum(bytes)::bigint as bytes from player_stage_bytes group by stage_id',
  );
  return new Map(rows.map(({ stageId, bytes }) => [stageId, -bytes]));
}

/** Adds what the next players have; gives the last of them, unless these were all. */
async function addPage(
  session: Query,
  after: readonly [stageId: string, playerId: string],
  lacking: Map<string, number>,
): Promise<readonly [string, string] | undefined> {
  const { rows } = await session.query<{ stageId: string; bytes: number; players: number; lastId: string }>(
    `with page as (
       select stage_id, player_id, bytes + ${BYTES_BESIDE_ENTRY} * keys::bigint as charge from players
       where (stage_id, player_id) > ($1, $2) order by stage_id, player_id limit ${PLAYERS_AT_ONCE}
     )
     select stage_id as "stageId", sum(charge)::bigint as bytes, count(*)::integer as players, max(player_id) as "lastId"
     from page group by stage_id order by stage_id`,
    after,
  );
  for (const { stageId, bytes } of rows) lacking.set(stageId, (lacking.get(stageId) ?? 0) + bytes);
  const last = rows.at(-1);
  const players = rows.reduce((sum, row) => sum + row.players, 0);
  return last === undefined || players < PLAYERS_AT_ONCE ? undefined : [last.stageId, last.lastId];
}

/** Counts anew at once and every hour, in the background, until it is closed. */
export function keepStageTotals({
  sessions,
  clock,
  log,
}: {
  sessions: Sessions;
  clock: Clock;
  log: Pick<Log, 'warn'>;
}): { close(): Promise<void> } {
  let isClosed = false;
  let cancel = () => {};
  let underWay: Promise<void>;

  async function recount(): Promise<void> {
    try {
      await recountStages(sessions, () => isClosed);
    } catch (err) {
      if (!isClosed)
        log.warn({ err }, 'the player data of stages could not be counted anew: it is tried in an hour again');
    }
    if (isClosed) return;
    cancel = clock.after(PERIOD_MS, () => {
      underWay = recount();
    });
  }

  underWay = recount();
  return {
    async close() {
      isClosed = true;
      cancel();
      await underWay;
    },
  };
}
