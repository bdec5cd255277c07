/** What a client does by itself after a close: reconnect with back-off, or stop and leave it to the player. */
export type Verdict = 'reconnect' | 'stop';

interface CloseCode {
  readonly code: number;
  readonly verdict: Verdict;
  readonly meaning: string;
}

/** Respark's own codes: 4000-4499 reconnect, 4500-4999 stop; 4505 is free. A code never changes number or verdict. */
export const CLOSE_CODES = {
  normal: { code: 1000, verdict: 'stop', meaning: 'The side that closed was done.' },
  going_away: { code: 1001, verdict: 'reconnect', meaning: 'The other side is going away.' },
  protocol_fault: { code: 1002, verdict: 'stop', meaning: 'A violation of the WebSocket protocol itself.' },
  unsupported_data: { code: 1003, verdict: 'stop', meaning: 'A kind of data the other side does not take.' },
  no_status: { code: 1005, verdict: 'reconnect', meaning: 'The close frame had no code.' },
  abnormal: { code: 1006, verdict: 'reconnect', meaning: 'The connection broke without a close frame.' },
  invalid_text: { code: 1007, verdict: 'stop', meaning: 'A text message that is not UTF-8.' },
  policy_violation: { code: 1008, verdict: 'stop', meaning: 'Refused by a policy, usually of something in between.' },
  message_too_big: { code: 1009, verdict: 'stop', meaning: 'A message longer than maxFrameBytes.' },
  missing_extension: { code: 1010, verdict: 'stop', meaning: 'The client needs an extension that was not agreed.' },
  server_error: { code: 1011, verdict: 'reconnect', meaning: 'The server failed.' },
  service_restart: { code: 1012, verdict: 'reconnect', meaning: 'The service restarts.' },
  try_again_later: { code: 1013, verdict: 'reconnect', meaning: 'The service is overloaded.' },
  bad_gateway: { code: 1014, verdict: 'reconnect', meaning: 'Something in between got no good answer.' },
  tls_failure: { code: 1015, verdict: 'reconnect', meaning: 'The TLS handshake failed.' },

  draining: { code: 4000, verdict: 'reconnect', meaning: 'The server sent the player away for now; connect again.' },
  slow_consumer: { code: 4001, verdict: 'reconnect', meaning: 'The client reads too slowly: its outbox is full.' },
  heartbeat_missed: {
    code: 4002,
    verdict: 'reconnect',
    meaning: 'Nothing arrived for two heartbeat periods, or no hello within its time limit.',
  },
  node_fenced: { code: 4003, verdict: 'reconnect', meaning: 'The node lost its place in the cluster.' },
  node_full: { code: 4004, verdict: 'reconnect', meaning: 'The node, or the client’s address on it, is full.' },
  too_many_messages: { code: 4005, verdict: 'reconnect', meaning: 'The client sent more than messagesPerSecond.' },
  player_maybe_full: {
    code: 4006,
    verdict: 'reconnect',
    meaning: 'The player has too many connections, but some of them may be dead.',
  },
  maintenance: { code: 4007, verdict: 'reconnect', meaning: 'The stage is closed for the time being.' },

  disconnected: { code: 4500, verdict: 'stop', meaning: 'The operator disconnected this player.' },
  bad_hello: { code: 4501, verdict: 'stop', meaning: 'The first frame was not a valid hello.' },
  unknown_game_key: { code: 4502, verdict: 'stop', meaning: 'No stage has this game key.' },
  token_refused: { code: 4503, verdict: 'stop', meaning: 'The token is expired, damaged or of another stage.' },
  protocol_error: { code: 4504, verdict: 'stop', meaning: 'A frame that this specification does not allow.' },
  player_full: { code: 4506, verdict: 'stop', meaning: 'The player has too many connections.' },
  stage_deleted: { code: 4507, verdict: 'stop', meaning: 'The stage or its game was deleted.' },
  origin_refused: { code: 4508, verdict: 'stop', meaning: 'The page’s origin is not allowed to connect.' },
  replaced: { code: 4509, verdict: 'stop', meaning: 'A newer connection of the same player took its place.' },
  blocked: { code: 4510, verdict: 'stop', meaning: 'The player is blocked.' },
} as const satisfies Record<string, CloseCode>;

