import type { Settings } from '../config/config.ts';
import type { EventLogLimits } from '../store/events/event-log.ts';
import type { PlayerDataLimits } from '../store/player-data/player-data.ts';
import type { StageLogsLimits } from '../store/stage-logs/stage-logs.ts';

/** The limits, by the settings, of what is stored beside the store. */
export function storedLimitsOf(settings: Settings): {
  readonly playerData: PlayerDataLimits;
  readonly stageLogs: StageLogsLimits;
  readonly events: EventLogLimits;
} {
  return {
    playerData: {
      maxKeysPerPlayer: settings.playerDataMaxKeys,
      maxBytesPerPlayer: settings.playerDataMaxBytes,
      maxBytesPerStage: settings.playerDataMaxBytesPerStage,
    },
    stageLogs: { maxLinesPerStage: settings.stageLogMaxLines, maxBytesPerStage: settings.stageLogMaxBytes },
    events: { maxEventsPerGame: settings.eventsMaxPerGame },
  };
}
