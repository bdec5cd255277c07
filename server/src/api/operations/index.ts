import type { Operation } from '../operation.ts';
import { createGame, deleteGame, getGame, listGames, updateGame } from './games.ts';
import { disconnectPlayer, getPlayerConnectionStatus } from './players.ts';
import { createStage, deleteStage, getStage, listStages, updateStage } from './stages.ts';

/** Every operation that this server speaks. */
export const OPERATIONS: readonly Operation[] = [
  createGame,
  getGame,
  listGames,
  updateGame,
  deleteGame,
  createStage,
  getStage,
  listStages,
  updateStage,
  deleteStage,
  getPlayerConnectionStatus,
  disconnectPlayer,
];
