import { shown } from '../../text.ts';
import { atMost } from '../checks.ts';
import { choice, DAY_MS, integer, list, MEBIBYTE } from '../setting.ts';

const rows = {
  allowedOrigins: list({
    rule: 'origins such as https://game.example, https://*.game.example, null or *, separated by commas',
    isItem: (item) => faultOfOrigin(item) === undefined,
    adviseOnItem: faultOfOrigin,
    help: "Origins of the web pages and apps whose players may connect; if empty, no browser can. https://*.game.example stands for all subdomains, but not for game.example itself. * does not include null, which must be listed by name. The server's own origin, which React Native sends, need not be listed if its host is an address or localhost, or is reached over https.",
  }),
  maxConnections: integer({
    default: 15_000,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of connections of this node; one more is closed with 4004. The last twentieth is for players with a token, as guests who come back have.',
  }),
  maxConnectionsPerAddress: integer({
    default: 1_000,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of connections from one address (IPv6: /64; twice as many from a /56, four times from a /48); one more is closed with 4004.',
  }),
  maxConnectionsPerPlayer: integer({
    default: 10,
    min: 1,
    max: 10_000,
    help: 'Maximum number of connections of one player; RESPARK_WHEN_PLAYER_FULL says what happens to one more.',
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
    help: 'Maximum number of sockets that have not been welcomed yet; one more takes the place of one that was refused and has not gone yet, of the one that has waited longest without a hello, or of one that waits for another connection of its player to end; where there are none of these it is refused with 503.',
  }),
  maxUnauthenticatedPerAddress: integer({
    default: 100,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of them from one address (IPv6: /64; twice as many from a /56, four times from a /48); one more is refused with 429.',
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
    help: 'New sockets per second from one address (IPv6: /64; twice as many from a /56, four times from a /48); more are refused with 429.',
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
  inboxMemoryBytes: integer({
    default: 64 * MEBIBYTE,
    min: 2_048,
    max: 16_384 * MEBIBYTE,
    help: 'Maximum number of bytes that are kept of messages of which the end is still to come, of all players of this node; when there are more, the connections whose messages began first are closed with 1013.',
  }),
  maxOutboxBytes: integer({
    default: MEBIBYTE,
    min: 2_048,
    max: 1_024 * MEBIBYTE,
    help: 'Maximum number of bytes that may wait for one player to read them; more close the connection with 4001.',
  }),
  outboxMemoryBytes: integer({
    default: 256 * MEBIBYTE,
    min: 2_048,
    max: 16_384 * MEBIBYTE,
    help: 'Maximum number of bytes that may wait for all players of this node to read them; when there are more, the games for which most waits make room: their connections for which most waits are closed with 4001. A node needs this much memory and RESPARK_INBOX_MEMORY_BYTES beside about 10 KB for each connection.',
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
  messagesPerSecondPerAddress: integer({
    default: 1_000,
    min: 1,
    max: 1_000_000_000,
    help: 'Messages per second on all connections of one address (IPv6: /64; twice as many from a /56, four times from a /48); more close the connection that sends them with 4005.',
  }),
  messagesBurstPerAddress: integer({
    default: 2_000,
    min: 1,
    max: 1_000_000_000,
    help: 'Messages that all connections of one address may send at once.',
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
    atMost('maxConnectionsPerAddress', 'maxConnections', { givesWay: 'the small' }),
    atMost('maxConnectionsPerPlayer', 'maxConnections', { givesWay: 'the small' }),
    atMost('maxUnauthenticatedPerAddress', 'maxUnauthenticated', { givesWay: 'the small' }),
    atMost('handshakesPerSecondPerAddress', 'handshakesPerSecond', { givesWay: 'the small' }),
    atMost('maxFrameBytes', 'maxOutboxBytes', { times: 2, givesWay: 'the large' }),
    atMost('maxFrameBytes', 'inboxMemoryBytes', { times: 2, givesWay: 'the large' }),
    // A frame of the longest size must fit into its buckets.
    atMost('maxFrameBytes', 'bytesBurst', { times: 2, givesWay: 'the large' }),
    atMost('bytesBurst', 'bytesBurstPerAddress', { givesWay: 'the large' }),
    atMost('maxOutboxBytes', 'outboxMemoryBytes', { givesWay: 'the large' }),
    // The close of the last connection still has to be reported before the deadline.
    atMost('closeFlushMs', 'disconnectDeadlineMs', { times: 2 }),
  ],
};

/**
 * What is wrong with an entry that would never match, because browsers do not spell their `Origin` so, and what to
 * write instead; undefined for an entry that can match.
 */
function faultOfOrigin(item: string): string | undefined {
  if (item === '*' || item === 'null') return undefined;
  const [, scheme, host = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(item) ?? [];
  // Pages under development come without TLS from this machine; a browser sends what their address begins with.
  const usual = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::|$)/.test(item) ? 'http' : 'https';
  if (scheme === undefined) return `has no scheme: write ${shown(`${usual}://${withoutUser(item)}`)}`;
  if (/^wss?$/i.test(scheme)) {
    return `is no origin of a page: write ${shown(`${scheme.replace(/^ws/i, 'http')}://${withoutUser(host)}`)}`;
  }
  if (/^https?$/i.test(scheme)) return faultOfWebOrigin(item, scheme, host);
  const isOrigin = scheme === scheme.toLowerCase() && /^[^/?#@\s*]+$/.test(host);
  return isOrigin ? undefined : 'must be a scheme in lower case, :// and a host without a path or *';
}

/** No origin has a user, and what stands for one may be somebody's password. */
function withoutUser(host: string): string {
  return host.slice(host.lastIndexOf('@') + 1);
}

function faultOfWebOrigin(item: string, scheme: string, host: string): string | undefined {
  const isWildcard = host.startsWith('*.');
  const text = isWildcard ? `${scheme}://any.${host.slice(2)}` : item;
  if (text.includes('*')) return 'has * where it cannot stand: write * alone, or as in https://*.game.example';
  if (!URL.canParse(text))
    return 'has no host that a browser could reach: write an origin such as https://game.example';
  const { origin, hostname } = new URL(text);
  if (isWildcard && !/\..+\../.test(hostname) && hostname !== 'any.localhost') {
    return 'lets in a whole top-level domain: write at least two names behind *., as in https://*.game.example';
  }
  const right = isWildcard ? origin.replace('://any.', '://*.') : origin;
  return right === item ? undefined : `${misspelling(item, host)}: write ${right}`;
}

function misspelling(item: string, host: string): string {
  if (/^[^/?#]*\/$/.test(host)) return 'ends with a slash';
  if (/[/?#]/.test(host)) return 'has a path';
  if (host.includes('@')) return 'has a user name';
  if (/[A-Z]/.test(item)) return 'has capital letters';
  if (/:(80|443)$/.test(host)) return 'names the default port';
  return 'is not spelled as browsers do';
}
