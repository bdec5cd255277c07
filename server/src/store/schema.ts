import type { LifeState } from './store.ts';

/** The tables, in types that SQLite and PostgreSQL share: times and flags are integers, sealed bytes are base64 text. */
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
  };
  access_keys: {
    id: string;
    description: string;
    sealed_secret: string;
    policy: string;
    is_root: number;
    created_at: number;
    revoked_at: number | null;
  };
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
