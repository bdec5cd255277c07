import { randomUUID } from 'node:crypto';
import {
  type BeginNote,
  type ChainHead,
  packDigests,
  type RemovalNote,
  type RemovalReason,
  rangesOf,
  rootOf,
} from '../../audit-chain.ts';
import type { Session, Sessions } from '../postgres/sessions.ts';
import type { AuditLink, ChainReader, LooseRecords } from './audit-log.ts';
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
import { type AuditRow, toRecord } from './rows.ts';

type Query = Pick<Session, 'query'>;

/** A record's row, which names its chain: the link of its intent or outcome may be that of any writer. */
export type ChainedRow = AuditRow & { readonly node: string; readonly chain: string | null };

/** The writer of a chain: each node has a chain of its own, and all commands have one together. */
export interface Writer {
  readonly installation: string;
  readonly writer: string;
  readonly now: () => number;
}

/**
 * The batch of a transaction. The row of the chain is locked until its end, so that writers of one chain take turns; its
 * order in a transaction is before the records, because removals lock all chains before any records too.
 */
export async function beginChainBatch(session: Query, parts: Writer): Promise<Batch> {
  return beginBatch((await lockChain(session, parts.writer)) ?? (await makeChain(session, parts)));
}

export async function commitChainBatch(session: Query, { writer, now }: Writer, batch: Batch): Promise<void> {
  await append(session, writer, batch.links(now()));
}

async function lockChain({ query }: Query, writer: string): Promise<ChainRow | undefined> {
  const { rows } = await query<ChainRow>('select * from audit_chains where writer = $1 for update', [writer]);
  return rows[0];
}

async function makeChain(session: Query, { installation, writer, now }: Writer): Promise<ChainHead> {
  const id = randomUUID();
  const at = now();
  const root = rootOf({ installation, chain: id });
  const { rows } = await session.query<{ unchained: number }>(
    `insert into audit_chains (writer, id, installation, began_at, unchained, number, hash, base_number, base_hash)
     values ($1, $2, $3, $4, (select count(*) from audit where node = $1 and intent_link is null), $5, $6, $5, $6) on conflict do nothing returning unchained`,
    [writer, id, installation, at, root.number, root.hash],
  );
  // Another process was first.
  const made = rows.length > 0 ? undefined : await lockChain(session, writer);
  if (made !== undefined) return made;
  const unchained = rows[0]?.unchained ?? 0;
  const note: BeginNote = { type: 'begin', installation, chain: id, writer, unchained };
  const first = noteAfter(root, at, note);
  await append(session, writer, [first]);
  return first;
}

async function append({ query }: Query, writer: string, links: readonly NewLink[]): Promise<void> {
  const head = links.at(-1);
  if (head === undefined) return;
  const bytesOf = (hexes: readonly string[]) => hexes.map((hex) => Buffer.from(hex, 'hex'));
  await query(
    `with added as (
       insert into audit_links (writer, number, at, kind, previous, hash, content, digests, note)
       select $1, * from unnest($2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[],
         $8::bytea[], $9::text[])
     )
     update audit_chains set number = $10, hash = $11 where writer = $1`,
    [
      writer,
      links.map(({ number }) => number),
      links.map(({ at }) => at),
      links.map(({ kind }) => kind),
      bytesOf(links.map(({ previous }) => previous)),
      bytesOf(links.map(({ hash }) => hash)),
      bytesOf(links.map(({ content }) => content)),
      links.map(({ digests }) => (digests === undefined ? null : packDigests(digests))),
      links.map(({ note }) => note ?? null),
      head.number,
      head.hash,
    ],
  );
}

/** Must be called before records are removed, so that no chain grows meanwhile. */
export async function lockChains({ query }: Query): Promise<void> {
  await query('select 1 from audit_chains order by writer for update');
}

