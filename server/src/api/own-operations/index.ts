import type { Operation } from '../operation.ts';
import { listAuditRecords } from './audit.ts';
import { getServerInfo } from './server.ts';

/** Every operation that is ours and not Amazon's. */
export const OWN_OPERATIONS: readonly Operation[] = [getServerInfo, listAuditRecords];
