import { atMost } from '../checks.ts';
import { integer, KIBIBYTE, MEBIBYTE } from '../setting.ts';

const rows = {
  scriptThreads: integer({
    default: 2,
    min: 1,
    max: 64,
    help: 'Threads that run the scripts of games. With two or more, the scripts of one stage that take long leave one to the others.',
  }),
  scriptMaxTicks: integer({
    default: 500,
    min: 10,
    max: 100_000,
    help: 'How much a script may compute for one message: a tick is 10,000 calls and jumps back of the script, whatever the machine. A script that needs more is stopped.',
  }),
  scriptMaxBusyMs: integer({
    default: 150,
    min: 10,
    max: 10_000,
    help: 'Time that a script may take for one message, without the calls for which it waits. A script that needs more is stopped.',
  }),
  scriptWatchdogMs: integer({
    default: 400,
    min: 50,
    max: 60_000,
    help: 'Time after which a script that cannot be stopped otherwise is ended with its thread. A stage to which that happens three times in a minute is paused for a minute.',
  }),
  scriptMaxMs: integer({
    default: 10_000,
    min: 100,
    max: 300_000,
    help: 'Time that a script may take for one message in all, and that a message may wait for a thread.',
  }),
  scriptCallTimeoutMs: integer({
    default: 5_000,
    min: 10,
    max: 60_000,
    help: 'Time that one call of a script may take, such as Lambda(name).Invoke(event); the script can catch the error.',
  }),
  scriptMaxCalls: integer({
    default: 100,
    min: 1,
    max: 10_000,
    help: 'How many such calls a script may make for one message; writing to the log is none.',
  }),
  scriptMaxCallBytes: integer({
    default: 256 * KIBIBYTE,
    min: KIBIBYTE,
    max: MEBIBYTE,
    help: 'Maximum size of the arguments of one call, as JSON.',
  }),
  scriptMaxResponseBytes: integer({
    default: 256 * KIBIBYTE,
    min: KIBIBYTE,
    max: MEBIBYTE,
    help: 'Maximum size of the response to a request, as JSON.',
  }),
  scriptMaxValues: integer({
    default: 5_000,
    min: 100,
    max: 1_000_000,
    help: 'How many values the arguments of a call and the response may have each, in lists and objects at any depth.',
  }),
  scriptDisconnectsPerSecond: integer({
    default: 20,
    min: 1,
    max: 10_000,
    help: 'How many times a second the scripts of one stage may call Player(id).Disconnect on one node, and five times as many at once, because each is on record in the audit log; for one more the script gets the error throttled.',
  }),
  scriptNotificationBytesPerSecond: integer({
    default: 32 * MEBIBYTE,
    min: 64 * KIBIBYTE,
    max: 1_024 * MEBIBYTE,
    help: 'Bytes of notifications per second that the scripts of one stage may have one node send, counted for each connection of the player and four times more, and 512 more for each value in a notification; beyond that SendNotification waits.',
  }),
  scriptMaxLines: integer({
    default: 200,
    min: 1,
    max: 10_000,
    help: 'How many lines a script may write to the log of its stage for one message, of 64 KiB together.',
  }),
  scriptMaxWaiting: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    help: 'How many messages may wait for a thread, with 64 MiB of payloads together; one more is answered with the error busy, or, if its game has fewer of them than another, takes the place of one of the game that has most, which is answered with busy instead.',
  }),
  scriptMaxWaitingPerStage: integer({
    default: 2_000,
    min: 1,
    max: 1_000_000,
    help: 'How many of them may be of one stage, with 16 MiB of payloads; one more from a network (an IPv4 address or a /48 of IPv6) that has fewer of them than another takes the place of one of the network that has most, and within a network so do players.',
  }),
  scriptMemoryBytes: integer({
    default: 64 * MEBIBYTE,
    min: MEBIBYTE,
    max: 4_096 * MEBIBYTE,
    help: 'Memory for the scripts of all games in each thread; those of games that have not been used for a minute are dropped first, then those of one that has more than its share, and loaded again when they are needed. While a script runs, it may have 32 MiB besides.',
  }),
  playerDataMaxKeys: integer({
    default: 100,
    min: 1,
    max: 10_000,
    help: 'How many keys of player data one player may have.',
  }),
  playerDataMaxBytes: integer({
    default: 256 * KIBIBYTE,
    min: KIBIBYTE,
    max: 16 * MEBIBYTE,
    help: 'Maximum size of the data of one player, keys and values together.',
  }),
  playerDataMaxBytesPerStage: integer({
    default: 1_024 * MEBIBYTE,
    min: MEBIBYTE,
    max: MEBIBYTE * MEBIBYTE,
    help: 'Maximum size of the data of all players of one stage together, where each key counts 128 bytes beside itself and its value. A script that would set more gets the error quota_exceeded; it can still remove data. Nodes that write at the same time may exceed it by what they are just writing.',
  }),
  stageLogMaxLines: integer({
    default: 10_000,
    min: 100,
    max: 1_000_000,
    help: 'How many lines of scripts are kept for each stage; older ones are dropped. A stage may log 5,000 lines a second on average, and 10,000 at once, where a line counts again for each KiB that it has; its log says how many more were left out.',
  }),
  stageLogMaxBytes: integer({
    default: 8 * MEBIBYTE,
    min: 256 * KIBIBYTE,
    max: 1_024 * MEBIBYTE,
    help: 'Maximum size of the lines that are kept for each stage.',
  }),
};

export const cloudCode = {
  title: 'Cloud code',
  rows,
  checks: [
    atMost('scriptMaxWaitingPerStage', 'scriptMaxWaiting'),
    atMost('scriptMaxBusyMs', 'scriptWatchdogMs'),
    atMost('scriptCallTimeoutMs', 'scriptMaxMs'),
    atMost('playerDataMaxBytes', 'playerDataMaxBytesPerStage'),
  ],
};
