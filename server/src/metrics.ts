import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { findCloseName } from '@respark/protocol';
import { Counter, Gauge, Registry } from 'prom-client';
import { Histogram } from './histogram.ts';
import { readOpenFiles } from './open-files.ts';

/**
 * Label values come from our own tables and from the operator's games, never from players, so their number is bounded.
 */
const DEFINITIONS = {
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
    help: 'Handshakes refused before they became connections, by cause. `full`, `unauthenticated` and `rate` are limits of the node; with `address_` in front they are limits of one address.',
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

/** Gauges whose values the node supplies at every scrape. */
const HELD = [
  'isReady',
  'sockets',
  'unauthenticated',
  'directory',
  'runtimes',
  'freeSpace',
  'isShort',
  'outboxBytes',
] as const satisfies (keyof typeof DEFINITIONS)[];

export type HeldCounts = Readonly<Record<(typeof HELD)[number], number>>;

const EVENT_LOOP_RESOLUTION_MS = 20;

/** The rows from which the documentation derives. */
export const METRIC_ROWS = Object.values(DEFINITIONS).map(({ type, name, help, labelNames }) => ({
  type: type.name.toLowerCase(),
  name,
  help,
  labels: labelNames,
}));

/** Counts one stage's connections. */
export interface StageMetrics {
  opened(): void;
  stopped(): void;
}

/** What this node counts. Every method only adds to a number; the text is made at each scrape. */
export interface Metrics {
  /** Gives the same object for every connection of a stage. */
  ofStage(stage: { stageId: string; gameName: string; stageName: string }): StageMetrics;
  /** Removes the labels of a stage that is gone. */
  forgetStage(stageId: string): void;
  closed(code: number): void;
  refused(cause: string): void;
  slowClose(): void;
  outbox(bytes: number): void;
  disconnected(call: { durationMs: number; successes: number; failures: number } | 'failed'): void;
  called(call: { operation: string | undefined; status: number; durationMs: number }): void;
  throttled(throttleClass: string): void;
  authFailed(cause: string): void;
  auditFailed(part: 'intent' | 'outcome'): void;
  /** The content of `/metrics`; `held` is what the node holds at this moment. */
  render(held: HeldCounts): Promise<{ contentType: string; text: string }>;
  /** Stops measuring the event loop. */
  close(): void;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const m = define(registry);
  const eventLoop = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS });
  eventLoop.enable();
  const stages = new Map<string, StageCounts>();
  /** Operation → status → calls. */
  const calls = new Map<string, Map<number, number>>();
  const counted = createCounts();
  let slowCloses = 0;
  let outboxHighWater = 0;

  return {
    ofStage({ stageId, gameName, stageName }) {
      const known = stages.get(stageId);
      if (known !== undefined) return known;
      const stage = new StageCounts({ game: gameName, stage: stageName });
      stages.set(stageId, stage);
      return stage;
    },
    forgetStage: (stageId) => void stages.delete(stageId),
    closed(code) {
      const isKnown = counted.closed.has(code) || findCloseName(code) !== undefined;
      add(counted.closed, isKnown ? code : 'other');
    },
    refused: (cause) => add(counted.refused, cause),
    slowClose() {
      slowCloses += 1;
    },
    outbox(bytes) {
      if (bytes > outboxHighWater) outboxHighWater = bytes;
    },
    disconnected(call) {
      if (call === 'failed') {
        add(counted.disconnectCalls, 'failed');
        return;
      }
      add(counted.disconnectCalls, call.failures === 0 ? 'complete' : 'partial');
      m.disconnectDuration.observe(call.durationMs / 1000);
      add(counted.disconnected, 'success', call.successes);
      add(counted.disconnected, 'failure', call.failures);
    },
    called({ operation = 'none', status, durationMs }) {
      const byStatus = calls.get(operation);
      if (byStatus === undefined) calls.set(operation, new Map([[status, 1]]));
      else add(byStatus, status);
      m.callDuration.observe(durationMs / 1000, operation);
    },
    throttled: (throttleClass) => add(counted.throttled, throttleClass),
    authFailed: (cause) => add(counted.authFailures, cause),
    auditFailed: (part) => add(counted.auditFailures, part),
    async render(held) {
      for (const key of HELD) m[key].set(held[key]);
      fillCounted(m, counted);
      fillStages(m, stages.values());
      fillCalls(m.calls, calls);
      m.slowCloses.reset();
      m.slowCloses.inc(slowCloses);
      m.outboxHighWater.set(outboxHighWater);
      outboxHighWater = 0;
      setEventLoopDelay(m.eventLoopDelay, eventLoop);
      const { user, system } = process.cpuUsage();
      m.cpu.reset();
      m.cpu.inc((user + system) / 1e6);
      const { rss, heapUsed } = process.memoryUsage();
      m.memory.set(rss);
      m.heap.set(heapUsed);
      const files = await readOpenFiles();
      setOrRemove(m.openFiles, files.open);
      setOrRemove(m.maxFiles, files.max);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    close: () => void eventLoop.disable(),
  };
}

