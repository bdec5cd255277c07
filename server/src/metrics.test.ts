import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { CLOSE_CODES } from '@respark/protocol';
import { METRIC_ROWS } from './metric-rows.ts';
import { createMetrics, type Metrics } from './metrics.ts';

const DEV = { stageId: 's1', gameName: 'Demo', stageName: 'Dev' };
const LIVE = { stageId: 's2', gameName: 'Demo', stageName: 'Live' };

const NOTHING_HELD = {
  isReady: 1,
  sockets: 0,
  unauthenticated: 0,
  directory: 0,
  runtimes: 0,
  freeSpace: 0,
  isShort: 0,
  outboxBytes: 0,
  webhookBacklog: 0,
  webhookOldest: 0,
};

function openMetrics(t: TestContext): Metrics {
  const metrics = createMetrics();
  t.after(() => metrics.close());
  return metrics;
}

/** The samples whose name begins with this, as name{labels} → value. */
async function samples(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const { text } = await metrics.render(NOTHING_HELD);
  const lines = text.split('\n').filter((line) => line.startsWith(name));
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]));
}

test('connections are counted by game and stage, in total and at the moment', async (t) => {
  const metrics = openMetrics(t);
  const dev = metrics.ofStage(DEV);
  assert.equal(metrics.ofStage({ ...DEV }), dev);
  for (let opened = 0; opened < 3; opened += 1) dev.opened();
  dev.stopped();
  metrics.ofStage(LIVE).opened();
  assert.deepEqual(await samples(metrics, 'respark_connections'), {
    'respark_connections{game="Demo",stage="Dev"}': 2,
    'respark_connections{game="Demo",stage="Live"}': 1,
    'respark_connections_opened_total{game="Demo",stage="Dev"}': 3,
    'respark_connections_opened_total{game="Demo",stage="Live"}': 1,
  });
});

test('a stage that is gone takes its labels with it, and its name can come back', async (t) => {
  const metrics = openMetrics(t);
  const first = metrics.ofStage(DEV);
  first.opened();
  first.stopped();
  metrics.ofStage(LIVE).opened();
  metrics.forgetStage(DEV.stageId);
  metrics.forgetStage('never heard of');
  assert.deepEqual(Object.keys(await samples(metrics, 'respark_connections')), [
    'respark_connections{game="Demo",stage="Live"}',
    'respark_connections_opened_total{game="Demo",stage="Live"}',
  ]);
  const again = metrics.ofStage({ ...DEV, stageId: 's3' });
  assert.notEqual(again, first);
  again.opened();
  assert.equal((await samples(metrics, 'respark_connections{'))['respark_connections{game="Demo",stage="Dev"}'], 1);
});

test('a connection that outlives its stage counts no more', async (t) => {
  const metrics = openMetrics(t);
  const gone = metrics.ofStage(DEV);
  gone.opened();
  metrics.forgetStage(DEV.stageId);
  gone.stopped();
  assert.deepEqual(await samples(metrics, 'respark_connections'), {});
});

test('nothing is left of stages that are made and deleted, and their messages stay among the totals', async (t) => {
  const metrics = openMetrics(t);
  metrics.ofStage(LIVE).handled('Greet', 'ok', 1);
  const sizeOf = async () => (await metrics.render(NOTHING_HELD)).text.split('\n').length;
  const size = await sizeOf();
  for (let index = 0; index < 100; index += 1) {
    const stage = { ...DEV, stageId: `made ${index}`, stageName: `Made${index}` };
    metrics.ofStage(stage).opened();
    metrics.ofStage(stage).handled('Greet', 'script_error', 1);
    metrics.forgetStage(stage.stageId);
    // A handler may end when its stage is gone.
    metrics.ofStage(stage).handled('Greet', 'ok', 1);
  }
  assert.equal(await sizeOf(), size);
  const { opened, messages, failed, durations } = metrics.totals();
  const timed = durations.reduce((sum, count) => sum + count, 0);
  assert.deepEqual({ opened, messages, failed, timed }, { opened: 100, messages: 101, failed: 100, timed: 101 });
});

test('the times of messages stay while a successor of the same name has the labels', async (t) => {
  const metrics = openMetrics(t);
  metrics.ofStage(DEV).handled('Greet', 'ok', 1);
  metrics.ofStage({ ...DEV, stageId: 's3' }).handled('Greet', 'ok', 1);
  metrics.forgetStage(DEV.stageId);
  const name = 'respark_message_duration_seconds_count';
  assert.deepEqual(await samples(metrics, name), { [`${name}{stage="Demo/Dev"}`]: 2 });
  metrics.forgetStage('s3');
  assert.deepEqual(await samples(metrics, name), {});
});