/** Puts on record in each chain which of its rows were removed. */
export async function noteRemovals(
  session: Query,
  rows: readonly ChainedRow[],
  why: { readonly reason: RemovalReason; readonly before: number; readonly onlyScripts: boolean; readonly at: number },
): Promise<void> {
  const writers = new Map<string, ChainedRow[]>();
  for (const row of rows) {
    // A record without a chain belonged to its node, if that has begun one by now.
    const of = row.chain ?? row.node;
    const known = writers.get(of);
    if (known === undefined) writers.set(of, [row]);
    else known.push(row);
  }
  for (const [writer, removed] of writers) {
    const chain = await lockChain(session, writer);
    if (chain !== undefined) await noteRemoval(session, chain, removed, why);
  }
}

async function noteRemoval(
  session: Query,
  chain: ChainRow,
  rows: readonly AuditRow[],
  { at, ...why }: { reason: RemovalReason; before: number; onlyScripts: boolean; at: number },
): Promise<void> {
  const { writer } = chain;
  const number = chain.number + 1;
  const items = itemsByLink(rows);
  const { rows: links } = await session.query<LinkRow>(
    'select number, digests, removed from audit_links where writer = $1 and number = any($2::bigint[]) order by number',
    [writer, [...items.keys()]],
  );
  const { gone, thinned } = thin(items, links);
  await session.query(
    `update audit_links set digests = null, removed = null, removed_by = $2
     where writer = $1 and number = any($3::bigint[])`,
    [writer, number, gone],
  );
  await session.query(
    `update audit_links as link set removed = thinned.mask, removed_by = $2
     from unnest($3::bigint[], $4::text[]) as thinned (number, mask)
     where link.writer = $1 and link.number = thinned.number`,
    [writer, number, thinned.map(([link]) => link), thinned.map(([, mask]) => mask)],
  );
  const cutTo = await cut(session, chain);
  const about = aboutRemoval(rows, chain);
  await session.query('update audit_chains set unchained = $2 where writer = $1', [writer, about.unchained]);
  const note: RemovalNote = {
    ...{ type: 'removal', ...why, ...about },
    ...{ gone: rangesOf(gone), thinned, cutTo },
  };
  await append(session, writer, [noteAfter(chain, at, note)]);
}

/** Removes links at the beginning of which nothing is left, and notes among them, apart from the newest link. */
async function cut({ query }: Query, chain: ChainRow): Promise<RemovalNote['cutTo']> {
  const { writer, base_number: number, base_hash: hash } = chain;
  const { rows } = await query<{ number: number }>(
    'select number from audit_links where writer = $1 and digests is not null order by number limit 1',
    [writer],
  );
  const gone =
    "select * from audit_links where writer = $1 and number < $2 and kind <> 'note' order by number limit $3";
  const { rows: last } = await query<LinkRow>(`select * from (${gone}) as gone order by number desc limit 1`, [
    writer,
    rows[0]?.number ?? chain.number,
    CUT_AT_ONCE,
  ]);
  if (last[0] === undefined) return { number, hash };
  const base = cutToLink(last[0]);
  await query('delete from audit_links where writer = $1 and number <= $2', [writer, base.number]);
  const moved = [writer, base.number, base.hash];
  await query('update audit_chains set base_number = $2, base_hash = $3 where writer = $1', moved);
  return base;
}

/** Reads the chains of all writers. */
export function postgresChainReader(sessions: Sessions): ChainReader {
  return {
    chains: () =>
      sessions.use(async ({ query }) =>
        (await query<ChainRow>('select * from audit_chains order by writer')).rows.map(toChain),
      ),
    links: (query) => sessions.use((session) => readLinks(session, query)),
    looseRecords: () => sessions.use(readLoose),
    place: (requestId) =>
      sessions.use(async (session) => {
        const row = await findRow(session, requestId);
        if (row === undefined) return undefined;
        const { rows: links } = await session.query<LinkRow>(
          'select * from audit_links where writer = $1 and number in ($2, $3)',
          [row.chain, row.intent_link, row.outcome_link],
        );
        return { record: toRecord(row), writer: row.chain ?? row.node, ...placesOf(row, links) };
      }),
  };
}

