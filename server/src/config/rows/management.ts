import { atMost } from '../checks.ts';
import { DAY_MS, integer, list, MEBIBYTE } from '../setting.ts';

const rows = {
  maxGames: integer({ default: 100, min: 1, max: 100_000, help: 'Games; one more is refused with 402.' }),
  maxStages: integer({ default: 20, min: 1, max: 10_000, help: 'Stages of a game; one more is refused with 409.' }),
  maxSnapshots: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    help: 'Snapshots of a game; one more is refused with 409.',
  }),
  maxConfigurationBytes: integer({
    default: 1_024_000,
    min: 1_024,
    // What is exported must fit an import.
    max: 1_024_000,
    help: "Size of a game's configuration as it is exported; a larger one is refused with 402.",
  }),
  maxDeployments: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    help: "Deployments kept in a stage's history; of more the oldest are forgotten.",
  }),
  maxGeneratedCodeJobs: integer({
    default: 20,
    min: 1,
    max: 100,
    help: 'Generated code jobs kept for a snapshot: the oldest that have ended are forgotten, and when none has, one more is refused with 429.',
  }),
  allowedRoles: list({
    rule: 'ARNs of IAM roles, with * and ? as wildcards, separated by commas',
    isItem: (item) => /^arn:\S+:\S+$/.test(item),
    help: 'Roles that a stage may have when something is deployed to it, or the deployment fails; empty allows any.',
  }),
  maxAccessKeys: integer({ default: 1_000, min: 1, max: 100_000, help: 'Access keys that are not revoked.' }),
  maxBodyBytes: integer({
    default: 65_536,
    min: 1_024,
    max: 16 * MEBIBYTE,
    help: 'Longest body of a request; a longer one is refused with 413. Imports and updates of configurations have limits of their own.',
  }),
  longBodyMemoryBytes: integer({
    default: 64 * MEBIBYTE,
    min: 2 * MEBIBYTE,
    max: 16_384 * MEBIBYTE,
    help: 'Memory for what bodies that may be longer have beyond RESPARK_MAX_BODY_BYTES, together; without room for its body a call is told to try again (429).',
  }),
  auditRetentionDays: integer({
    default: 90,
    min: 1,
    max: 36_500,
    help: 'How long the audit log keeps who changed what.',
  }),
  maxHttpSockets: integer({
    default: 5_000,
    min: 1,
    max: 10_000_000,
    help: 'Sockets of one listener that are not a WebSocket yet, or never will be; one more is destroyed.',
  }),
  maxHttpSocketsPerAddress: integer({
    default: 500,
    min: 1,
    max: 10_000_000,
    help: 'The same from one address (IPv6: /64), unless it is a trusted proxy.',
  }),
  headersTimeoutMs: integer({
    default: 10_000,
    min: 100,
    max: DAY_MS,
    help: 'Time a client has to send the headers of a request; then its connection is closed.',
  }),
  requestTimeoutMs: integer({
    default: 30_000,
    min: 100,
    max: DAY_MS,
    help: 'Time a client has to send a whole request; then its connection is closed.',
  }),
  keepAliveTimeoutMs: integer({
    default: 65_000,
    min: 100,
    max: DAY_MS,
    help: 'Time an idle HTTP connection is kept; longer than the idle time of a load balancer in front.',
  }),
  maxClockSkewMs: integer({
    default: 300_000,
    min: 1_000,
    max: DAY_MS,
    help: "Largest difference between a signature's time and the server's clock.",
  }),
  readCallsPerSecond: integer({
    default: 100,
    min: 1,
    max: 1_000_000,
    help: 'Get and List calls of one access key.',
  }),
  readCallsBurst: integer({ default: 200, min: 1, max: 1_000_000, help: 'Get and List calls at once.' }),
  writeCallsPerSecond: integer({
    default: 20,
    min: 1,
    max: 1_000_000,
    help: 'Create, Update and Delete calls of one access key.',
  }),
  writeCallsBurst: integer({ default: 40, min: 1, max: 1_000_000, help: 'Create, Update and Delete calls at once.' }),
  disconnectCallsPerSecond: integer({
    default: 500,
    min: 1,
    max: 1_000_000,
    help: 'DisconnectPlayer calls of one access key.',
  }),
  disconnectCallsBurst: integer({ default: 1_000, min: 1, max: 1_000_000, help: 'DisconnectPlayer calls at once.' }),
  authFailuresPerMinutePerAddress: integer({
    default: 60,
    min: 1,
    max: 1_000_000,
    help: 'Failed authentications from one address, and from one address with one key; further ones are refused with 429.',
  }),
};

export const management = {
  title: 'Management API',
  rows,
  checks: [atMost('headersTimeoutMs', 'requestTimeoutMs'), atMost('maxHttpSocketsPerAddress', 'maxHttpSockets')],
};
