import { randomUUID } from 'node:crypto';
import type Libsql from 'libsql';
import {
  type BeginNote,
  type ChainHead,
  packDigests,
  type RemovalNote,
  type RemovalReason,
  rangesOf,
  rootOf,
} from '../../audit-chain.ts';
import type { AuditChain, AuditLink, LooseRecords, PlacedRecord } from './audit-log.ts';
import {
  aboutRemoval,
  type Batch,
  beginBatch,
  type ChainRow,
  CUT_AT_ONCE,
  cutToLink,
  DIGEST_BYTES_OF_PAGE,
  fittingLinks,
  itemsByLink,
  LATE_AFTER_MS,
  type LinkRow,
  MORE_ITEMS,
  type NewLink,
  noteAfter,
  PLACE_AFTER_MS,
  PLACE_BEFORE_MS,
  placesOf,
  STRAYS_SHOWN,
  thin,
  timeOfRequestId,
  toChain,
  toLink,
} from './chain-rows.ts';
import type { AuditRow } from './rows.ts';

/** All who write to the file take turns, so there is one chain in it. */
const WRITER = 'server';

/**
 * Two columns of `audit` have the numbers of the links that its intent and its outcome are in. What writes no chain, such
 * as a version from before there was one, leaves them empty.
 */
export const CHAIN_MIGRATION = `
  ALTER TABLE audit ADD COLUMN intent_link INTEGER;
  ALTER TABLE audit ADD COLUMN outcome_link INTEGER;
  CREATE INDEX audit_by_intent_link ON audit (intent_link) WHERE intent_link IS NOT NULL;
  CREATE INDEX audit_by_outcome_link ON audit (outcome_link)
    WHERE outcome_link IS NOT NULL AND outcome_link IS NOT intent_link;
  CREATE INDEX audit_unchained ON audit (at) WHERE intent_link IS NULL;
  CREATE TABLE audit_chains (
    writer TEXT PRIMARY KEY,
    id TEXT NOT NULL,
    installation TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    unchained INTEGER NOT NULL,
    base_number INTEGER NOT NULL,
    base_hash TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit_links (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL,
    content BLOB NOT NULL,
    digests BLOB,
    note TEXT,
    removed TEXT,
    removed_by INTEGER
  ) STRICT`;

/** The head is that of the newest link: to keep it beside would cost each transaction another page. */
export const CHAINS_WITH_HEADS = `
  SELECT writer, id, installation, began_at, unchained, ifnull(number, base_number) AS number, ifnull(lower(hex(hash)), base_hash) AS hash,
    base_number, base_hash
  FROM audit_chains LEFT JOIN audit_links ON number = (SELECT max(number) FROM audit_links)`;

const OF_LINKS = `(
  SELECT * FROM audit WHERE intent_link IS NOT NULL AND intent_link BETWEEN ?1 AND ?2
  UNION ALL
  SELECT * FROM audit WHERE outcome_link IS NOT NULL AND outcome_link IS NOT intent_link AND outcome_link BETWEEN ?1 AND ?2
    AND (intent_link IS NULL OR intent_link NOT BETWEEN ?1 AND ?2)
)`;

/** The chain of the file. What it writes belongs to the transaction that the caller has begun. */
export interface SqliteChain {
  /** Begins what a transaction adds; `commit` must have it before the transaction ends. */
  begin(): Batch;
  commit(batch: Batch): void;
  /** Puts on record that these rows were removed. */
  removed(rows: readonly AuditRow[], why: Pick<RemovalNote, 'reason' | 'before' | 'onlyScripts'>): void;
  chains(): AuditChain[];
  links(after: number, limit: number): AuditLink[];
  looseRecords(): LooseRecords;
  /** The row of a record, and in which links its parts are. */
  place(requestId: string): (Omit<PlacedRecord, 'record'> & { readonly row: AuditRow }) | undefined;
}

/** What the first link has, and a clock for all of them. */
export interface ChainParts {
  readonly installation: string;
  readonly now: () => number;
}