async function readLinks(
  { query }: Query,
  { writer, after, limit }: { writer: string; after: number; limit: number },
): Promise<AuditLink[]> {
  // Only the digests of links that fit on the page leave the database.
  const { rows: page } = await query<LinkRow>(
    `select audit_links.* from (
       select number, row_number() over (order by number) as place, sum(size) over (order by number) as bytes
       from (select number, coalesce(octet_length(digests), 0) as size from audit_links
             where writer = $1 and number > $2 order by number limit $3) as next
     ) as sized join audit_links on writer = $1 and audit_links.number = sized.number
     where place = 1 or bytes <= ${DIGEST_BYTES_OF_PAGE} order by audit_links.number`,
    [writer, after, limit],
  );
  const [first, last] = [page.at(0), page.at(-1)];
  if (first === undefined || last === undefined) return [];
  const most = page.reduce((sum, { digests }) => sum + (digests?.byteLength ?? 0) / 32, MORE_ITEMS);
  const { rows } = await query<AuditRow>(
    `select * from audit where chain = $1 and intent_link between $2 and $3
     union all
     select * from audit where chain = $1 and outcome_link between $2 and $3 and outcome_link is not null
       and outcome_link is distinct from intent_link and (intent_link is null or intent_link not between $2 and $3)
     order by at, request_id limit $4`,
    [writer, first.number, last.number, most],
  );
  const items = itemsByLink(rows);
  return fittingLinks(page.map((row) => toLink(row, items.get(row.number) ?? [])));
}

async function readLoose({ query }: Query): Promise<LooseRecords> {
  const { rows: counts } = await query<{ unchained: number }>(
    'select count(*) as unchained from audit where intent_link is null',
  );
  const ofIntents = await query<{ id: string }>(straysBy('intent_link', 'intent_link is not null'));
  const ofOutcomes = await query<{ id: string }>(
    straysBy('outcome_link', 'outcome_link is not null and outcome_link is distinct from intent_link'),
  );
  const strays = [...ofIntents.rows, ...ofOutcomes.rows];
  const { rows: late } = await query<{ id: string }>(
    `select request_id as id from audit join audit_chains on writer = node
     where intent_link is null and outcome_link is null and at > began_at + ${LATE_AFTER_MS} limit ${STRAYS_SHOWN}`,
  );
  const idsOf = (rows: typeof strays) => [...new Set(rows.map(({ id }) => id))].slice(0, STRAYS_SHOWN);
  return { unchained: counts[0]?.unchained ?? 0, late: idsOf(late), strays: idsOf(strays) };
}

/**
 * Records in a link that no chain has. The condition is that of the column's index, by which they are found chain by chain
 * rather than by a look at every record. The order is the index's too: where most records are of one chain, PostgreSQL
 * would otherwise look for a few of them in the table itself, where there are none.
 */
function straysBy(column: 'intent_link' | 'outcome_link', condition: string): string {
  const few = `limit ${STRAYS_SHOWN}`;
  const first = `order by chain, ${column} ${few}`;
  const records = `select request_id from audit where ${condition}`;
  return `
    with recursive chains as (
      (select chain from audit where ${condition} order by chain limit 1)
      union all
      select (select chain from audit where ${condition} and chain > chains.chain order by chain limit 1)
      from chains where chain is not null
    )
    select request_id as id from (
      (${records} and chain is null ${first})
      union all
      select found.request_id
      from chains cross join lateral (${records} and audit.chain = chains.chain ${first}) as found
      where not exists (select from audit_chains where writer = chains.chain)
      union all
      select found.request_id
      from audit_chains cross join lateral (
        (${records} and chain = writer and ${column} > number ${first})
        union all
        (${records} and chain = writer and ${column} <= base_number ${first})
      ) as found
    ) as strays ${few}`;
}

async function findRow({ query }: Query, requestId: string): Promise<ChainedRow | undefined> {
  const at = timeOfRequestId(requestId);
  if (at === undefined) return undefined;
  // The sum keeps PostgreSQL from looking through all records of that time instead of into the index of ids.
  const { rows } = await query<ChainedRow>(
    'select * from audit where request_id = $1 and at + 0 between $2 and $3 limit 1',
    [requestId, at - PLACE_BEFORE_MS, at + PLACE_AFTER_MS],
  );
  return rows[0];
}
