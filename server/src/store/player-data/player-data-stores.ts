import type { TestContext } from 'node:test';
import type { PlayerData, PlayerDataLimits } from './player-data.ts';

/** How the suite of player data opens an implementation. */
export interface PlayerDataStores {
  /** Opens an empty store that the test's end closes. */
  open(t: TestContext, limits: PlayerDataLimits): Promise<PlayerData>;
  /** Opens the same data as another process would. */
  openBeside(t: TestContext, first: PlayerData, limits: PlayerDataLimits): Promise<PlayerData>;
}
