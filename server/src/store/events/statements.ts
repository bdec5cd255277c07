/**
 * A statement for each database. Where it finds several rows, it gives one row with a list in JSON, so that the same
 * code serves both. Parameters are written `?1` for both.
 */
interface Row {
  readonly sqlite: string;
  readonly postgres: string;
}

const same = (text: string): Row => ({ sqlite: text, postgres: text });

/**
 * `position` is in order of commit in each game, because a transaction keeps the row of the game's log locked from the
 * moment at which it takes positions.
 */
export const SQLITE_EVENT_MIGRATIONS = [
  `CREATE TABLE event_logs (game_id TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL)
     STRICT, WITHOUT ROWID;
   CREATE TABLE events (
     game_id TEXT NOT NULL,
     position INTEGER NOT NULL,
     at INTEGER NOT NULL,
     body TEXT NOT NULL,
     PRIMARY KEY (game_id, position)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX events_by_time ON events (game_id, at);
   CREATE TABLE event_journals (node TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE event_connections (
     connection_id TEXT PRIMARY KEY,
     owner TEXT NOT NULL,
     game_id TEXT NOT NULL,
     body TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX event_connections_of_owner ON event_connections (owner);
   CREATE TABLE event_cursors (
     receiver TEXT PRIMARY KEY,
     game_id TEXT NOT NULL,
     owner TEXT,
     position INTEGER NOT NULL,
     failing_since INTEGER
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE event_watches (game_id TEXT PRIMARY KEY, game_name TEXT NOT NULL, until INTEGER NOT NULL)
     STRICT, WITHOUT ROWID`,
];

export const POSTGRES_EVENT_TABLES = `create table event_logs (
     game_id text collate "C" primary key,
     first bigint not null,
     last bigint not null
   );
   create table events (
     game_id text collate "C" not null,
     position bigint not null,
     at bigint not null,
     body text collate "C" not null,
     primary key (game_id, position)
   );
   create index events_by_time on events (game_id, at, position);
   create table event_journals (node text collate "C" primary key, seq bigint not null);
   create table event_connections (
     connection_id text collate "C" primary key,
     owner text collate "C" not null,
     game_id text collate "C" not null,
     body text collate "C" not null
   );
   create index event_connections_of_owner on event_connections (owner);
   create table event_cursors (
     receiver text collate "C" primary key,
     game_id text collate "C" not null,
     owner text collate "C",
     position bigint not null,
     failing_since bigint
   );
   create table event_watches (
     game_id text collate "C" primary key,
     game_name text collate "C" not null,
     until bigint not null
   )`;

/** A list of all rows of a query whose columns are `columns`. */
function listOf(columns: string, from: string): Row {
  return {
    sqlite: `SELECT json_group_array(json_array(${columns})) AS json FROM ${from}`,
    postgres: `SELECT coalesce(json_agg(json_build_array(${columns})), '[]')::text AS json FROM ${from}`,
  };
}

function firstAt(looked: number): string {
  return `SELECT min(position) AS position FROM
            (SELECT position FROM events WHERE game_id = ?1 AND at >= ?2 ORDER BY at LIMIT ${looked}) AS found`;
}

/**
 * Selects events behind the position ?2, up to ?3, at most ?4 of those that a filter wants: ?5 is the text of the
 * player, ?6 the list of types and ?7 that of stages, each empty for all. The text of an event is not parsed for that,
 * because a reader may want few of very many. An event without a stage where it should be is given, and is looked at by
 * the reader.
 */
function wantedRows(instr: 'instr' | 'strpos'): string {
  const listed = (list: string, text: string) =>
    `${instr}(${list}, '"' || substr(${text}, 1, ${instr}(${text}, '"'))) > 0`;
  return `SELECT position, body FROM (
      SELECT position, body, substr(body, ${instr}(body, '"type":"') + 8, 64) AS type_on,
        CASE WHEN ${instr}(body, ',"stage":"') BETWEEN 1 AND ${instr}(body, ',"node":"')
          THEN substr(body, ${instr}(body, ',"stage":"') + 10, 256) ELSE '' END AS stage_on
      FROM events WHERE game_id = ?1 AND position > ?2 AND position <= ?3
    ) AS looked
    WHERE ${instr}(type_on, 'events.lost"') = 1 OR (
      ${instr}(body, ?5) > 0
      AND (?6 = '' OR ${listed('?6', 'type_on')})
      AND (?7 = '' OR stage_on = '' OR ${listed('?7', 'stage_on')})
    )
    ORDER BY position LIMIT ?4`;
}

