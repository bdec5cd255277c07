import type { AuditFilter, AuditOrder, AuditPosition, AuditReader, AuditRecord } from '../store/audit/audit-log.ts';
import type { Page, PageRequest, PageTokens } from './pagination.ts';

export type { AuditedConnection, AuditRecord } from '../store/audit/audit-log.ts';

/** The record of what was changed, and by whom. */
export interface AuditRecords {
  /**
   * The records that match, in pages. A page may have fewer records than were asked for, even none, and still have a
   * token, because one call looks at a bounded number of records. Following the tokens gives every record that exists
   * throughout exactly once. Throws `validation` for a token of another list.
   */
  list(asked: AuditFilter & { readonly order: AuditOrder }, request: PageRequest): Promise<Page<AuditRecord>>;
}

const MAX_PAGE = 100;

export function createAuditRecords({
  auditLog,
  pageTokens,
}: {
  auditLog: Pick<AuditReader, 'find'>;
  pageTokens: PageTokens;
}): AuditRecords {
  return {
    async list({ playerId, operation, actor, since, until, order }, { maxResults = MAX_PAGE, nextToken }) {
      const filter = { playerId, operation, actor, since, until, order };
      const scope = `ListAuditRecords ${JSON.stringify(filter)}`;
      const after =
        nextToken === undefined ? undefined : (JSON.parse(pageTokens.open(nextToken, scope)) as AuditPosition);
      const { records, next } = await auditLog.find({ ...filter, after, limit: maxResults });
      return { items: records, nextToken: next && pageTokens.seal(JSON.stringify(next), scope) };
    },
  };
}
