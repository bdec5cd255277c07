import { atMost } from '../checks.ts';
import { choice, DAY_MS, integer, list, MEBIBYTE } from '../setting.ts';

const rows = {
  allowedOrigins: list({
    rule: 'origins such as https://game.example, null or *, separated by commas',
    isItem: isOrigin,
    help: 'Origins of the web pages whose players may connect; if empty, no browser can. * does not include null, which must be listed by name.',
  }),
  maxConnections: integer({
    default: 15_000,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of connections of this node; one more is closed with 4004.',
  }),
  maxConnectionsPerAddress: integer({
    default: 1_000,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of connections from one address (IPv6: /64); one more is closed with 4004.',
  }),
  maxConnectionsPerPlayer: integer({
    default: 10,
    min: 1,
    max: 10_000,
    help: 'Maximum number of connections of one player; what happens to one more says RESPARK_WHEN_PLAYER_FULL.',
  }),
  whenPlayerFull: choice({
    default: 'refuse',
    choices: ['refuse', 'replace_oldest'],
    help: 'What happens to one more connection of a player who has as many as allowed. refuse: the others are pinged, those that do not answer give way, and if all answer, the new one is closed with 4506. replace_oldest: the oldest is closed with 4509 and gives way.',
  }),
  probeTimeoutMs: integer({
    default: 2_000,
    min: 100,
    max: 60_000,
    help: 'Time that the connections of a player have to answer a ping when the player opens one too many; those that do not are closed with 4002. Make it shorter than RESPARK_AUTH_TIMEOUT_MS, within which the new one must be welcomed.',
  }),
  maxUnauthenticated: integer({
    default: 1_000,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of sockets that have not been welcomed yet; one more is refused with 503.',
  }),
  maxUnauthenticatedPerAddress: integer({
    default: 100,
    min: 1,
    max: 10_000_000,
    help: 'The same for one address (IPv6: /64).',
  }),
  handshakesPerSecond: integer({
    default: 1_000,
    min: 1,
    max: 1_000_000,
    help: 'New sockets per second on this node; more are refused with 503.',
  }),
  handshakesPerSecondPerAddress: integer({
    default: 100,
    min: 1,
    max: 1_000_000,
    help: 'The same for one address (IPv6: /64).',
  }),
  authTimeoutMs: integer({
    default: 5_000,
    min: 100,
    max: DAY_MS,
    help: 'Time a player has from connecting to a valid hello; after that the socket is closed with 4002.',
  }),
  playerTokenLifetimeMs: integer({
    default: 30 * DAY_MS,
    min: 60_000,
    max: 3_650 * DAY_MS,
    help: 'How long a player token is valid.',
  }),
  heartbeatMs: integer({
    default: 20_000,
    min: 100,
    max: 3_600_000,
    help: 'Period of the heartbeat. A player silent for one and a half periods is pinged, which browsers answer even for hidden pages; one silent for two is closed with 4002.',
  }),
  maxFrameBytes: integer({
    default: 16_384,
    min: 1_024,
    max: 16 * MEBIBYTE,
    help: 'Longest frame that a player may send; a longer one closes the connection with 1009.',
  }),
  maxOutboxBytes: integer({
    default: MEBIBYTE,
    min: 2_048,
    max: 1_024 * MEBIBYTE,
    help: 'Maximum number of bytes that may wait for one player to read them; more close the connection with 4001.',
  }),
  messagesPerSecond: integer({
    default: 50,
    min: 1,
    max: 1_000_000,
    help: 'Messages per second on one connection; more close it with 4005.',
  }),
  messagesBurst: integer({
    default: 100,
    min: 1,
    max: 1_000_000,
    help: 'Messages that one connection may send at once.',
  }),
  bytesPerSecond: integer({
    default: 65_536,
    min: 1_024,
    max: 1_024 * MEBIBYTE,
    help: 'Bytes of frames per second on one connection; more close it with 4005.',
  }),
  bytesBurst: integer({
    default: 262_144,
    min: 2_048,
    max: 1_024 * MEBIBYTE,
    help: 'Bytes of frames that one connection may send at once.',
  }),
  bytesPerSecondPerAddress: integer({
    default: MEBIBYTE,
    min: 1_024,
    max: 16_384 * MEBIBYTE,
    help: 'Bytes of frames per second on all connections of one address (IPv6: /64); more close the connection that sends them with 4005.',
  }),
  bytesBurstPerAddress: integer({
    default: 4 * MEBIBYTE,
    min: 2_048,
    max: 16_384 * MEBIBYTE,
    help: 'Bytes of frames that all connections of one address may send at once.',
  }),
  maxRequestsInFlight: integer({
    default: 64,
    min: 1,
    max: 10_000,
    help: 'Maximum number of requests of one connection that may wait for their answers; one more is answered with an error.',
  }),
  disconnectDeadlineMs: integer({
    default: 5_000,
    min: 100,
    max: 60_000,
    help: 'Longest time DisconnectPlayer takes to answer; connections not proven closed by then are listed as failures.',
  }),
  closeFlushMs: integer({
    default: 250,
    min: 10,
    max: 30_000,
    help: 'Time a close frame has to leave this node; after that the socket is destroyed and the player does not learn the reason.',
  }),
  closeGraceMs: integer({
    default: 2_000,
    min: 10,
    max: 60_000,
    help: 'Time a closed player has to close its own side; after that the socket is destroyed.',
  }),
};

export const players = {
  title: 'Players',
  rows,
  checks: [
    atMost('maxConnectionsPerAddress', 'maxConnections'),
    atMost('maxConnectionsPerPlayer', 'maxConnections'),
    atMost('maxUnauthenticatedPerAddress', 'maxUnauthenticated'),
    atMost('handshakesPerSecondPerAddress', 'handshakesPerSecond'),
    atMost('maxFrameBytes', 'maxOutboxBytes', { times: 2 }),
    // A frame of the longest size must fit into its buckets.
    atMost('maxFrameBytes', 'bytesBurst', { times: 2 }),
    atMost('bytesBurst', 'bytesBurstPerAddress'),
    // The close of the last connection still has to be reported before the deadline.
    atMost('closeFlushMs', 'disconnectDeadlineMs', { times: 2 }),
  ],
};

/** Whether a browser can send this as `Origin`. An http or https origin must be spelled as browsers do, or never matches. */
function isOrigin(item: string): boolean {
  if (item === '*' || item === 'null') return true;
  if (item.includes('*')) return false;
  if (/^https?:/i.test(item)) return URL.canParse(item) && new URL(item).origin === item;
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+$/.test(item);
}
