import { CHAINS_WITH_HEADS } from './audit/sqlite-chain.ts';
import { idOfEntry } from './player-data/entry-ids.ts';
import type { Schema } from './schema.ts';

export type ColumnType = 'text' | 'bigint' | 'integer' | 'smallint' | 'bytea';
export type CopiedRow = Readonly<Record<string, string | number | ArrayBuffer | null>>;

/** The name in the keys of audit records that were written before the copy, and of the writer of their chain. */
export const COPIED_NODE = 'copied';

type StoreTables = {
  readonly [Table in Exclude<keyof Schema, 'schema_version'>]: { readonly [Column in keyof Schema[Table]]: ColumnType };
};

/** Every table of the store, in an order in which each row comes after those that it refers to. */
const STORE_TABLES: StoreTables = {
  games: {
    id: 'text',
    name: 'text',
    description: 'text',
    state: 'text',
    is_termination_protected: 'integer',
    tags: 'text',
    created_at: 'bigint',
    updated_at: 'bigint',
  },
  stages: {
    id: 'text',
    game_id: 'text',
    name: 'text',
    description: 'text',
    role: 'text',
    game_key: 'text',
    log_group: 'text',
    state: 'text',
    tags: 'text',
    created_at: 'bigint',
    updated_at: 'bigint',
    runtime_id: 'text',
    identity: 'text',
  },
  configurations: { game_id: 'text', updated_at: 'bigint', sections: 'text' },
  snapshots: {
    id: 'text',
    game_id: 'text',
    description: 'text',
    created_at: 'bigint',
    updated_at: 'bigint',
    sections: 'text',
  },
  deployments: {
    id: 'text',
    stage_id: 'text',
    snapshot_id: 'text',
    action: 'text',
    state: 'text',
    result_code: 'text',
    result_message: 'text',
    claimed_by: 'text',
    claims: 'integer',
    created_at: 'bigint',
    updated_at: 'bigint',
  },
  runtimes: { id: 'text', stage_id: 'text', snapshot_id: 'text', created_at: 'bigint' },
  generated_code_jobs: {
    id: 'text',
    game_id: 'text',
    snapshot_id: 'text',
    state: 'text',
    description: 'text',
    generator: 'text',
    claimed_by: 'text',
    claims: 'integer',
    created_at: 'bigint',
    updated_at: 'bigint',
    archive: 'text',
  },
  bars: {
    name: 'text',
    kind: 'text',
    game_id: 'text',
    stage_id: 'text',
    player_id: 'text',
    until: 'bigint',
    signed_in_before: 'bigint',
    ends_connections: 'integer',
    reason: 'text',
    messages: 'text',
    evidence: 'text',
    actor: 'text',
    request_id: 'text',
    created_at: 'bigint',
    version: 'bigint',
    state: 'text',
    is_enforced: 'integer',
  },
  disconnect_jobs: {
    id: 'text',
    stage_id: 'text',
    state: 'text',
    wish: 'text',
    claimed_by: 'text',
    request: 'text',
    player_ids: 'text',
    named_players: 'integer',
    actor: 'text',
    request_id: 'text',
    confirmed_by: 'text',
    connections: 'integer',
    players: 'integer',
    created_at: 'bigint',
    updated_at: 'bigint',
    begun_at: 'bigint',
    closed: 'integer',
    gone: 'integer',
    unproven: 'integer',
    in_flight: 'text',
    failures: 'text',
    silent_nodes: 'text',
  },
  disconnect_job_players: { job_id: 'text', player_ids: 'text' },
  access_keys: {
    id: 'text',
    description: 'text',
    sealed_secret: 'text',
    policy: 'text',
    is_root: 'integer',
    created_at: 'bigint',
    revoked_at: 'bigint',
    expires_at: 'bigint',
    subject: 'text',
  },
  webhooks: {
    id: 'text',
    game_id: 'text',
    url: 'text',
    description: 'text',
    stages: 'text',
    types: 'text',
    state: 'text',
    reason: 'text',
    sealed_secret: 'text',
    sealed_former_secret: 'text',
    former_until: 'bigint',
    created_at: 'bigint',
    updated_at: 'bigint',
  },
  client_tokens: {
    principal: 'text',
    operation: 'text',
    token: 'text',
    parameters_digest: 'text',
    resource_id: 'text',
    created_at: 'bigint',
  },
  meta: { key: 'text', value: 'text' },
};

/** A table of the database, and the rows of a file that belong there. */
export interface CopiedTable {
  /** What its rows are, in messages. */
  readonly name: string;
  readonly table: string;
  readonly columns: Readonly<Record<string, ColumnType>>;
  readonly file: keyof SourceFiles;
  /** Selects the rows, with the names of the columns. */
  readonly rows: string;
  readonly convert?: (row: CopiedRow) => CopiedRow;
}

/** The files of the embedded store and of what is beside it. */
export interface SourceFiles {
  readonly store: string;
  readonly playerData: string;
  readonly stageLogs: string;
  readonly audit: string;
  readonly events: string;
}

