/** Every client offers it and the server echoes it; another version of the protocol will have another name. */
export const SUBPROTOCOL = 'respark.v1';
export const CONNECT_PATH = '/connect';

/** The request that any client may send after its welcome; the answer is `{ AuthenticationToken }`. */
export const GET_PLAYER_TOKEN = 'GameSparks.Identity.GetPlayerToken';

/**
 * The notification that a welcomed client gets right before its close frame, if the call that disconnects it says why.
 * Notifications whose type begins with `Respark.` are the server's own; a game's never do.
 */
export const FAREWELL = 'Respark.Farewell';

// Lengths are in Unicode code points, so that all languages count alike.
export const MAX_GAME_KEY_LENGTH = 44;
export const MAX_TOKEN_LENGTH = 4096;
/** A hello with the longest game key and token, in bytes, has room to spare in it. */
export const MAX_HELLO_BYTES = 5_120;
export const MAX_PLAYER_ID_LENGTH = 44;
export const MAX_CONNECTION_ID_LENGTH = 36;
export const MAX_ID_LENGTH = 64;
export const MAX_TYPE_LENGTH = 128;
export const MAX_CODE_LENGTH = 64;
export const MAX_MESSAGE_LENGTH = 1024;
/** The payload itself is level 1; each object or array inside another adds a level. */
export const MAX_PAYLOAD_DEPTH = 32;

/** A JSON object. Its members are data: no name, not even `__proto__`, is treated in a special way. */
export type Payload = Readonly<Record<string, unknown>>;

export interface HelloFrame {
  readonly kind: 'hello';
  readonly gameKey: string;
  /** Names the player; without a token the server creates a guest. */
  readonly token?: string;
}

export interface RequestFrame {
  readonly kind: 'request';
  /** Chosen by the client; unique among its requests in flight on this connection. */
  readonly id: string;
  readonly type: string;
  readonly payload: Payload;
}

/** A message that gets no answer. */
export interface EventFrame {
  readonly kind: 'event';
  readonly type: string;
  readonly payload: Payload;
}

export interface HeartbeatFrame {
  readonly kind: 'heartbeat';
}

export interface WelcomeFrame {
  readonly kind: 'welcome';
  readonly playerId: string;
  readonly connectionId: string;
  readonly heartbeatMs: number;
  readonly maxFrameBytes: number;
  readonly messagesPerSecond: number;
  /** How many frames may come at once; the hello was the first of them. */
  readonly messagesBurst: number;
  /** Bytes of frames, in UTF-8. The address of the client has a limit of its own, for all its connections together. */
  readonly bytesPerSecond: number;
  /** How many bytes may come at once; those of the hello count. */
  readonly bytesBurst: number;
  readonly maxRequestsInFlight: number;
  readonly tokenLifetimeMs: number;
}

export interface ResponseFrame {
  readonly kind: 'response';
  readonly id: string;
  readonly payload: Payload;
}

/** Answers the request `id`. Without `id` it says that an event, which gets no answer, could not be handled. */
export interface ErrorFrame {
  readonly kind: 'error';
  readonly id?: string;
  /** One of `REQUEST_ERRORS`; a string here, because a newer server may know more. */
  readonly code: string;
  readonly message: string;
}

export interface NotificationFrame {
  readonly kind: 'notification';
  readonly type: string;
  readonly payload: Payload;
}

/** The payload of a `FAREWELL`. A newer server may send more. */
export interface FarewellPayload {
  /** A code of the game's own. */
  readonly reason?: string;
  /** A text for the player. */
  readonly message?: string;
  /** Locale → the same text in that language; sent instead of `message`. */
  readonly messages?: Readonly<Record<string, string>>;
  /** Until when the player is kept out, milliseconds since 1970. */
  readonly until?: number;
  /** The id of the management call that closes the connection. */
  readonly requestId: string;
}

export type ClientFrame = HelloFrame | RequestFrame | EventFrame | HeartbeatFrame;
export type ServerFrame = WelcomeFrame | ResponseFrame | ErrorFrame | NotificationFrame | HeartbeatFrame;

/** What the `code` of an error frame means. The connection stays open in every case. */
export const REQUEST_ERRORS = {
  no_handler: 'Nothing on this stage handles messages of this type.',
  bad_request: 'The frame is well formed, but its content cannot be served; the message says why.',
  busy: 'Too many requests of this connection are in flight; wait for answers, then send it again.',
  not_allowed: 'Players may not send messages of this type; only scripts may.',
  handler_disabled: 'The handler of messages of this type is switched off at the moment.',
  script_error: 'The handler failed; the log of the stage says why and where.',
  script_stopped: 'The handler was stopped, because it used more time, memory or output than it may.',
  bad_response: 'The handler gave no response, or one that does not fit its shape.',
  internal: 'The server failed; the message carries no detail. The request may or may not have taken effect.',
} as const;

export type RequestErrorCode = keyof typeof REQUEST_ERRORS;
