import type { BarKind, BarState } from './bars.ts';
import type { DisconnectJobState, DisconnectJobWish } from './disconnect-jobs.ts';
import type { DeploymentRecord, DeploymentResultCode, DeploymentState, LifeState } from './store.ts';
import type { WebhookRecord } from './webhooks.ts';

/** The tables, in types that SQLite and PostgreSQL share: times and flags are integers, bytes are base64 text. */
export interface Schema {
  schema_version: { version: number };
  games: {
    id: string;
    name: string;
    description: string;
    state: LifeState;
    is_termination_protected: number;
    /** A JSON object of strings. */
    tags: string;
    created_at: number;
    updated_at: number;
  };
  stages: {
    id: string;
    game_id: string;
    name: string;
    description: string;
    role: string;
    game_key: string;
    log_group: string;
    state: LifeState;
    tags: string;
    created_at: number;
    updated_at: number;
    runtime_id: string | null;
    identity: string | null;
  };
  configurations: { game_id: string; updated_at: number; sections: string };
  snapshots: {
    id: string;
    game_id: string;
    description: string;
    created_at: number;
    updated_at: number;
    sections: string;
  };
  deployments: {
    id: string;
    stage_id: string;
    snapshot_id: string;
    action: DeploymentRecord['action'];
    state: DeploymentState;
    result_code: DeploymentResultCode | null;
    result_message: string | null;
    claimed_by: string | null;
    claims: number;
    created_at: number;
    updated_at: number;
  };
  runtimes: { id: string; stage_id: string; snapshot_id: string; created_at: number };
  generated_code_jobs: {
    id: string;
    game_id: string;
    snapshot_id: string;
    state: DeploymentState;
    description: string;
    generator: string;
    claimed_by: string | null;
    claims: number;
    created_at: number;
    updated_at: number;
    archive: string | null;
  };
  bars: {
    name: string;
    kind: BarKind;
    game_id: string;
    stage_id: string | null;
    player_id: string | null;
    until: number | null;
    signed_in_before: number | null;
    ends_connections: number;
    reason: string;
    /** A JSON object of strings. */
    messages: string;
    evidence: string;
    actor: string;
    request_id: string;
    created_at: number;
    version: number;
    state: BarState;
    is_enforced: number;
  };
  access_keys: {
    id: string;
    description: string;
    sealed_secret: string;
    policy: string;
    is_root: number;
    created_at: number;
    revoked_at: number | null;
    expires_at: number | null;
    subject: string | null;
  };
  webhooks: {
    id: string;
    game_id: string;
    url: string;
    description: string;
    /** A JSON list of strings. */
    stages: string;
    types: string;
    state: WebhookRecord['state'];
    reason: string;
    sealed_secret: string;
    sealed_former_secret: string | null;
    former_until: number | null;
    created_at: number;
    updated_at: number;
  };
  disconnect_jobs: {
    id: string;
    stage_id: string;
    state: DisconnectJobState;
    wish: DisconnectJobWish;
    claimed_by: string | null;
    /** A JSON object. */
    request: string;
    /** Empty where they are in `disconnect_job_players`. */
    player_ids: string | null;
    named_players: number | null;
    actor: string;
    request_id: string;
    confirmed_by: string | null;
    connections: number;
    players: number;
    created_at: number;
    updated_at: number;
    begun_at: number | null;
    closed: number;
    gone: number;
    unproven: number;
    /** JSON lists. */
    in_flight: string;
    failures: string;
    silent_nodes: string;
  };
  /** Ids with spaces between them. */
  disconnect_job_players: { job_id: string; player_ids: string };
  client_tokens: {
    principal: string;
    operation: string;
    token: string;
    parameters_digest: string;
    resource_id: string;
    created_at: number;
  };
  meta: { key: string; value: string };
}