export type CloseName = keyof typeof CLOSE_CODES;

export function closeCode(name: CloseName): number {
  return CLOSE_CODES[name].code;
}

/** The name of a code, if the table has it. */
export function findCloseName(code: number): CloseName | undefined {
  const names = Object.keys(CLOSE_CODES) as CloseName[];
  return names.find((name) => CLOSE_CODES[name].code === code);
}

/**
 * What to do after any code. A code that is not in the table has the verdict of its range. Outside of Respark's ranges
 * that is reconnect: a proxy may close with any code, and backing off is better than giving up for good.
 */
export function verdictOf(code: number): Verdict {
  const name = findCloseName(code);
  if (name !== undefined) return CLOSE_CODES[name].verdict;
  return code >= 4500 && code <= 4999 ? 'stop' : 'reconnect';
}

/** The room for a reason in a close frame, in UTF-8 (RFC 6455, section 5.5: 125 bytes less the code). */
export const MAX_CLOSE_REASON_BYTES = 123;
export const MAX_RETRY_AFTER_MS = 3_600_000;

export interface CloseFacts {
  /** How long to wait at least before reconnecting, in milliseconds from the close. */
  readonly retryAfterMs?: number;
  /** When what keeps the player out ends, milliseconds since 1970; undefined when that is not known. */
  readonly until?: number;
  /** The id of the management call that closed the connection. */
  readonly requestId?: string;
}

export interface CloseReason extends CloseFacts {
  readonly text: string;
}

const REQUEST_ID = /^[\w-]{1,64}$/;

/**
 * The reason for a close frame: the text, then the facts as `; key=value`. Never longer than a close frame allows: the
 * text is cut between characters, the facts never. Semicolons in the text become commas, so that text is never read as
 * a fact. A fact that a reader would ignore is left out.
 */
export function formatCloseReason(text: string, facts: CloseFacts = {}): string {
  let tail = '';
  if (facts.retryAfterMs !== undefined && facts.retryAfterMs >= 0) {
    tail += `; retryAfterMs=${Math.round(Math.min(facts.retryAfterMs, MAX_RETRY_AFTER_MS))}`;
  }
  if (facts.until !== undefined && isTime(facts.until)) tail += `; until=${facts.until}`;
  if (facts.requestId !== undefined && REQUEST_ID.test(facts.requestId)) tail += `; requestId=${facts.requestId}`;
  // The facts are ASCII, so each character is one byte.
  return cutToBytes(text.replaceAll(';', ','), MAX_CLOSE_REASON_BYTES - tail.length) + tail;
}

/** Reads the reason of any peer. Unknown or malformed facts are ignored; a longer wait becomes `MAX_RETRY_AFTER_MS`. */
export function parseCloseReason(reason: string): CloseReason {
  const [text = '', ...segments] = reason.slice(0, MAX_CLOSE_REASON_BYTES).split(/; ?(?=[a-zA-Z]+=)/);
  const facts = new Map(
    segments.map((segment): [string, string] => {
      const equals = segment.indexOf('=');
      return [segment.slice(0, equals), segment.slice(equals + 1)];
    }),
  );
  const retryAfterMs = facts.get('retryAfterMs') ?? '';
  const until = facts.get('until') ?? '';
  const requestId = facts.get('requestId') ?? '';
  return {
    text,
    ...(/^\d{1,15}$/.test(retryAfterMs) ? { retryAfterMs: Math.min(Number(retryAfterMs), MAX_RETRY_AFTER_MS) } : {}),
    ...(/^\d{1,16}$/.test(until) && isTime(Number(until)) ? { until: Number(until) } : {}),
    ...(REQUEST_ID.test(requestId) ? { requestId } : {}),
  };
}

/** Whether a `Date` can show it. */
function isTime(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 8_640_000_000_000_000;
}

function cutToBytes(text: string, maxBytes: number): string {
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (bytes > maxBytes) break;
    end += character.length;
  }
  return text.slice(0, end);
}