test('a stage and its successor of the same name are counted together, until the older one is gone', async (t) => {
  const metrics = openMetrics(t);
  metrics.ofStage(DEV).opened();
  const successor = metrics.ofStage({ ...DEV, stageId: 's3' });
  for (let opened = 0; opened < 2; opened += 1) successor.opened();
  const read = () => samples(metrics, 'respark_connections{');
  assert.deepEqual(await read(), { 'respark_connections{game="Demo",stage="Dev"}': 3 });
  const { text } = await metrics.render(NOTHING_HELD);
  assert.equal(text.match(/^respark_connections\{/gm)?.length, 1);
  metrics.forgetStage(DEV.stageId);
  assert.deepEqual(await read(), { 'respark_connections{game="Demo",stage="Dev"}': 2 });
});

test('three hundred names of a game have series, with all their outcomes, and what comes beyond counts as other', async (t) => {
  const metrics = openMetrics(t);
  const elsewhere = { stageId: 's3', gameName: 'Elsewhere', stageName: 'Dev' };
  const play = (stage: typeof DEV, names: number) => {
    for (let index = 0; index < names; index += 1) metrics.ofStage(stage).handled(`M${index}`, 'ok', 1);
  };
  const seriesOf = async (game: string, stage: string) => {
    const all = await samples(metrics, `respark_messages_total{game="${game}",stage="${stage}",`);
    const others = all[`respark_messages_total{game="${game}",stage="${stage}",message="other",outcome="ok"}`];
    return [Object.keys(all).length, others];
  };
  play(DEV, 200);
  play(LIVE, 20_000);
  play(elsewhere, 2);
  assert.deepEqual(await seriesOf('Demo', 'Dev'), [200, undefined]);
  assert.deepEqual(await seriesOf('Demo', 'Live'), [101, 19_900]);
  assert.deepEqual(await seriesOf('Elsewhere', 'Dev'), [2, undefined]);
  assert.equal(metrics.totals().messages, 20_202);
  for (const name of ['M0', 'M150']) metrics.ofStage(LIVE).handled(name, 'INTERNAL', 1);
  const failed = await samples(metrics, 'respark_messages_total{game="Demo",stage="Live",');
  const outcome = (name: string) =>
    failed[`respark_messages_total{game="Demo",stage="Live",message="${name}",outcome="INTERNAL"}`];
  assert.deepEqual(['M0', 'M150', 'other'].map(outcome), [1, undefined, 1]);
  // A stage that is gone leaves its room to the others.
  metrics.forgetStage(DEV.stageId);
  play(LIVE, 400);
  assert.deepEqual(await seriesOf('Demo', 'Live'), [303, 20_000]);
});

test('close codes that are not in the table share one label, whatever clients send', async (t) => {
  const metrics = openMetrics(t);
  for (let code = 3_000; code < 5_000; code += 1) metrics.closed(code);
  metrics.closed(1006);
  const closed = await samples(metrics, 'respark_connections_closed_total');
  const known: number[] = Object.values(CLOSE_CODES).map(({ code }) => code);
  for (const sample of Object.keys(closed)) {
    const [, label = ''] = /code="(\w+)"/.exec(sample) ?? [];
    assert(label === 'other' || known.includes(Number(label)), sample);
  }
  const sum = Object.values(closed).reduce((total, count) => total + count, 0);
  assert.equal(sum, 2_001);
  assert(Number(closed['respark_connections_closed_total{code="other"}']) > 1_900);
});

test('the outbox’s high water is that since the last scrape', async (t) => {
  const metrics = openMetrics(t);
  const highWater = async () => (await samples(metrics, 'respark_outbox')).respark_outbox_high_water_bytes;
  for (const bytes of [10, 5_000, 20]) metrics.outbox(bytes);
  assert.equal(await highWater(), 5_000);
  assert.equal(await highWater(), 0);
  metrics.outbox(7);
  assert.equal(await highWater(), 7);
});

test('disconnects are counted by their result, with what became of the connections', async (t) => {
  const metrics = openMetrics(t);
  metrics.disconnected({ durationMs: 2, successes: 3, failures: 0 });
  metrics.disconnected({ durationMs: 4_000, successes: 1, failures: 2 });
  metrics.disconnected({ durationMs: 1, successes: 0, failures: 0 });
  metrics.disconnected('failed');
  assert.deepEqual(await samples(metrics, 'respark_disconnect_calls'), {
    'respark_disconnect_calls_total{result="complete"}': 2,
    'respark_disconnect_calls_total{result="partial"}': 1,
    'respark_disconnect_calls_total{result="failed"}': 1,
  });
  assert.deepEqual(await samples(metrics, 'respark_disconnected'), {
    'respark_disconnected_connections_total{outcome="success"}': 4,
    'respark_disconnected_connections_total{outcome="failure"}': 2,
  });
  const duration = await samples(metrics, 'respark_disconnect_duration_seconds');
  assert.equal(duration['respark_disconnect_duration_seconds_bucket{le="0.0025"}'], 2);
  assert.equal(duration['respark_disconnect_duration_seconds_bucket{le="2.5"}'], 2);
  assert.equal(duration.respark_disconnect_duration_seconds_count, 3);
});

test('management calls are counted by operation and status', async (t) => {
  const metrics = openMetrics(t);
  metrics.called({ operation: 'GetGame', status: 404, durationMs: 3 });
  metrics.called({ operation: undefined, status: 404, durationMs: 1 });
  metrics.throttled('disconnect');
  metrics.authFailed('InvalidSignatureException');
  metrics.auditFailed('intent');
  assert.deepEqual(await samples(metrics, 'respark_api_requests_total'), {
    'respark_api_requests_total{operation="GetGame",status="404"}': 1,
    'respark_api_requests_total{operation="none",status="404"}': 1,
  });
  const { text } = await metrics.render(NOTHING_HELD);
  assert.match(text, /^respark_api_throttled_total\{class="disconnect"\} 1$/m);
  assert.match(text, /^respark_api_auth_failures_total\{cause="InvalidSignatureException"\} 1$/m);
  assert.match(text, /^respark_audit_failures_total\{part="intent"\} 1$/m);
  assert.match(text, /^respark_api_request_duration_seconds_count\{operation="GetGame"\} 1$/m);
});

test('every counter goes on from one scrape to the next', async (t) => {
  const metrics = openMetrics(t);
  const { code } = CLOSE_CODES.disconnected;
  const countAll = () => {
    metrics.closed(code);
    metrics.refused('rate');
    metrics.slowClose();
    metrics.disconnected({ durationMs: 1, successes: 1, failures: 1 });
    metrics.disconnected('failed');
    metrics.called({ operation: 'GetGame', status: 200, durationMs: 1 });
    metrics.throttled('read');
    metrics.authFailed('InvalidSignatureException');
    metrics.auditFailed('outcome');
    metrics.cluster.leaseEnded();
    metrics.events.emitted();
    metrics.events.lost(1);
    metrics.events.delivered('given_up');
    metrics.events.switchedOff();
    metrics.ofStage(DEV).opened();
    metrics.ofStage(DEV).handled('Greet', 'ok', 1);
  };
  countAll();
  const before = await samples(metrics, 'respark_');
  countAll();
  countAll();
  const after = await samples(metrics, 'respark_');
  const counters = METRIC_ROWS.filter(({ name, type }) => type === 'counter' && name.startsWith('respark_'));
  for (const { name } of counters) {
    const counted = Object.keys(before).filter((sample) => sample.startsWith(name) && before[sample] === 1);
    assert(counted.length > 0, name);
    for (const sample of counted) assert.equal(after[sample], 3, sample);
  }
});

test('what the node holds and what the process uses is read at each scrape', async (t) => {
  const counts = {
    isReady: 0,
    sockets: 5,
    unauthenticated: 2,
    directory: 3,
    runtimes: 4,
    freeSpace: 0,
    isShort: 0,
    outboxBytes: 70,
    webhookBacklog: 0,
    webhookOldest: 0,
  };
  const metrics = openMetrics(t);
  const read = async () => {
    const { text, contentType } = await metrics.render(counts);
    assert.match(contentType, /^text\/plain; version=0\.0\.4/);
    return (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  };
  const before = await read();
  const held = ['ready', 'sockets', 'sockets_unauthenticated', 'directory_entries', 'runtimes', 'outbox_bytes'];
  assert.deepEqual(
    held.map((name) => before(`respark_${name}`)),
    [0, 5, 2, 3, 4, 70],
  );
  counts.sockets = 0;
  const after = await read();
  assert.equal(after('respark_sockets'), 0);
  assert(after('process_cpu_seconds_total') >= before('process_cpu_seconds_total'));
  assert(after('process_resident_memory_bytes') > 1_000_000);
  assert(after('nodejs_heap_size_used_bytes') > 1_000_000);
  for (const quantile of ['0.5', '0.99', '1']) {
    assert(after(`respark_event_loop_delay_seconds\\{quantile="${quantile}"\\}`) >= 0);
  }
});

test('open files and their limit are those of the process, and absent where the system does not say', async (t) => {
  const metrics = openMetrics(t);
  const read = async (name: string) => (await samples(metrics, name))[name];
  if (!existsSync('/proc/self/limits')) {
    assert.deepEqual([await read('process_open_fds'), await read('process_max_fds')], [undefined, undefined]);
    return;
  }
  const before = Number(await read('process_open_fds'));
  const opened = Array.from({ length: 200 }, () => openSync('/dev/null', 'r'));
  const during = Number(await read('process_open_fds'));
  for (const file of opened) closeSync(file);
  // The process may open or close one or two others by itself meanwhile.
  assert(Math.abs(during - before - 200) <= 4, `${during - before}`);
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  assert.equal(await read('process_max_fds'), limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit));
});

test('two servers in one process count apart', async (t) => {
  const [one, other] = [openMetrics(t), openMetrics(t)];
  one.ofStage(DEV).opened();
  assert.deepEqual(await samples(other, 'respark_connections{'), {});
});

test('no metric is labelled with players, and each is documented with its type, help and labels', async (t) => {
  const bounded = new Set([
    ...['game', 'stage', 'code', 'cause', 'result', 'outcome'],
    ...['operation', 'status', 'class', 'part', 'quantile', 'message', 'event'],
  ]);
  const { text } = await openMetrics(t).render(NOTHING_HELD);
  for (const { name, type, help, labels } of METRIC_ROWS) {
    for (const label of labels) assert(bounded.has(label), `${name} has ${label}`);
    assert(text.includes(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`), name);
    // By Prometheus's conventions, counters and nothing else end in _total.
    assert.equal(name.endsWith('_total'), type === 'counter', name);
  }
  assert.equal(text.match(/^# TYPE /gm)?.length, METRIC_ROWS.length);
});

test('the dashboard shows every metric, and no other', () => {
  const dashboard = readFileSync(new URL('../../../docs/grafana-dashboard.json', import.meta.url), 'utf8');
  const expressions: string[] = [];
  JSON.parse(dashboard, (key, value) => {
    if (key === 'expr') expressions.push(value);
    return value;
  });
  const used = expressions.flatMap((expression) => expression.match(/\b(respark|process|nodejs)_\w+/g) ?? []);
  const isHistogram = (name: string) => METRIC_ROWS.some((row) => row.name === name && row.type === 'histogram');
  const names = used.map((name) => {
    const base = name.replace(/_(bucket|sum|count)$/, '');
    return isHistogram(base) ? base : name;
  });
  assert.deepEqual([...new Set(names)].sort(), METRIC_ROWS.map(({ name }) => name).sort());
  const labels = new Set(METRIC_ROWS.flatMap((row): string[] => [...row.labels]));
  for (const expression of expressions) {
    for (const [, list = ''] of expression.matchAll(/\bby \(([^)]*)\)/g)) {
      for (const label of list.split(',').map((part) => part.trim())) {
        assert(label === 'le' || labels.has(label), `${expression} groups by ${label}`);
      }
    }
  }
});

test('disconnects and failures of the audit log are there from the start, at zero', async (t) => {
  const metrics = openMetrics(t);
  assert.deepEqual(await samples(metrics, 'respark_disconnect'), {
    'respark_disconnect_calls_total{result="complete"}': 0,
    'respark_disconnect_calls_total{result="partial"}': 0,
    'respark_disconnect_calls_total{result="failed"}': 0,
    ...(await samples(metrics, 'respark_disconnect_duration_seconds')),
    'respark_disconnected_connections_total{outcome="success"}': 0,
    'respark_disconnected_connections_total{outcome="failure"}': 0,
  });
  assert.deepEqual(await samples(metrics, 'respark_audit_failures_total'), {
    'respark_audit_failures_total{part="intent"}': 0,
    'respark_audit_failures_total{part="outcome"}': 0,
  });
});
