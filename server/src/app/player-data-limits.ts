import type { Settings } from '../config/config.ts';
import type { PlayerDataLimits } from '../store/player-data/player-data.ts';

export function playerDataLimitsOf({
  playerDataMaxKeys,
  playerDataMaxBytes,
  playerDataMaxBytesPerStage,
}: Settings): PlayerDataLimits {
  return {
    maxKeysPerPlayer: playerDataMaxKeys,
    maxBytesPerPlayer: playerDataMaxBytes,
    maxBytesPerStage: playerDataMaxBytesPerStage,
  };
}
