/** What a client has to do after an end, and the sentence of the protocol that says so. */
export interface RehearsalRule {
  /** As the command line names it. */
  readonly name: string;
  /** As the operation names it. */
  readonly end: string;
  readonly meaning: string;
  /** `back`: connect again by itself. `away`: stay away until the player asks for it. */
  readonly expected: 'back' | 'away';
  /** How often it is played, each time as soon as the client is back; once, if left out. */
  readonly rounds?: number;
  /** Word for word as the protocol's specification has it. */
  readonly sentence: string;
}

const RECONNECT = 'Otherwise wait, then connect again with the newest token.';
const STOP =
  'If the verdict of the close code is `stop`, tell the application why, and reconnect only if the player asks for it.';

/** In the order in which they are played: those after which the player must do something come last. */
export const REHEARSAL_RULES: readonly RehearsalRule[] = [
  {
    name: 'draining',
    end: 'DRAINING',
    meaning: 'its node drains (4000, with `retryAfterMs`)',
    expected: 'back',
    sentence:
      'If the reason has `retryAfterMs` (or the HTTP answer `Retry-After`), wait at least that long, plus the random wait.',
  },
  {
    name: 'slow-reader',
    end: 'SLOW_READER',
    meaning: 'it has read too slowly (4001)',
    expected: 'back',
    sentence: RECONNECT,
  },
  {
    name: 'heartbeat-missed',
    end: 'HEARTBEAT_MISSED',
    meaning: 'the server has heard nothing of it (4002)',
    expected: 'back',
    sentence: RECONNECT,
  },
  {
    name: 'lost-frame',
    end: 'LOST_FRAME',
    meaning: 'the connection breaks, and the close frame is lost (1006)',
    expected: 'back',
    sentence: 'A connection that breaks before that is a 1006, which means reconnect.',
  },
  {
    name: 'silent-network',
    end: 'SILENT_NETWORK',
    meaning: 'nothing comes any more, and nothing breaks',
    expected: 'back',
    sentence:
      'A client that has received nothing for 2 × `heartbeatMs` treats the connection as dead: it drops it and reconnects.',
  },
  {
    name: 'tight-loop',
    end: 'SLOW_READER',
    meaning: 'it is closed six times in a row, as soon as it is back (4001)',
    expected: 'back',
    rounds: 6,
    sentence:
      'A welcome alone is not enough: with a server that closes right after it, the client would reconnect in a tight loop.',
  },
  {
    name: 'replaced',
    end: 'REPLACED',
    meaning: 'a newer connection of the player takes its place (4509)',
    expected: 'away',
    sentence: STOP,
  },
  {
    name: 'kicked',
    end: 'KICKED',
    meaning: 'an operator disconnects the player, with a farewell (4500)',
    expected: 'away',
    sentence: STOP,
  },
  {
    name: 'blocked',
    end: 'BLOCKED',
    meaning: 'the player is blocked (4510, with `until`)',
    expected: 'away',
    sentence: STOP,
  },
  {
    name: 'token-refused',
    end: 'TOKEN_REFUSED',
    meaning: 'its token has expired (4503)',
    expected: 'away',
    sentence: STOP,
  },
];

/** What was played to a client. Times are milliseconds since 1970 by the server's clock. */
export interface Played {
  readonly at: number;
  /** What the close frame asked it to wait; 0 for nothing. */
  readonly retryAfterMs: number;
  /** How long it has to notice that something has happened: for all that a close frame says, no time. */
  readonly noticeMs: number;
  /** How long it then has to come back, or is watched for staying away. */
  readonly windowMs: number;
  /** When it was connected again, if it was. */
  readonly backAt: number | undefined;
}

export interface Judgement {
  readonly hasPassed: boolean;
  /** What the client did, in words. */
  readonly seen: string;
}

/** Nodes have clocks of their own, and timers may fire a moment early. */
const TOLERANCE_MS = 50;

export function judge({ expected }: Pick<RehearsalRule, 'expected'>, played: Played): Judgement {
  const { at, retryAfterMs, backAt } = played;
  if (backAt === undefined) {
    const watched = `${seconds(waitOf(played))} s`;
    if (expected === 'away') return { hasPassed: true, seen: `stayed away for ${watched}` };
    return { hasPassed: false, seen: `did not come back within ${watched}` };
  }
  const after = `came back after ${seconds(backAt - at)} s`;
  if (expected === 'away') return { hasPassed: false, seen: `${after}, although nobody had asked it to` };
  if (backAt - at < retryAfterMs - TOLERANCE_MS) {
    return { hasPassed: false, seen: `${after}, although it was told to wait ${seconds(retryAfterMs)} s` };
  }
  // What comes later than that has noticed the end only when the server gave up.
  if (backAt - at > waitOf(played)) {
    return { hasPassed: false, seen: `${after}, later than the ${seconds(waitOf(played))} s that it had` };
  }
  return { hasPassed: true, seen: after };
}

/**
 * What all of a client's waits in a row may be together at the least. Waits that are random up to 0.5, 1, 2, 4, 8 and 16
 * seconds are less than this three times in a million.
 */
const MIN_WAITS_MS = 1_000;

/** Judges several ends in a row: each by itself, and whether the client has waited in between. */
export function judgeRounds(rule: Pick<RehearsalRule, 'expected'>, rounds: readonly Played[]): Judgement {
  const judgements = rounds.map((played) => judge(rule, played));
  const failed = judgements.find(({ hasPassed }) => !hasPassed);
  const only = judgements.length === 1 ? judgements[0] : undefined;
  if (failed !== undefined || only !== undefined) return (failed ?? only) as Judgement;
  const waitedMs = rounds.reduce((sum, { at, backAt = at }) => sum + backAt - at, 0);
  const hasPassed = waitedMs >= MIN_WAITS_MS;
  const seen = `came back ${rounds.length} times within ${seconds(waitedMs)} s in all`;
  return { hasPassed, seen: hasPassed ? seen : `${seen}, without a wait that grows` };
}

/** How long after the end there is something to see. */
export function waitOf({ retryAfterMs, noticeMs, windowMs }: Omit<Played, 'at' | 'backAt'>): number {
  return retryAfterMs + noticeMs + windowMs;
}

function seconds(ms: number): string {
  return (Math.max(0, ms) / 1_000).toFixed(1);
}
