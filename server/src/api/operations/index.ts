import type { Operation } from '../operation.ts';
import { getGameConfiguration, importGameConfiguration, updateGameConfiguration } from './configuration.ts';
import { getStageDeployment, listStageDeployments, startStageDeployment } from './deployments.ts';
import { getExtension, getExtensionVersion, listExtensions, listExtensionVersions } from './extensions.ts';
import { createGame, deleteGame, getGame, listGames, updateGame } from './games.ts';
import { getGeneratedCodeJob, listGeneratedCodeJobs, startGeneratedCodeJob } from './generated-code.ts';
import { disconnectPlayer, getPlayerConnectionStatus } from './players.ts';
import { createSnapshot, exportSnapshot, getSnapshot, listSnapshots, updateSnapshot } from './snapshots.ts';
import { createStage, deleteStage, getStage, listStages, updateStage } from './stages.ts';
import { listTagsForResource, tagResource, untagResource } from './tags.ts';

/** All 33 operations of the Amazon GameSparks API. */
export const OPERATIONS: readonly Operation[] = [
  createGame,
  getGame,
  listGames,
  updateGame,
  deleteGame,
  getGameConfiguration,
  updateGameConfiguration,
  importGameConfiguration,
  createSnapshot,
  getSnapshot,
  listSnapshots,
  updateSnapshot,
  exportSnapshot,
  createStage,
  getStage,
  listStages,
  updateStage,
  deleteStage,
  startStageDeployment,
  getStageDeployment,
  listStageDeployments,
  startGeneratedCodeJob,
  getGeneratedCodeJob,
  listGeneratedCodeJobs,
  listExtensions,
  getExtension,
  listExtensionVersions,
  getExtensionVersion,
  tagResource,
  untagResource,
  listTagsForResource,
  getPlayerConnectionStatus,
  disconnectPlayer,
];