export function openSqliteChain(database: Libsql.Database, { installation, now }: ChainParts): SqliteChain {
  const select = database.prepare(CHAINS_WITH_HEADS);
  const insert = database.prepare(
    `INSERT INTO audit_links (number, at, kind, previous, hash, content, digests, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const find = () => (select.all() as ChainRow[])[0];

  function append(links: readonly NewLink[]): void {
    for (const { number, at, kind, previous, hash, content, digests, note } of links) {
      const bytes = [previous, hash, content].map((hex) => Buffer.from(hex, 'hex'));
      insert.run(number, at, kind, ...bytes, digests === undefined ? null : packDigests(digests), note ?? null);
    }
  }

  function make(): ChainHead {
    const id = randomUUID();
    const at = now();
    const root = rootOf({ installation, chain: id });
    const [{ unchained }] = database
      .prepare('SELECT count(*) AS unchained FROM audit WHERE intent_link IS NULL')
      .all() as [Pick<BeginNote, 'unchained'>];
    database
      .prepare('INSERT INTO audit_chains VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(WRITER, id, installation, at, unchained, root.number, root.hash);
    const note: BeginNote = { type: 'begin', installation, chain: id, writer: WRITER, unchained };
    const first = noteAfter(root, at, note);
    append([first]);
    return first;
  }

  return {
    begin: () => beginBatch(find() ?? make()),
    commit: (batch) => append(batch.links(now())),
    removed(rows, why) {
      const chain = find();
      if (chain !== undefined) append([noteRemoval({ database, chain, rows, why, at: now() })]);
    },
    chains: () => (select.all() as ChainRow[]).map(toChain),
    links: (after, limit) => readLinks(database, after, limit),
    looseRecords: () => readLoose(database),
    place: (requestId) => findPlace(database, requestId),
  };
}

function noteRemoval({
  database,
  chain,
  rows,
  why,
  at,
}: {
  database: Libsql.Database;
  chain: ChainRow;
  rows: readonly AuditRow[];
  why: { readonly reason: RemovalReason; readonly before: number; readonly onlyScripts: boolean };
  at: number;
}): NewLink {
  const number = chain.number + 1;
  const items = itemsByLink(rows);
  const linkOf = database.prepare('SELECT number, digests, removed FROM audit_links WHERE number = ?');
  const links = [...items.keys()].sort((a, b) => a - b).flatMap((link) => linkOf.all(link) as LinkRow[]);
  const { gone, thinned } = thin(items, links);
  const empty = database.prepare(
    'UPDATE audit_links SET digests = NULL, removed = NULL, removed_by = ? WHERE number = ?',
  );
  for (const link of gone) empty.run(number, link);
  const mark = database.prepare('UPDATE audit_links SET removed = ?, removed_by = ? WHERE number = ?');
  for (const [link, mask] of thinned) mark.run(mask, number, link);
  const cutTo = cut(database, chain);
  const about = aboutRemoval(rows, chain);
  database.prepare('UPDATE audit_chains SET unchained = ? WHERE writer = ?').run(about.unchained, WRITER);
  const note: RemovalNote = {
    ...{ type: 'removal', ...why, ...about },
    ...{ gone: rangesOf(gone), thinned, cutTo },
  };
  return noteAfter(chain, at, note);
}

/** Removes links at the beginning of which nothing is left, and notes among them, apart from the newest link. */
function cut(database: Libsql.Database, chain: ChainRow): RemovalNote['cutTo'] {
  const [kept] = database
    .prepare('SELECT number FROM audit_links WHERE digests IS NOT NULL ORDER BY number LIMIT 1')
    .all() as { number: number }[];
  const gone = "SELECT * FROM audit_links WHERE number < ? AND kind <> 'note' ORDER BY number LIMIT ?";
  const [last] = database
    .prepare(`SELECT * FROM (${gone}) ORDER BY number DESC LIMIT 1`)
    .all(kept?.number ?? chain.number, CUT_AT_ONCE) as LinkRow[];
  if (last === undefined) return { number: chain.base_number, hash: chain.base_hash };
  const base = cutToLink(last);
  database.prepare('DELETE FROM audit_links WHERE number <= ?').run(base.number);
  const move = database.prepare('UPDATE audit_chains SET base_number = ?, base_hash = ? WHERE writer = ?');
  move.run(base.number, base.hash, WRITER);
  return base;
}

function readLinks(database: Libsql.Database, after: number, limit: number): AuditLink[] {
  const rows = database
    // Only the digests of links that fit on the page are read.
    .prepare(
      `SELECT audit_links.* FROM (
         SELECT number, row_number() OVER (ORDER BY number) AS place, sum(size) OVER (ORDER BY number) AS bytes
         FROM (SELECT number, ifnull(length(digests), 0) AS size FROM audit_links
               WHERE number > ? ORDER BY number LIMIT ?)
       ) JOIN audit_links USING (number)
       WHERE place = 1 OR bytes <= ${DIGEST_BYTES_OF_PAGE} ORDER BY number`,
    )
    .all(after, limit) as LinkRow[];
  const [first, last] = [rows.at(0), rows.at(-1)];
  if (first === undefined || last === undefined) return [];
  const most = rows.reduce((sum, { digests }) => sum + (digests?.byteLength ?? 0) / 32, MORE_ITEMS);
  const items = itemsByLink(
    database
      .prepare(`SELECT * FROM ${OF_LINKS} ORDER BY at, request_id LIMIT ?3`)
      .all(first.number, last.number, most) as AuditRow[],
  );
  return fittingLinks(rows.map((row) => toLink(row, items.get(row.number) ?? [])));
}

function readLoose(database: Libsql.Database): LooseRecords {
  const [{ unchained }] = database
    .prepare('SELECT count(*) AS unchained FROM audit WHERE intent_link IS NULL')
    .all() as [{ unchained: number }];
  const late = database
    .prepare(
      `SELECT request_id FROM audit, audit_chains
       WHERE intent_link IS NULL AND outcome_link IS NULL AND at > began_at + ${LATE_AFTER_MS} LIMIT ${STRAYS_SHOWN}`,
    )
    .all() as Pick<AuditRow, 'request_id'>[];
  // Links without the entry of their chain are verified by nothing, so no record is in one of them.
  const ranges = `
    SELECT ifnull(min(base_number), 0) AS first, iif(count(*) = 0, 0, ifnull((SELECT max(number) FROM audit_links), 0)) AS last
    FROM audit_chains`;
  const beyond = (column: string, condition: string) => `
    SELECT request_id FROM audit, (${ranges}) WHERE ${condition} AND ${column} > last
    UNION SELECT request_id FROM audit, (${ranges}) WHERE ${condition} AND ${column} <= first`;
  const strays = database
    .prepare(
      `SELECT request_id FROM (${beyond('intent_link', 'intent_link IS NOT NULL')} UNION
         ${beyond('outcome_link', 'outcome_link IS NOT NULL AND outcome_link IS NOT intent_link')})
       LIMIT ${STRAYS_SHOWN}`,
    )
    .all() as Pick<AuditRow, 'request_id'>[];
  const idsOf = (rows: typeof strays) => rows.map((row) => row.request_id);
  return { unchained, late: idsOf(late), strays: idsOf(strays) };
}

function findPlace(database: Libsql.Database, requestId: string): ReturnType<SqliteChain['place']> {
  const at = timeOfRequestId(requestId);
  if (at === undefined) return undefined;
  // The plus keeps SQLite from looking through all records of that time instead of into the index of ids.
  const [row] = database
    .prepare('SELECT * FROM audit WHERE request_id = ? AND +at BETWEEN ? AND ? LIMIT 1')
    .all(requestId, at - PLACE_BEFORE_MS, at + PLACE_AFTER_MS) as AuditRow[];
  if (row === undefined) return undefined;
  const linkOf = database.prepare('SELECT * FROM audit_links WHERE number IN (?, ?)');
  return { row, writer: WRITER, ...placesOf(row, linkOf.all(row.intent_link, row.outcome_link) as LinkRow[]) };
}