export const COPIED_TABLES: readonly CopiedTable[] = [
  ...Object.entries(STORE_TABLES).map(([table, columns]) => ({
    name: table.replaceAll('_', ' '),
    table,
    columns,
    file: 'store' as const,
    rows: `SELECT ${Object.keys(columns).join(', ')} FROM ${table}`,
  })),
  {
    name: 'players with data',
    table: 'players',
    columns: { stage_id: 'text', player_id: 'text', version: 'bigint', keys: 'integer', bytes: 'bigint' },
    file: 'playerData',
    rows: 'SELECT stage_id, player_id, version, keys, bytes FROM players',
  },
  {
    name: 'entries of players',
    table: 'player_entries',
    columns: { stage_id: 'text', player_id: 'text', id: 'text', bytes: 'integer', key: 'text', value: 'text' },
    file: 'playerData',
    rows: `SELECT stage_id, player_id, key AS id, entries.bytes AS bytes, key, value
           FROM entries JOIN players ON players.id = entries.player`,
    convert: (row) => ({ ...row, id: idOfEntry(String(row.key)) }),
  },
  {
    name: 'stages with player data',
    table: 'player_stage_bytes',
    columns: { stage_id: 'text', slot: 'smallint', bytes: 'bigint' },
    file: 'playerData',
    rows: 'SELECT stage_id, 0 AS slot, bytes FROM stage_bytes',
  },
  {
    name: 'logs of stages',
    table: 'stage_logs',
    columns: { stage_id: 'text', first: 'bigint', last: 'bigint', bytes: 'bigint' },
    file: 'stageLogs',
    rows: 'SELECT stage_id, first, last, bytes FROM logs',
  },
  {
    name: 'lines of logs',
    table: 'stage_log_lines',
    columns: {
      stage_id: 'text',
      position: 'bigint',
      offset: 'bigint',
      at: 'bigint',
      level: 'integer',
      player_id: 'text',
      handler: 'text',
      request_id: 'text',
      text: 'text',
    },
    file: 'stageLogs',
    rows: `SELECT stage_id, position, "offset", at, level, player_id, handler, request_id, text
           FROM lines JOIN logs ON logs.id = lines.log`,
  },
  {
    name: 'logs of events',
    table: 'event_logs',
    columns: { game_id: 'text', first: 'bigint', last: 'bigint' },
    file: 'events',
    rows: 'SELECT game_id, first, last FROM event_logs',
  },
  {
    name: 'events',
    table: 'events',
    columns: { game_id: 'text', position: 'bigint', at: 'bigint', body: 'text' },
    file: 'events',
    rows: 'SELECT game_id, position, at, body FROM events',
  },
  {
    name: 'open connections in events',
    table: 'event_connections',
    columns: { connection_id: 'text', owner: 'text', game_id: 'text', body: 'text' },
    file: 'events',
    rows: 'SELECT connection_id, owner, game_id, body FROM event_connections',
  },
  {
    name: 'cursors of webhooks',
    table: 'event_cursors',
    columns: { receiver: 'text', game_id: 'text', owner: 'text', position: 'bigint', failing_since: 'bigint' },
    file: 'events',
    rows: 'SELECT receiver, game_id, owner, position, failing_since FROM event_cursors',
  },
  {
    name: 'audit records',
    table: 'audit',
    columns: {
      at: 'bigint',
      request_id: 'text',
      node: 'text',
      cause: 'text',
      actor: 'text',
      source_address: 'text',
      operation: 'text',
      resource: 'text',
      player_id: 'text',
      details: 'text',
      outcome: 'text',
      chain: 'text',
      intent_link: 'bigint',
      outcome_link: 'bigint',
    },
    file: 'audit',
    rows: `SELECT at, request_id, '${COPIED_NODE}' AS node, cause, actor, source_address, operation, resource, player_id,
             details, outcome, iif(intent_link IS NULL AND outcome_link IS NULL, NULL, '${COPIED_NODE}') AS chain,
             intent_link, outcome_link
           FROM audit`,
  },
  {
    name: 'chains of audit records',
    table: 'audit_chains',
    columns: {
      writer: 'text',
      id: 'text',
      installation: 'text',
      began_at: 'bigint',
      unchained: 'bigint',
      number: 'bigint',
      hash: 'text',
      base_number: 'bigint',
      base_hash: 'text',
    },
    file: 'audit',
    rows: `SELECT '${COPIED_NODE}' AS writer, id, installation, began_at, unchained, number, hash, base_number, base_hash
           FROM (${CHAINS_WITH_HEADS})`,
  },
  {
    name: 'links of audit records',
    table: 'audit_links',
    columns: {
      writer: 'text',
      number: 'bigint',
      at: 'bigint',
      kind: 'text',
      previous: 'bytea',
      hash: 'bytea',
      content: 'bytea',
      digests: 'bytea',
      note: 'text',
      removed: 'text',
      removed_by: 'bigint',
    },
    file: 'audit',
    rows: `SELECT '${COPIED_NODE}' AS writer, number, at, kind, previous, hash, content, digests, note, removed, removed_by
           FROM audit_links`,
  },
];
