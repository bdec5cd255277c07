import type { Operation } from '../operation.ts';
import { listAuditRecords } from './audit.ts';
import { drainNode, listNodes } from './nodes.ts';
import { createPlayerToken } from './player-tokens.ts';
import { getServerInfo } from './server.ts';
import { deleteSnapshot } from './snapshots.ts';
import { checkPlayerToken, getStageIdentity, updateStageIdentity } from './stage-identity.ts';
import { listStageLogLines } from './stage-logs.ts';

/** Every operation of this server's own, which Amazon's API does not have; a new one is added here too. */
export const OWN_OPERATIONS: readonly Operation[] = [
  checkPlayerToken,
  createPlayerToken,
  deleteSnapshot,
  drainNode,
  getServerInfo,
  getStageIdentity,
  listAuditRecords,
  listNodes,
  listStageLogLines,
  updateStageIdentity,
];
