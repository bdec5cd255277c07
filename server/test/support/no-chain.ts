import type { ChainReader } from '../../src/store/audit/audit-log.ts';

/** The chain of an audit log that has none. */
export const NO_CHAIN: ChainReader = {
  chains: async () => [],
  links: async () => [],
  looseRecords: async () => ({ unchained: 0, late: [], strays: [] }),
  place: async () => undefined,
};