export const EVENT_STATEMENTS = {
  findSeq: same('SELECT seq FROM event_journals WHERE node = ?1'),
  /** The same, and keeps other transactions from changing it. */
  lockSeq: same(
    `INSERT INTO event_journals (node, seq) VALUES (?1, 0) ON CONFLICT (node) DO UPDATE SET seq = event_journals.seq
     RETURNING seq`,
  ),
  setSeq: same(
    `INSERT INTO event_journals (node, seq) VALUES (?1, ?2) ON CONFLICT (node) DO UPDATE SET seq = excluded.seq
     RETURNING seq`,
  ),
  /** Takes ?2 positions, all of them behind the position ?3; gives the last of them. */
  allocate: same(
    `INSERT INTO event_logs (game_id, first, last)
     VALUES (?1, CAST(?3 AS BIGINT) + 1, CAST(?3 AS BIGINT) + CAST(?2 AS BIGINT))
     ON CONFLICT (game_id) DO UPDATE SET last =
       CASE WHEN event_logs.last < CAST(?3 AS BIGINT) THEN CAST(?3 AS BIGINT) ELSE event_logs.last END
         + CAST(?2 AS BIGINT)
     RETURNING first, last`,
  ),
  insert: {
    sqlite: `INSERT INTO events (game_id, position, at, body)
             SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
               json_extract(value, '$[3]') FROM json_each(?1) WHERE true RETURNING position`,
    postgres: `insert into events (game_id, position, at, body)
               select row->>0, (row->>1)::bigint, (row->>2)::bigint, row->>3 from json_array_elements(?1::json) as row`,
  },
  addConnections: {
    sqlite: `INSERT INTO event_connections (connection_id, owner, game_id, body)
             SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
               json_extract(value, '$[3]') FROM json_each(?1) WHERE true
             ON CONFLICT DO NOTHING RETURNING connection_id`,
    postgres: `insert into event_connections (connection_id, owner, game_id, body)
               select row->>0, row->>1, row->>2, row->>3 from json_array_elements(?1::json) as row
               on conflict do nothing`,
  },
  /**
   * Gives those of these connections that are there. In PostgreSQL it removes them too; in SQLite, `forgetConnections`
   * does.
   */
  takeConnections: {
    sqlite: `SELECT json_group_array(connection_id) AS json FROM event_connections
             WHERE connection_id IN (SELECT value FROM json_each(?1))`,
    postgres: `with taken as (
                 delete from event_connections
                 where connection_id in (select * from json_array_elements_text(?1::json)) returning connection_id
               ) select coalesce(json_agg(connection_id), '[]')::text as json from taken`,
  },
  forgetConnections: {
    sqlite:
      'DELETE FROM event_connections WHERE connection_id IN (SELECT value FROM json_each(?1)) RETURNING 1 AS done',
    postgres: `delete from event_connections where connection_id in (select * from json_array_elements_text(?1::json))`,
  },
  findConnections: listOf(
    'connection_id, game_id, body',
    '(SELECT connection_id, game_id, body FROM event_connections WHERE owner = ?1 ORDER BY connection_id LIMIT ?2) AS found',
  ),
  owners: {
    sqlite: 'SELECT json_group_array(DISTINCT owner) AS json FROM event_connections',
    postgres: `select coalesce(json_agg(distinct owner), '[]')::text as json from event_connections`,
  },
  setFirst: same('UPDATE event_logs SET first = ?2 WHERE game_id = ?1 AND first < ?2 RETURNING first'),
  removeUntil: {
    sqlite: 'DELETE FROM events WHERE game_id = ?1 AND position < ?2 RETURNING position',
    postgres: 'delete from events where game_id = ?1 and position < ?2',
  },
  /** The ends of a log, and some of its events, as of one moment. */
  read: {
    sqlite: `SELECT first, last, (SELECT json_group_array(json_array(position, body)) FROM (${wantedRows('instr')})) AS json
             FROM event_logs WHERE game_id = ?1`,
    postgres: `SELECT first, last, (
                 SELECT coalesce(json_agg(json_build_array(position, body)), '[]') FROM (${wantedRows('strpos')}) AS page
               )::text AS json FROM event_logs WHERE game_id = ?1`,
  },
  ends: same('SELECT first, last FROM event_logs WHERE game_id = ?1'),
  logs: listOf('game_id, first, last', 'event_logs'),
  /**
   * Finds the first in the log among the earliest events of this time or later, because a few may be in another order
   * than their times. Where one node writes the whole log, they are so only after its clock was set back, and SQLite
   * looks at fewer because nothing else runs in the process meanwhile.
   */
  findAt: { sqlite: firstAt(1_000), postgres: firstAt(10_000) },
  claim: same(
    `INSERT INTO event_cursors (receiver, game_id, owner, position, failing_since)
     VALUES (?1, ?2, ?3, coalesce((SELECT last FROM event_logs WHERE game_id = ?2), 0), NULL)
     ON CONFLICT (receiver) DO UPDATE SET owner = excluded.owner
     WHERE event_cursors.owner IS NULL OR event_cursors.owner = excluded.owner OR event_cursors.owner = ?4
     RETURNING position, failing_since AS "failingSince"`,
  ),
  save: same(
    `UPDATE event_cursors SET position = ?3, failing_since = ?4 WHERE receiver = ?1 AND owner = ?2 RETURNING position`,
  ),
  release: same('UPDATE event_cursors SET owner = NULL WHERE receiver = ?1 AND owner = ?2 RETURNING position'),
  rewind: same(
    `INSERT INTO event_cursors (receiver, game_id, owner, position, failing_since) VALUES (?1, ?2, NULL, ?3, NULL)
     ON CONFLICT (receiver) DO UPDATE SET owner = NULL, position = excluded.position, failing_since = NULL
     RETURNING position`,
  ),
  removeCursor: same('DELETE FROM event_cursors WHERE receiver = ?1 RETURNING position'),
  cursors: listOf('receiver, owner', 'event_cursors'),
  watch: same(
    `INSERT INTO event_watches (game_id, game_name, until) VALUES (?1, ?2, ?3)
     ON CONFLICT (game_id) DO UPDATE SET until =
       CASE WHEN excluded.until > event_watches.until THEN excluded.until ELSE event_watches.until END
     RETURNING until`,
  ),
  watched: listOf('game_id, game_name', '(SELECT game_id, game_name FROM event_watches WHERE until > ?1) AS live'),
  removeLog: same('DELETE FROM event_logs WHERE game_id = ?1 RETURNING first'),
  removeCursorsOf: same('DELETE FROM event_cursors WHERE game_id = ?1 RETURNING position'),
  removeConnectionsOf: same('DELETE FROM event_connections WHERE game_id = ?1 RETURNING 1 AS done'),
  removeWatch: same('DELETE FROM event_watches WHERE game_id = ?1 RETURNING until'),
} as const satisfies Readonly<Record<string, Row>>;

export type EventStatement = keyof typeof EVENT_STATEMENTS;
