import { Counter, Gauge } from 'prom-client';
import { Histogram } from './histogram.ts';

/**
 * Label values come from our own tables and from the operator's games, never from players, so their number is bounded.
 */
export const METRICS = {
  isReady: {
    type: Gauge,
    name: 'respark_ready',
    help: '1 while the node should get traffic, otherwise 0; `/readyz` says why.',
    labelNames: [],
  },
  connections: {
    type: Gauge,
    name: 'respark_connections',
    help: 'Connections that have been welcomed and not stopped.',
    labelNames: ['game', 'stage'],
  },
  opened: {
    type: Counter,
    name: 'respark_connections_opened_total',
    help: 'Connections that have been welcomed.',
    labelNames: ['game', 'stage'],
  },
  closed: {
    type: Counter,
    name: 'respark_connections_closed_total',
    help: 'Sockets that have closed, by close code; `other` stands for codes that the protocol does not list.',
    labelNames: ['code'],
  },
  refused: {
    type: Counter,
    name: 'respark_handshakes_refused_total',
    help: 'Handshakes refused before they became connections, by cause. `malformed` is what no WebSocket client sends. `full`, `unauthenticated` and `rate` are limits of the node; with `address_` in front they are limits of one address, of which `address_unread` is how much it has sent that waits to be read.',
    labelNames: ['cause'],
  },
  sockets: { type: Gauge, name: 'respark_sockets', help: 'Open WebSockets in any state.', labelNames: [] },
  unauthenticated: {
    type: Gauge,
    name: 'respark_sockets_unauthenticated',
    help: 'Open WebSockets that have not been welcomed yet.',
    labelNames: [],
  },
  directory: {
    type: Gauge,
    name: 'respark_directory_entries',
    help: 'Connections in this node’s directory.',
    labelNames: [],
  },
  runtimes: {
    type: Gauge,
    name: 'respark_runtimes',
    help: 'Runtimes with connections on this node; a stage has more than one until the last connection leaves its older ones.',
    labelNames: [],
  },
  freeSpace: {
    type: Gauge,
    name: 'respark_data_free_bytes',
    help: 'Free room on the disk of the data directory.',
    labelNames: [],
  },
  isShort: {
    type: Gauge,
    name: 'respark_data_full',
    help: '1 while the disk is full and only changes that end something are made, otherwise 0.',
    labelNames: [],
  },
  outboxBytes: {
    type: Gauge,
    name: 'respark_outbox_bytes',
    help: 'Bytes that wait for players to read them, in all outboxes together.',
    labelNames: [],
  },
  directoryCallDuration: {
    type: Histogram,
    name: 'respark_directory_call_duration_seconds',
    help: 'Time until Redis answered a command to the directory of connections. A single node has none.',
    labelNames: [],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5],
  },
  clusterEvents: {
    type: Counter,
    name: 'respark_cluster_events_total',
    help: 'What has happened between this node and the cluster: `link_lost` a connection to Redis, `era_changed` the directory began anew and is recovering (a start counts as one), `lease_ended` the node could not renew its lease and closed its players.',
    labelNames: ['event'],
  },
  slowCloses: {
    type: Counter,
    name: 'respark_slow_closes_total',
    help: 'Sockets destroyed because the kernel did not accept the close frame within `RESPARK_CLOSE_FLUSH_MS`, mostly as the client did not read; their players did not learn the reason.',
    labelNames: [],
  },
  outboxHighWater: {
    type: Gauge,
    name: 'respark_outbox_high_water_bytes',
    help: 'Highest number of bytes that waited for one player to read them since the last scrape.',
    labelNames: [],
  },
  messages: {
    type: Counter,
    name: 'respark_messages_total',
    help: 'Messages of players and events of scripts, by name (`other` for those that the game does not have, and for new names of a game of which 300 are counted) and outcome: `ok`, a code of the protocol, or `own` for an error of the script’s own.',
    labelNames: ['game', 'stage', 'message', 'outcome'],
  },
  messageDuration: {
    type: Histogram,
    name: 'respark_message_duration_seconds',
    help: 'Duration of such messages, from their arrival to their answer; `stage` is the game and the stage.',
    labelNames: ['stage'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  disconnectCalls: {
    type: Counter,
    name: 'respark_disconnect_calls_total',
    help: 'DisconnectPlayer calls: `complete` without failures, `partial` with some, `failed` because of the server. Calls that are refused, such as for an unknown stage, are not among them.',
    labelNames: ['result'],
  },
  disconnectDuration: {
    type: Histogram,
    name: 'respark_disconnect_duration_seconds',
    help: 'Duration of DisconnectPlayer calls from the look-up to the proof.',
    labelNames: [],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  },
  disconnected: {
    type: Counter,
    name: 'respark_disconnected_connections_total',
    help: 'Connections that DisconnectPlayer calls listed as a `success` or a `failure`.',
    labelNames: ['outcome'],
  },
  calls: {
    type: Counter,
    name: 'respark_api_requests_total',
    help: 'Management requests by operation (`none` for requests that reached no operation) and HTTP status.',
    labelNames: ['operation', 'status'],
  },
  callDuration: {
    type: Histogram,
    name: 'respark_api_request_duration_seconds',
    help: 'Duration of management requests by operation.',
    labelNames: ['operation'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  throttled: {
    type: Counter,
    name: 'respark_api_throttled_total',
    help: 'Management requests refused because their access key had made too many requests of this class.',
    labelNames: ['class'],
  },
  authFailures: {
    type: Counter,
    name: 'respark_api_auth_failures_total',
    help: 'Management requests that failed authentication, by cause.',
    labelNames: ['cause'],
  },
  auditFailures: {
    type: Counter,
    name: 'respark_audit_failures_total',
    help: 'Audit records that could not be written, by part: an `intent`, whose call was refused, or an `outcome`.',
    labelNames: ['part'],
  },
  eventsEmitted: {
    type: Counter,
    name: 'respark_events_total',
    help: 'Events that this node has put into the log of a game that somebody wants to hear of.',
    labelNames: [],
  },
  eventsLost: {
    type: Counter,
    name: 'respark_events_lost_total',
    help: 'Events that could not be kept, because the journal was full, or that were dropped before a webhook of this node got them.',
    labelNames: [],
  },
  webhookDeliveries: {
    type: Counter,
    name: 'respark_webhook_deliveries_total',
    help: 'Attempts to send an event to a webhook: `accepted`, `failed`, or `given_up` for the last of an event that the receiver refuses again and again.',
    labelNames: ['result'],
  },
  webhooksSwitchedOff: {
    type: Counter,
    name: 'respark_webhooks_switched_off_total',
    help: 'Webhooks that this node has switched off because of what their receivers answered, or did not.',
    labelNames: [],
  },
  webhookBacklog: {
    type: Gauge,
    name: 'respark_webhook_backlog_events',
    help: 'Events that wait for the webhooks that this node delivers, all together.',
    labelNames: [],
  },
  webhookOldest: {
    type: Gauge,
    name: 'respark_webhook_oldest_event_seconds',
    help: 'Age of the oldest event that waits for a webhook that this node delivers; 0 without any.',
    labelNames: [],
  },
  eventLoopDelay: {
    type: Gauge,
    name: 'respark_event_loop_delay_seconds',
    help: 'How late the event loop has run its timers since the last scrape.',
    labelNames: ['quantile'],
  },
  cpu: {
    type: Counter,
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time spent by this process.',
    labelNames: [],
  },
  openFiles: {
    type: Gauge,
    name: 'process_open_fds',
    help: 'Open file descriptors, sockets among them (Linux only).',
    labelNames: [],
  },
  maxFiles: {
    type: Gauge,
    name: 'process_max_fds',
    help: 'How many file descriptors this process may have open (Linux only).',
    labelNames: [],
  },
  memory: { type: Gauge, name: 'process_resident_memory_bytes', help: 'Resident memory size.', labelNames: [] },
  heap: { type: Gauge, name: 'nodejs_heap_size_used_bytes', help: 'Used size of the JavaScript heap.', labelNames: [] },
} as const;

/** The rows from which the documentation derives. */
export const METRIC_ROWS = Object.values(METRICS).map(({ type, name, help, labelNames }) => ({
  type: type.name.toLowerCase(),
  name,
  help,
  labels: labelNames,
}));
