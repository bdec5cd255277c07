import type { Clock } from '../../clock.ts';
import type { AuditFilter, AuditOrder, AuditPosition, AuditReader, AuditRecord } from '../../store/audit/audit-log.ts';
import { createListShare, type ListTurn, MAX_PAGE_BYTES } from '../list-turns.ts';
import type { Page, PageRequest, PageTokens } from '../pagination.ts';

export type { AuditedConnection, AuditRecord } from '../../store/audit/audit-log.ts';

/** The record of what was changed, and by whom. */
export interface AuditRecords {
  /**
   * The records that match, in pages. A page may have fewer records than were asked for, even none, and still have a
   * token, because one call looks at a bounded number of
   * records, and gives a bounded number of bytes. Following the tokens gives every record that exists
   * throughout exactly once. Throws `validation` for a token of another list, and `throttled` when too many searches wait.
   */
  list(
    asked: AuditFilter & { readonly order: AuditOrder },
    request: PageRequest,
    caller: string,
  ): Promise<Page<AuditRecord>>;
}

const MAX_PAGE = 100;
/** Records can have twenty kilobytes each, and to read a few of those takes a millisecond. */
const READ_AT_ONCE = 10;
/** Each step looks at a bounded number of records as well, in a turn of its own. */
const MAX_STEPS = 10;

export function createAuditRecords({
  auditLog,
  pageTokens,
  turn,
  clock,
}: {
  auditLog: Pick<AuditReader, 'find'>;
  pageTokens: PageTokens;
  turn: ListTurn;
  clock: Clock;
}): AuditRecords {
  const share = createListShare(clock);
  return {
    async list({ playerId, operation, actor, since, until, order }, { maxResults = MAX_PAGE, nextToken }, caller) {
      const isSearch = playerId !== undefined || operation !== undefined || actor !== undefined;
      const filter = { playerId, operation, actor, since, until, order };
      const scope = `ListAuditRecords ${JSON.stringify(filter)}`;
      const seal = (position: AuditPosition | undefined) =>
        position && pageTokens.seal(JSON.stringify(position), scope);
      let after =
        nextToken === undefined ? undefined : (JSON.parse(pageTokens.open(nextToken, scope)) as AuditPosition);
      const items: AuditRecord[] = [];
      let bytes = 0;
      for (let step = 0; step < MAX_STEPS; step += 1) {
        await turn();
        const limit = Math.min(READ_AT_ONCE, maxResults - items.length);
        const position = after;
        const find = () => auditLog.find({ ...filter, after: position, limit });
        // A search looks at thousands of records a step, most of which may be none of those that are meant.
        const { records, next } = await (isSearch ? share(caller, find) : find());
        for (const record of records) {
          bytes += Buffer.byteLength(JSON.stringify(record));
          if (items.length > 0 && bytes > MAX_PAGE_BYTES) return { items, nextToken: seal(after) };
          items.push(record);
          after = { at: record.at, requestId: record.requestId };
        }
        after = next;
        if (next === undefined || items.length === maxResults) break;
      }
      return { items, nextToken: seal(after) };
    },
  };
}
