import type { Clock } from '../../clock.ts';
import type { AuditChain, AuditLink, ChainReader, LooseRecords } from '../../store/audit/audit-log.ts';
import { createListShare } from '../list-turns.ts';

/** The chains of the audit log, for callers. Throws `throttled` when too many calls wait. */
export interface AuditChains {
  list(caller: string): Promise<{ readonly chains: readonly AuditChain[]; readonly loose: LooseRecords }>;
  /** As `ChainReader.links` gives them. */
  links(query: Parameters<ChainReader['links']>[0], caller: string): Promise<readonly AuditLink[]>;
}

/** A caller that verifies a log reads page after page. Half of the time is more than the limit on the bytes of replies allows. */
const SHARE = 0.5;

export function createAuditChains({ reader, clock }: { reader: ChainReader; clock: Clock }): AuditChains {
  const share = createListShare(clock, { share: SHARE });
  return {
    list: (caller) =>
      share(caller, async () => ({ loose: await reader.looseRecords(), chains: await reader.chains() })),
    links: (query, caller) => share(caller, () => reader.links(query)),
  };
}
