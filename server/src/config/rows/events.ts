import { integer, list } from '../setting.ts';

const rows = {
  eventsMaxPerGame: integer({
    default: 1_000_000,
    min: 1_000,
    max: 100_000_000,
    help: 'How many events of one game are kept, for webhooks that are behind and for replays. Beyond that the oldest are dropped, even if some receivers have not got them yet, and each receiver that missed some gets an event `events.lost` with their number.',
  }),
  eventRetentionDays: integer({
    default: 7,
    min: 1,
    max: 365,
    help: 'How long events are kept.',
  }),
  eventsMaxWatchers: integer({
    default: 100,
    min: 0,
    max: 10_000,
    help: 'How many WatchEvents streams a node has at once; another one is a ThrottlingException.',
  }),
  webhookTimeoutMs: integer({
    default: 10_000,
    min: 500,
    max: 60_000,
    help: 'Time that a receiver of webhooks has for its answer.',
  }),
  webhookMaxParallel: integer({
    default: 16,
    min: 1,
    max: 64,
    help: 'How many events of one webhook are sent at once, each of another player.',
  }),
  webhookMaxPostsPerSecond: integer({
    default: 2_000,
    min: 2,
    max: 100_000,
    help: 'How many events a node sends in a second to the receivers of all webhooks together, and to those of one game half as many. What comes beyond that waits, and so does what is replayed.',
  }),
  webhookDisableAfterHours: integer({
    default: 72,
    min: 1,
    max: 8_760,
    help: 'A webhook whose receiver has accepted nothing for this long, although there was something to send, is switched off.',
  }),
  webhookPrivateHosts: list({
    rule: 'hosts such as hooks.internal, or with a port such as 127.0.0.1:9000, separated by commas',
    isItem: (item) => /^(?:\[[\da-f:.]+\]|[a-z\d.-]+)(?::\d{1,5})?$/.test(item),
    help: 'Receivers of webhooks that may be in a private network or on this machine, and may speak plain HTTP. All others must have a name that name servers know, an address of the public internet, and TLS.',
  }),
};

export const events = { title: 'Events and webhooks', rows, checks: [] };