/** One stage's connections; the registry gets the two numbers at each scrape. */
class StageCounts implements StageMetrics {
  readonly labels: { readonly game: string; readonly stage: string };
  total = 0;
  open = 0;

  constructor(labels: StageCounts['labels']) {
    this.labels = labels;
  }

  opened(): void {
    this.total += 1;
    this.open += 1;
  }

  stopped(): void {
    this.open -= 1;
  }
}

/** The counters with one label: value of the label → number. */
type Counts = ReturnType<typeof createCounts>;

function createCounts() {
  const from = (...values: string[]) => new Map<string | number, number>(values.map((value) => [value, 0]));
  // Prometheus works with differences, so a counter that is absent until its first event would hide that event.
  return {
    closed: from(),
    refused: from(),
    disconnectCalls: from('complete', 'partial', 'failed'),
    disconnected: from('success', 'failure'),
    throttled: from(),
    authFailures: from(),
    auditFailures: from('intent', 'outcome'),
  } satisfies Partial<Record<keyof Defined, Map<string | number, number>>>;
}

function add<Key>(counts: Map<Key, number>, key: Key, count = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function fillCounted(m: Defined, counted: Counts): void {
  for (const key of Object.keys(counted) as (keyof Counts)[]) {
    const [label] = DEFINITIONS[key].labelNames;
    m[key].reset();
    for (const [value, count] of counted[key]) m[key].inc({ [label]: value }, count);
  }
}

/** A stage may have the names of one that is being deleted. The two share their labels, so their numbers are added. */
function fillStages(m: Defined, stages: Iterable<StageCounts>): void {
  m.connections.reset();
  m.opened.reset();
  for (const { labels, total, open } of stages) {
    m.connections.inc(labels, open);
    m.opened.inc(labels, total);
  }
}

function fillCalls(counter: Counter, calls: ReadonlyMap<string, ReadonlyMap<number, number>>): void {
  counter.reset();
  for (const [operation, byStatus] of calls) {
    for (const [status, count] of byStatus) counter.inc({ operation, status }, count);
  }
}

/**
 * The histogram measures the time between two samples, so for a loop that is never late it shows the resolution itself.
 */
function setEventLoopDelay(gauge: Gauge, delay: IntervalHistogram): void {
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - EVENT_LOOP_RESOLUTION_MS / 1000);
  gauge.set({ quantile: '0.5' }, seconds(delay.percentile(50)));
  gauge.set({ quantile: '0.99' }, seconds(delay.percentile(99)));
  gauge.set({ quantile: '1' }, seconds(delay.max));
  delay.reset();
}

/** What is not known has no sample, because 0 would be taken for a fact. */
function setOrRemove(gauge: Gauge, value: number | undefined): void {
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}

type Defined = { [Key in keyof typeof DEFINITIONS]: InstanceType<(typeof DEFINITIONS)[Key]['type']> };

function define(registry: Registry): Defined {
  const made = Object.entries(DEFINITIONS).map(([key, { type: Metric, ...options }]) => [
    key,
    new Metric({ ...options, labelNames: [...options.labelNames], registers: [registry] } as never),
  ]);
  return Object.fromEntries(made) as Defined;
}
