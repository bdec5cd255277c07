import type { AuditCause, AuditOutcome, AuditRecord } from './audit-log.ts';
import { toOutcome } from './journal.ts';

/** The columns of a record as they are stored. */
export interface AuditRow {
  readonly at: number;
  readonly request_id: string;
  readonly cause: AuditCause;
  readonly actor: string;
  readonly source_address: string;
  readonly operation: string;
  readonly resource: string;
  readonly player_id: string | null;
  readonly details: string | null;
  readonly outcome: string | null;
  readonly intent_link: number | null;
  readonly outcome_link: number | null;
}

/**
 * What a database would not give back as it was written has no place in a row, whose digest is of what can be read. In
 * JSON such characters are escapes.
 */
function readable(text: string): string {
  return text.replace(/\0|[\ud800-\udfff]/gu, '\ufffd');
}

export function toRow(record: AuditRecord): AuditRow {
  const { at, requestId, cause, actor, sourceAddress, operation, resource, playerId, details, outcome } = record;
  return {
    at,
    request_id: readable(requestId),
    cause,
    actor: readable(actor),
    source_address: readable(sourceAddress),
    operation: readable(operation),
    resource: readable(resource),
    player_id: playerId === undefined ? null : readable(playerId),
    details: details === undefined ? null : JSON.stringify(details),
    outcome: outcome === undefined ? null : JSON.stringify(outcome),
    intent_link: null,
    outcome_link: null,
  };
}

export function toRecord(row: AuditRow): AuditRecord {
  return {
    requestId: row.request_id,
    at: row.at,
    cause: row.cause,
    actor: row.actor,
    sourceAddress: row.source_address,
    operation: row.operation,
    resource: row.resource,
    playerId: row.player_id ?? undefined,
    ...(row.details !== null && { details: JSON.parse(row.details) as Record<string, string> }),
    outcome: row.outcome === null ? undefined : toOutcome(JSON.parse(row.outcome) as AuditOutcome),
  };
}
