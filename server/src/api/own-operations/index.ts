import type { Operation } from '../operation.ts';
import { explainAccess } from './access-explanations.ts';
import { createAccessKey, getAccessKey, listAccessKeys, revokeAccessKey, revokeOwnAccessKey } from './access-keys.ts';
import { listActivity } from './activity.ts';
import { listAuditRecords } from './audit.ts';
import { listAuditChains, listAuditLinks } from './audit-chain.ts';
import {
  blockPlayer,
  blockPlayerInGame,
  getBlock,
  getBlockInGame,
  listBlocks,
  listBlocksInGame,
  revokePlayerTokens,
  revokePlayerTokensInGame,
  unblockPlayer,
  unblockPlayerInGame,
} from './blocks.ts';
import {
  cancelDisconnectJob,
  confirmDisconnectJob,
  getDisconnectJob,
  listDisconnectJobs,
  pauseDisconnectJob,
  resumeDisconnectJob,
  startDisconnectJob,
} from './disconnect-jobs.ts';
import { listEvents, watchEvents } from './events.ts';
import { drainNode, listNodes } from './nodes.ts';
import { sendNotificationToPlayer, sendNotificationToStage } from './notifications.ts';
import { countConnections, listConnections, listPlayers } from './online.ts';
import { listPermissions } from './permissions.ts';
import { deletePlayerData, getPlayerData } from './player-data.ts';
import { createPlayerToken } from './player-tokens.ts';
import { getReceipt, getReceiptKey } from './receipts.ts';
import { playRehearsedEnd } from './rehearsals.ts';
import { getServerInfo } from './server.ts';
import { deleteSnapshot } from './snapshots.ts';
import { closeStageToPlayers, getStageAccess, openStageToPlayers } from './stage-access.ts';
import { checkPlayerToken, getStageIdentity, updateStageIdentity } from './stage-identity.ts';
import { listStageLogLines } from './stage-logs.ts';
import {
  createWebhook,
  deleteWebhook,
  getWebhook,
  listWebhookDeliveries,
  listWebhooks,
  replayWebhook,
  testWebhook,
  updateWebhook,
} from './webhooks.ts';

/** Every operation of this server's own, which Amazon's API does not have; a new one is added here too. */
export const OWN_OPERATIONS: readonly Operation[] = [
  blockPlayer,
  blockPlayerInGame,
  closeStageToPlayers,
  checkPlayerToken,
  countConnections,
  createAccessKey,
  createPlayerToken,
  createWebhook,
  startDisconnectJob,
  confirmDisconnectJob,
  pauseDisconnectJob,
  resumeDisconnectJob,
  cancelDisconnectJob,
  getDisconnectJob,
  listDisconnectJobs,
  deletePlayerData,
  deleteSnapshot,
  deleteWebhook,
  drainNode,
  explainAccess,
  getAccessKey,
  getBlock,
  getBlockInGame,
  getPlayerData,
  getServerInfo,
  getStageIdentity,
  getStageAccess,
  getReceipt,
  getReceiptKey,
  listAccessKeys,
  listActivity,
  listAuditChains,
  listAuditLinks,
  listAuditRecords,
  listBlocks,
  listBlocksInGame,
  listConnections,
  listNodes,
  listPermissions,
  listPlayers,
  listStageLogLines,
  updateStageIdentity,
  openStageToPlayers,
  revokeAccessKey,
  revokeOwnAccessKey,
  revokePlayerTokens,
  revokePlayerTokensInGame,
  playRehearsedEnd,
  sendNotificationToPlayer,
  sendNotificationToStage,
  unblockPlayer,
  unblockPlayerInGame,
  getWebhook,
  listEvents,
  listWebhookDeliveries,
  listWebhooks,
  replayWebhook,
  testWebhook,
  updateWebhook,
  watchEvents,
];
