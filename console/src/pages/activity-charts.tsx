import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Chart } from '../parts/chart.tsx';
import { Badge, Section } from '../parts/page.tsx';
import { Time } from '../parts/time.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { useSurelyAllowed } from '../permissions.ts';
import { onServer, session } from '../session.ts';
import { useSignal } from '../store.ts';
import { counted, t } from '../texts/language.ts';
import { recordOf, stageOf } from './deployment-records.ts';
import { useRecords } from './use-records.ts';

type Step = Outputs['ListActivity']['Nodes'][number]['Steps'][number];

const LIVE_MS = 5_000;
const STEP_MS = 10_000;
const HOUR_MS = 3_600_000;
const SHOWN_MARKS = 5;
/** Operations that change the picture of the whole server, which are marked; one that concerns one player does not. */
const MARKED = ['StartStageDeployment', 'DrainNode', 'CloseStageToPlayers'] as const;

/** The last hour of all nodes together, from what they remember. */
export function ActivityCharts() {
  const { steps, silent } = useActivity();
  const marks = useMarks();
  const failed = useFailed(marks);
  const { times, ...series } = useMemo(() => seriesOf(steps), [steps]);
  const at = marks.map(({ Time: time = '' }) => Date.parse(time) / 1000);
  if (times.length === 0) {
    return (
      <Section title={t('lastHour')}>
        <p class="muted">{t('lastHourBegins')}</p>
      </Section>
    );
  }
  return (
    <Section title={t('lastHour')}>
      <div class="charts">
        <Chart title={t('chartConnections')} times={times} values={series.connections} marks={at} />
        <Chart title={t('chartMessages')} times={times} values={series.messages} marks={at} />
        <Chart title={t('chartLatency')} times={times} values={series.latency} marks={at} />
        <Chart title={t('chartFailed')} times={times} values={series.failed} marks={at} />
      </div>
      {silent > 0 && <p class="muted">{counted('nodesSilent', silent)}</p>}
      {marks.length > 0 && (
        <div class="marks">
          <h3 id="marks">{t('chartMarks')}</h3>
          <ul aria-labelledby="marks">
            {marks.slice(0, SHOWN_MARKS).map(({ Time: time, Operation = '', Actor = '', RequestId = '', Outcome }) => (
              <li key={RequestId}>
                <Time at={time} /> <Untrusted text={Operation} />{' '}
                {Outcome?.Error !== undefined && <Badge kind="bad">{Outcome.Error}</Badge>}
                {failed.has(RequestId) && <Badge kind="bad">{t('deploymentFailed')}</Badge>}{' '}
                <span class="muted">
                  <Untrusted text={Actor} />
                </span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Section>
  );
}

/** What is known of each node. Each look asks only for what is newer. */
function useActivity(): { steps: ReadonlyMap<string, readonly Step[]>; silent: number } {
  const signedIn = useSignal(session);
  const [known, setKnown] = useState<{ steps: ReadonlyMap<string, readonly Step[]>; silent: number }>({
    steps: new Map(),
    silent: 0,
  });
  useEffect(() => {
    const abort = new AbortController();
    let steps = new Map<string, readonly Step[]>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      const newest = [...steps.values()].map((all) => all.at(-1)?.Time ?? '').sort();
      try {
        // Asks from where the node that is furthest behind is, so that one that was silent gives all that is missing.
        // Others repeat little.
        const [oldest = ''] = newest;
        const input = oldest === '' ? {} : { After: oldest };
        const { Nodes } = document.hidden
          ? { Nodes: undefined }
          : ((await signedIn?.call('ListActivity', input, abort.signal)) ?? { Nodes: undefined });
        if (Nodes !== undefined) {
          steps = new Map(Nodes.map(({ Node, Steps }) => [Node, join(steps.get(Node) ?? [], Steps)]));
          setKnown({ steps, silent: Nodes.filter(({ IsKnown }) => !IsKnown).length });
        }
      } catch {
        // The table of nodes below says that the server does not answer; what is known stays.
      }
      if (!abort.signal.aborted) timer = setTimeout(() => void look(), LIVE_MS);
    };
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [signedIn]);
  return known;
}

function join(before: readonly Step[], more: readonly Step[]): readonly Step[] {
  const last = before.at(-1)?.Time ?? '';
  return [...before, ...more.filter(({ Time: time = '' }) => time > last)].slice(-HOUR_MS / STEP_MS);
}

function useMarks() {
  const isAllowed = useSurelyAllowed();
  const [openedAt] = useState(Date.now);
  const input = { Since: new Date(onServer(openedAt) - HOUR_MS).toISOString(), MaxResults: 20 };
  const asked = isAllowed('ListAuditRecords') ? input : undefined;
  const every = { everyMs: 3 * LIVE_MS };
  const deployed = useRecords(asked && { ...asked, Operation: MARKED[0] }, every);
  const drained = useRecords(asked && { ...asked, Operation: MARKED[1] }, every);
  const closed = useRecords(asked && { ...asked, Operation: MARKED[2] }, every);
  return useMemo(
    () =>
      [deployed, drained, closed]
        .flatMap((records) => records ?? [])
        .sort((a, b) => ((a.Time ?? '') < (b.Time ?? '') ? 1 : -1)),
    [deployed, drained, closed],
  );
}

/** The ids of records of deployments that failed later; the records say only that they began. */
function useFailed(marks: ReturnType<typeof useMarks>): ReadonlySet<string> {
  const signedIn = useSignal(session);
  const isAllowed = useSurelyAllowed();
  const [failed, setFailed] = useState<ReadonlySet<string>>(new Set());
  const shown = marks.slice(0, SHOWN_MARKS).filter(({ Operation }) => Operation === MARKED[0]);
  // Looked at again with every look at the records, because a deployment may still be under way.
  useEffect(() => {
    if (signedIn === undefined || !isAllowed('ListStageDeployments')) return;
    const abort = new AbortController();
    const failedOn = async (stage: NonNullable<ReturnType<typeof stageOf>>): Promise<readonly string[]> => {
      const input = { GameName: stage.game, StageName: stage.stage, MaxResults: 50 };
      try {
        const { StageDeployments = [] } = await signedIn.call('ListStageDeployments', input, abort.signal);
        return StageDeployments.filter(({ DeploymentState: state }) => state === 'FAILED').map(
          ({ DeploymentId = '' }) => recordOf(DeploymentId, stage, shown)?.RequestId ?? '',
        );
      } catch {
        // The stage may be gone, or hidden from this key: what began its deployments is shown all the same.
        return [];
      }
    };
    const stages = new Map(shown.map((mark) => [mark.Resource, stageOf(mark)]));
    void Promise.all([...stages.values()].flatMap((stage) => (stage === undefined ? [] : [failedOn(stage)]))).then(
      (ids) => !abort.signal.aborted && setFailed(new Set(ids.flat())),
    );
    return () => abort.abort();
  }, [signedIn, marks]);
  return failed;
}

/** The sums of all nodes. Their steps do not end together, so they are counted by tens of seconds. */
function seriesOf(steps: ReadonlyMap<string, readonly Step[]>) {
  const slots = new Map<number, Step[]>();
  for (const all of steps.values()) {
    for (const step of all) {
      const slot = Math.floor(Date.parse(step.Time ?? '') / STEP_MS);
      slots.set(slot, [...(slots.get(slot) ?? []), step]);
    }
  }
  const rows = [...slots].sort(([a], [b]) => a - b);
  const sum = (all: readonly Step[], of: (step: Step) => number) => all.reduce((total, step) => total + of(step), 0);
  const rate = (count: number | undefined, { DurationMs = STEP_MS }: Step) => ((count ?? 0) * 1000) / DurationMs;
  const rounded = (value: number) => Math.round(value * 10) / 10;
  return {
    times: rows.map(([slot]) => (slot * STEP_MS) / 1000),
    connections: rows.map(([, all]) => sum(all, ({ Connections = 0 }) => Connections)),
    messages: rows.map(([, all]) => rounded(sum(all, (step) => rate(step.Messages, step)))),
    failed: rows.map(([, all]) => rounded(sum(all, (step) => rate(step.Failed, step)))),
    latency: rows.map(([, all]) => {
      const known = all.flatMap(({ MicrosecondsMost }) => (MicrosecondsMost === undefined ? [] : [MicrosecondsMost]));
      return known.length === 0 ? null : rounded(Math.max(...known) / 1000);
    }),
  };
}
