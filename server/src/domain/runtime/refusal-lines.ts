import type { Clock } from '../../clock.ts';
import { putNewest } from '../../newest-entries.ts';
import { createTokenBuckets } from '../../token-bucket.ts';

const MAX_KEYS = 10_000;
/** Enough for an author who tries a message by hand to see each refusal. */
const OF_MESSAGE = { burst: 10, ratePerSecond: 1 / 10, maxKeys: MAX_KEYS };
/** A stage keeps 10,000 lines unless a setting says otherwise: refusals alone need more than half a day to fill that. */
const OF_STAGE = { burst: 50, ratePerSecond: 1 / 6, maxKeys: MAX_KEYS };

/**
 * Returns the line about a message that was refused, which says how many lines about the same message were left out before it;
 * undefined when it is left out too. A client may be refused a thousand times a second, and the lines of scripts must stay in
 * the log.
 */
export type RefusalLine = (stageId: string, messageName: string, why: string) => string | undefined;

export function createRefusalLines(clock: Clock): RefusalLine {
  const byMessage = createTokenBuckets({ ...OF_MESSAGE, clock });
  const byStage = createTokenBuckets({ ...OF_STAGE, clock });
  /** The message refused longest ago comes first. */
  const leftOut = new Map<string, number>();

  return function refusalLine(stageId, messageName, why) {
    const key = `${stageId} ${messageName}`;
    const before = leftOut.get(key) ?? 0;
    leftOut.delete(key);
    if (byMessage.peek(key) === 0 && byStage.take(stageId) === 0) {
      byMessage.take(key);
      const more = before === 0 ? '' : ` (lines like this that were left out before it: ${before})`;
      return `the message was refused: ${why}${more}`;
    }
    putNewest(leftOut, key, before + 1, MAX_KEYS);
    return undefined;
  };
}
