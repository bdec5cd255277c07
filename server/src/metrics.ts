import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { findCloseName } from '@respark/protocol';
import { type Counter, type Gauge, Registry } from 'prom-client';
import { METRICS } from './metric-rows.ts';
import { readOpenFiles } from './open-files.ts';
import { createStageCounts, type StageCounts, type StageMetrics, type StageName } from './stage-counts.ts';

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
  'webhookBacklog',
  'webhookOldest',
] as const satisfies (keyof typeof METRICS)[];

export type HeldCounts = Readonly<Record<(typeof HELD)[number], number>>;

const EVENT_LOOP_RESOLUTION_MS = 20;

/** What this node counts. Every method only adds to a number; the text is made at each scrape. */
export interface Metrics {
  /** Returns the same object for every connection of a stage. */
  ofStage(stage: StageName): StageMetrics;
  /** Removes the labels of a stage that is gone. What its last handlers still do is not counted. */
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
  /** What happens to events that leave the server. */
  readonly events: {
    emitted(): void;
    lost(count: number): void;
    delivered(result: 'accepted' | 'failed' | 'given_up'): void;
    switchedOff(): void;
  };
  /** What the cluster counts; a single node has nothing to count. */
  readonly cluster: {
    directoryCalled(durationMs: number): void;
    linkLost(): void;
    eraChanged(): void;
    leaseEnded(): void;
  };
  /** What has been counted so far, of all stages together, also of those that are gone. */
  totals(): MetricTotals;
  /** The content of `/metrics`; `held` is what the node holds at this moment. */
  render(held: HeldCounts): Promise<{ contentType: string; text: string }>;
  /** Stops measuring the event loop. */
  close(): void;
}

export interface MetricTotals {
  /** Open at the moment. */
  readonly connections: number;
  readonly opened: number;
  readonly messages: number;
  /** Messages that were not answered with `ok`. */
  readonly failed: number;
  /** Connections that DisconnectPlayer has closed. */
  readonly disconnected: number;
  /** Messages by the bucket that their duration is in. */
  readonly durations: readonly number[];
}

/** The upper bounds of the buckets of `durations`, in seconds; the last bucket has none. */
export const DURATION_BOUNDS: readonly number[] = METRICS.messageDuration.buckets;

export function createMetrics(): Metrics {
  const registry = new Registry();
  const m = define(registry);
  const eventLoop = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS });
  eventLoop.enable();
  const stages = createStageCounts(m.messageDuration);
  /** Operation → status → calls. */
  const calls = new Map<string, Map<number, number>>();
  const counted = createCounts();
  let slowCloses = 0;
  const events = { emitted: 0, lost: 0, switchedOff: 0 };
  const count = (key: keyof typeof events, by = 1) => {
    events[key] += by;
  };
  let outboxHighWater = 0;

  return {
    ofStage: stages.of,
    forgetStage: stages.forget,
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
    events: {
      emitted: () => count('emitted'),
      lost: (lost) => count('lost', lost),
      delivered: (result) => add(counted.webhookDeliveries, result),
      switchedOff: () => count('switchedOff'),
    },
    cluster: {
      directoryCalled: (durationMs) => m.directoryCallDuration.observe(durationMs / 1000),
      linkLost: () => add(counted.clusterEvents, 'link_lost'),
      eraChanged: () => add(counted.clusterEvents, 'era_changed'),
      leaseEnded: () => add(counted.clusterEvents, 'lease_ended'),
    },
    totals: () => ({
      ...stages.totals(),
      disconnected: counted.disconnected.get('success') ?? 0,
      durations: m.messageDuration.totals(),
    }),
    async render(held) {
      for (const key of HELD) m[key].set(held[key]);
      fillCounted(m, counted);
      fillStages(m, stages.all());
      fillCalls(m.calls, calls);
      m.slowCloses.reset();
      m.slowCloses.inc(slowCloses);
      setCounter(m.eventsEmitted, events.emitted);
      setCounter(m.eventsLost, events.lost);
      setCounter(m.webhooksSwitchedOff, events.switchedOff);
      m.outboxHighWater.set(outboxHighWater);
      outboxHighWater = 0;
      setEventLoopDelay(m.eventLoopDelay, eventLoop);
      await fillProcess(m);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    close: () => void eventLoop.disable(),
  };
}

async function fillProcess(m: ReturnType<typeof define>): Promise<void> {
  const { user, system } = process.cpuUsage();
  m.cpu.reset();
  m.cpu.inc((user + system) / 1e6);
  const { rss, heapUsed } = process.memoryUsage();
  m.memory.set(rss);
  m.heap.set(heapUsed);
  const files = await readOpenFiles();
  setOrRemove(m.openFiles, files.open);
  setOrRemove(m.maxFiles, files.max);
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
    webhookDeliveries: from('accepted', 'failed', 'given_up'),
    clusterEvents: from('link_lost', 'era_changed', 'lease_ended'),
  } satisfies Partial<Record<keyof Defined, Map<string | number, number>>>;
}

function add<Key>(counts: Map<Key, number>, key: Key, count = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function fillCounted(m: Defined, counted: Counts): void {
  for (const key of Object.keys(counted) as (keyof Counts)[]) {
    const [label] = METRICS[key].labelNames;
    m[key].reset();
    for (const [value, count] of counted[key]) m[key].inc({ [label]: value }, count);
  }
}

/** A stage may have the names of one that is being deleted. The two share their labels, so their numbers are added. */
function fillStages(m: Defined, stages: Iterable<StageCounts>): void {
  m.connections.reset();
  m.opened.reset();
  m.messages.reset();
  for (const { labels, total, open, messages } of stages) {
    m.connections.inc(labels, open);
    m.opened.inc(labels, total);
    for (const [message, byOutcome] of messages) {
      for (const [outcome, count] of byOutcome) m.messages.inc({ ...labels, message, outcome }, count);
    }
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

function setCounter(counter: Counter, value: number): void {
  counter.reset();
  counter.inc(value);
}

/** What is not known has no sample, because 0 would be taken for a fact. */
function setOrRemove(gauge: Gauge, value: number | undefined): void {
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}

type Defined = { [Key in keyof typeof METRICS]: InstanceType<(typeof METRICS)[Key]['type']> };

function define(registry: Registry): Defined {
  const made = Object.entries(METRICS).map(([key, { type: Metric, ...options }]) => [
    key,
    new Metric({ ...options, labelNames: [...options.labelNames], registers: [registry] } as never),
  ]);
  return Object.fromEntries(made) as Defined;
}
