import { atMost } from '../checks.ts';
import { DAY_MS, integer, list, MEBIBYTE } from '../setting.ts';

const rows = {
  maxGames: integer({
    default: 100,
    min: 1,
    max: 100_000,
    help: 'Maximum number of games; one more is refused with 402.',
  }),
  maxStages: integer({
    default: 20,
    min: 1,
    max: 10_000,
    help: 'Maximum number of stages of a game; one more is refused with 409.',
  }),
  maxSnapshots: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    help: 'Maximum number of snapshots of a game; one more is refused with 409.',
  }),
  maxBlocksPerGame: integer({
    default: 100_000,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of blocks of a game with all its stages, and of revocations of its players’ tokens; one stage may have nine tenths of them; one more is refused with 402, while a player who has one already can get another.',
  }),
  maxGameBytes: integer({
    default: 1_024 * MEBIBYTE,
    min: MEBIBYTE,
    max: 1_048_576 * MEBIBYTE,
    help: 'Maximum number of bytes of the snapshots and the generated code of a game. A snapshot beyond it is refused with 409, and a generated code job fails and says why.',
  }),
  maxStoredBytes: integer({
    default: 8_192 * MEBIBYTE,
    min: MEBIBYTE,
    max: 1_048_576 * MEBIBYTE,
    help: 'The same for everything in the store, apart from the audit log. Deleting games makes room.',
  }),
  maxConfigurationBytes: integer({
    default: 1_024_000,
    min: 1_024,
    // A larger configuration could be exported, but not imported again.
    max: 1_024_000,
    help: "Largest size of a game's configuration when exported; a larger one is refused with 402.",
  }),
  maxDeployments: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    help: "Deployments kept in a stage's history; older ones are forgotten.",
  }),
  maxGeneratedCodeJobs: integer({
    default: 20,
    min: 1,
    max: 100,
    help: 'Generated code jobs kept for each snapshot. One more replaces the oldest that has ended; if none has ended, it is refused with 429.',
  }),
  jobConfirmAbove: integer({
    default: 1_000,
    min: 0,
    max: 10_000_000,
    help: 'A job that would disconnect more players’ connections than this waits until another access key confirms it.',
  }),
  allowedRoles: list({
    rule: 'ARNs of IAM roles, with * and ? as wildcards, separated by commas',
    isItem: (item) => /^arn:\S+:\S+$/.test(item),
    help: 'Roles that a stage may have; a deployment to a stage with another role fails. Empty allows any role.',
  }),
  maxAccessKeys: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    help: 'Maximum number of access keys, apart from the root key and from keys that were revoked or have expired.',
  }),
  maxBodyBytes: integer({
    default: 65_536,
    min: 1_024,
    max: 16 * MEBIBYTE,
    help: 'Longest request body; a longer one is refused with 413. Imports and updates of configurations have limits of their own.',
  }),
  longBodyMemoryBytes: integer({
    default: 64 * MEBIBYTE,
    // The longest body takes twice its size while the last of it comes.
    min: 4 * MEBIBYTE,
    max: 16_384 * MEBIBYTE,
    help: 'Memory that longer bodies share, for what each takes beyond RESPARK_MAX_BODY_BYTES, which may be three times its length while it comes; a call whose body finds no room is refused with 429 and told when to try again. Half of it is for those whose callers have signed their SHA-256 (x-amz-content-sha256). One access key has about half of what is free.',
  }),
  longBodyBytesPerSecondPerAddress: integer({
    default: 8 * MEBIBYTE,
    min: 65_536,
    max: 16_384 * MEBIBYTE,
    help: 'Bytes of bodies longer than RESPARK_MAX_BODY_BYTES per second that one address (IPv6: /64) may send on average; after more, its calls with such bodies are refused with 429 and told when to try again. An import can have 1.5 megabytes.',
  }),
  longBodyBytesBurstPerAddress: integer({
    default: 16 * MEBIBYTE,
    min: 65_536,
    max: 16_384 * MEBIBYTE,
    help: 'Bytes of such bodies that one address may send at once.',
  }),
  auditRetentionDays: integer({
    default: 90,
    min: 1,
    max: 36_500,
    help: 'How long the audit log keeps a record, unless it grows beyond RESPARK_AUDIT_MAX_BYTES.',
  }),
  auditMaxBytes: integer({
    default: 4_096 * MEBIBYTE,
    min: MEBIBYTE,
    max: 1_048_576 * MEBIBYTE,
    help: 'Size of the audit log beyond which it loses its oldest records, even before their time: first what scripts did, then the rest. Of the rest, records of the last 24 hours stay until it has twice that size, so that no flood of calls can soon wash away its own traces; the log then warns.',
  }),
  maxHttpSockets: integer({
    default: 5_000,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of sockets of one listener that are not a WebSocket, or not yet; one more takes the place of one that has brought no signed call, from an address that has most of them. Of the sockets of one access key, at most a tenth of this number counts as having brought one.',
  }),
  maxHttpSocketsPerAddress: integer({
    default: 500,
    min: 1,
    max: 10_000_000,
    help: 'Maximum number of them from one address (IPv6: /64; twice as many from a /56, four times from a /48), unless it is a trusted proxy; one more is closed at once.',
  }),
  headersTimeoutMs: integer({
    default: 10_000,
    min: 100,
    max: DAY_MS,
    help: 'Time a client has to send the headers of a request; after that its connection is closed.',
  }),
  requestTimeoutMs: integer({
    default: 30_000,
    min: 100,
    max: DAY_MS,
    help: 'Time a client has to send a whole request; after that its connection is closed.',
  }),
  keepAliveTimeoutMs: integer({
    default: 65_000,
    min: 100,
    max: DAY_MS,
    help: 'How long an idle HTTP connection is kept open; make it longer than the idle timeout of a load balancer in front.',
  }),
  maxClockSkewMs: integer({
    default: 300_000,
    min: 1_000,
    max: DAY_MS,
    help: "Largest accepted difference between a signature's time and the server's clock.",
  }),
  apiOrigins: list({
    rule: 'origins such as https://tools.example, separated by commas',
    isItem: isOrigin,
    help: 'Origins of the web pages that may call the management API and fetch downloads; if empty, no page can. A page still has to sign its calls.',
  }),
  signedHosts: list({
    rule: 'hosts such as respark.example or 127.0.0.1:8080, separated by commas',
    isItem: (item) => /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(item),
    help: 'Hosts for which a call may be signed, besides that of RESPARK_PUBLIC_URL; if empty, any. A call to another server with the same keys is then useless here. Commands such as respark disconnect call the address of the listener unless told otherwise, so list that too.',
  }),
  signedRegions: list({
    rule: 'regions, separated by commas',
    isItem: (item) => /^[a-z0-9-]{1,64}$/.test(item),
    help: 'Regions for which a call may be signed, besides RESPARK_REGION; if empty, any.',
  }),
  readCallsPerSecond: integer({
    default: 100,
    min: 1,
    max: 1_000_000,
    help: 'Get and List calls per second of one access key, but for those that hand out URLs of downloads; more are refused with 429.',
  }),
  readCallsBurst: integer({
    default: 200,
    min: 1,
    max: 1_000_000,
    help: 'Such Get and List calls that one access key may make at once.',
  }),
  writeCallsPerSecond: integer({
    default: 20,
    min: 1,
    max: 1_000_000,
    help: 'Calls per second of one access key other than those and DisconnectPlayer; more are refused with 429.',
  }),
  writeCallsBurst: integer({
    default: 40,
    min: 1,
    max: 1_000_000,
    help: 'Such other calls that one access key may make at once.',
  }),
  disconnectCallsPerSecond: integer({
    default: 500,
    min: 1,
    max: 1_000_000,
    help: 'DisconnectPlayer calls per second of one access key; more are refused with 429.',
  }),
  disconnectCallsBurst: integer({
    default: 1_000,
    min: 1,
    max: 1_000_000,
    help: 'DisconnectPlayer calls that one access key may make at once.',
  }),
  pagesPerSecondPerAddress: integer({
    default: 100,
    min: 1,
    max: 1_000_000,
    help: 'Pages without a signature that one address (IPv6: /64) gets per second from the management listener: /healthz, /readyz, /metrics, downloads; and of the first two from that of the players; more are refused with 429. A listener for metrics has no such limit.',
  }),
  replyBytesPerSecond: integer({
    default: 4 * MEBIBYTE,
    min: 65_536,
    max: 16_384 * MEBIBYTE,
    help: 'Bytes of replies per second that one access key may have on average; after more, its calls are refused with 429 and told when to try again, except for DisconnectPlayer. A configuration can have a megabyte.',
  }),
  replyBytesBurst: integer({
    default: 64 * MEBIBYTE,
    min: 65_536,
    max: 16_384 * MEBIBYTE,
    help: 'Bytes of replies that one access key may have at once.',
  }),
  authFailuresPerMinutePerAddress: integer({
    default: 60,
    min: 1,
    max: 1_000_000,
    help: 'Failed authentications per minute from one address; those with an access key that exists count separately for each key. Further attempts are refused with 429.',
  }),
};

export const management = {
  title: 'Management API',
  rows,
  checks: [
    atMost('headersTimeoutMs', 'requestTimeoutMs', { givesWay: 'the small' }),
    atMost('maxHttpSocketsPerAddress', 'maxHttpSockets', { givesWay: 'the small' }),
  ],
};

/** Whether a browser may send this as `Origin`. An http or https origin must be spelled as browsers do, or never matches. */
function isOrigin(item: string): boolean {
  if (item.includes('*')) return false;
  if (/^https?:/i.test(item)) return URL.canParse(item) && new URL(item).origin === item;
  return /^[a-z][a-z0-9+.-]*:\/\/[\w.-]+$/.test(item);
}
