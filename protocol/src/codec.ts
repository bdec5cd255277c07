import { parseJson } from './json.ts';
import {
  type ClientFrame,
  MAX_CODE_LENGTH,
  MAX_CONNECTION_ID_LENGTH,
  MAX_GAME_KEY_LENGTH,
  MAX_ID_LENGTH,
  MAX_MESSAGE_LENGTH,
  MAX_PAYLOAD_DEPTH,
  MAX_PLAYER_ID_LENGTH,
  MAX_TOKEN_LENGTH,
  MAX_TYPE_LENGTH,
  type Payload,
  type ServerFrame,
} from './messages.ts';

/** A fault is one short line, safe to log and send: which member is wrong, what it must be and what it was. */
export type Decoded<Frame> =
  | { readonly ok: true; readonly frame: Frame }
  | { readonly ok: false; readonly fault: string };

type Readers<Frame extends { readonly kind: string }> = {
  readonly [Kind in Frame['kind']]: (members: Members) => Extract<Frame, { readonly kind: Kind }>;
};

const CLIENT_FRAMES: Readers<ClientFrame> = {
  hello: (members) => ({
    kind: 'hello',
    gameKey: members.text('gameKey', MAX_GAME_KEY_LENGTH),
    ...(members.has('token') ? { token: members.text('token', MAX_TOKEN_LENGTH) } : {}),
  }),
  request: (members) => ({
    kind: 'request',
    id: members.text('id', MAX_ID_LENGTH),
    type: members.text('type', MAX_TYPE_LENGTH),
    payload: members.payload(),
  }),
  event: (members) => ({ kind: 'event', type: members.text('type', MAX_TYPE_LENGTH), payload: members.payload() }),
  heartbeat: () => ({ kind: 'heartbeat' }),
};

const SERVER_FRAMES: Readers<ServerFrame> = {
  welcome: (members) => ({
    kind: 'welcome',
    playerId: members.playerId(),
    connectionId: members.text('connectionId', MAX_CONNECTION_ID_LENGTH),
    heartbeatMs: members.positiveInteger('heartbeatMs'),
    maxFrameBytes: members.positiveInteger('maxFrameBytes'),
    messagesPerSecond: members.positiveInteger('messagesPerSecond'),
    messagesBurst: members.positiveInteger('messagesBurst'),
    bytesPerSecond: members.positiveInteger('bytesPerSecond'),
    bytesBurst: members.positiveInteger('bytesBurst'),
    maxRequestsInFlight: members.positiveInteger('maxRequestsInFlight'),
    tokenLifetimeMs: members.positiveInteger('tokenLifetimeMs'),
  }),
  response: (members) => ({
    kind: 'response',
    id: members.text('id', MAX_ID_LENGTH),
    payload: members.payload(),
  }),
  error: (members) => ({
    kind: 'error',
    ...(members.has('id') ? { id: members.text('id', MAX_ID_LENGTH) } : {}),
    code: members.text('code', MAX_CODE_LENGTH),
    message: members.text('message', MAX_MESSAGE_LENGTH),
  }),
  notification: (members) => ({
    kind: 'notification',
    type: members.text('type', MAX_TYPE_LENGTH),
    payload: members.payload(),
  }),
  heartbeat: () => ({ kind: 'heartbeat' }),
};

/** Reads what a client sent. Members that v1 does not name are left out of the frame. */
export function decodeClientFrame(text: string): Decoded<ClientFrame> {
  return decode(text, CLIENT_FRAMES);
}

/** Reads what a server sent. Members that v1 does not name are left out of the frame. */
export function decodeServerFrame(text: string): Decoded<ServerFrame> {
  return decode(text, SERVER_FRAMES);
}

/** The text of a frame. Throws a TypeError when the payload holds what JSON cannot: a cycle or a BigInt. */
export function encode(frame: ClientFrame | ServerFrame): string {
  return JSON.stringify(frame);
}

/** The text of the response to a request, whose payload is the JSON text of an object already. */
export function encodeResponse(id: string, payloadJson: string): string {
  return `{"kind":"response","id":${JSON.stringify(id)},"payload":${payloadJson}}`;
}

function decode<Frame extends { readonly kind: string }>(text: string, readers: Readers<Frame>): Decoded<Frame> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return { ok: false, fault: `a frame must be JSON, got ${shown(text)}` };
  }
  if (!isObject(value)) return { ok: false, fault: `a frame must be a JSON object, got ${shown(value)}` };
  const kind = value.kind;
  if (typeof kind !== 'string' || !Object.hasOwn(readers, kind)) {
    return { ok: false, fault: `kind must be one of ${Object.keys(readers).join(', ')}, got ${shown(kind)}` };
  }
  const members = new Members(value);
  const frame = readers[kind as Frame['kind']](members);
  return members.fault === undefined ? { ok: true, frame } : { ok: false, fault: members.fault };
}

/** Reads members one by one and keeps the first fault. What its methods return after a fault is never used. */
class Members {
  fault: string | undefined;
  readonly #values: Payload;

  constructor(values: Payload) {
    this.#values = values;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#values, name);
  }

  text(name: string, maxLength: number): string {
    const value = this.#values[name];
    if (typeof value === 'string' && value !== '' && isAtMost(maxLength, value) && isWellFormed(value)) return value;
    this.#refuse(name, `a well-formed string of 1-${maxLength} characters`, value);
    return '';
  }

  playerId(): string {
    const value = this.text('playerId', MAX_PLAYER_ID_LENGTH);
    if (!/^[\w-]*$/.test(value)) this.#refuse('playerId', 'letters, digits, "_" and "-"', value);
    return value;
  }

  positiveInteger(name: string): number {
    const value = this.#values[name];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    this.#refuse(name, `an integer from 1 to ${Number.MAX_SAFE_INTEGER}`, value);
    return 0;
  }

  payload(): Payload {
    if (!this.has('payload')) return {};
    const value = this.#values.payload;
    if (!isObject(value)) {
      this.#refuse('payload', 'a JSON object', value);
      return {};
    }
    this.fault ??= faultInside(value, 1);
    return value;
  }

  #refuse(name: string, expected: string, value: unknown): void {
    this.fault ??= `${name} must be ${expected}, got ${shown(value)}`;
  }
}

/** The first fault in a payload. A number beyond a double is one: written again, it would silently become `null`. */
function faultInside(value: object, depth: number): string | undefined {
  if (depth > MAX_PAYLOAD_DEPTH) return `payload must nest at most ${MAX_PAYLOAD_DEPTH} levels`;
  for (const child of Object.values(value)) {
    if (typeof child === 'number' && !Number.isFinite(child)) return 'payload must hold numbers that fit a double';
    if (typeof child === 'object' && child !== null) {
      const fault = faultInside(child, depth + 1);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

function isObject(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the text has at most `maxLength` code points; a code point is one or two UTF-16 units. */
function isAtMost(maxLength: number, text: string): boolean {
  if (text.length <= maxLength) return true;
  return text.length <= 2 * maxLength && [...text].length <= maxLength;
}

/** Half a surrogate pair is not a character: most languages could neither store it nor send it back. */
function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'an array';
  if (isObject(value)) return 'an object';
  if (typeof value !== 'string') return String(value);
  const characters = [...value.slice(0, 64)];
  const start = characters.slice(0, 32).join('');
  return escapeUnprintable(JSON.stringify(start.length < value.length ? `${start}…` : value));
}

/** Escapes what JSON leaves alone but a terminal or log reader would act on: C1 controls, separators, bidi marks. */
function escapeUnprintable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`,
  );
}
