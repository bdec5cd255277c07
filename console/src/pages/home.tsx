import { useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page, Section, Stat } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Since, Time } from '../parts/time.tsx';
import { Id } from '../parts/untrusted.tsx';
import { useMay, useSurelyAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { linkTo } from '../route.ts';
import { say } from '../said.ts';
import { useSignal } from '../store.ts';
import { counted, formatNumber, t } from '../texts/language.ts';
import { useAction, useCall } from '../use-call.ts';
import { ActivityCharts } from './activity-charts.tsx';

const LIVE_MS = 3_000;

export function Home() {
  const isAllowed = useSurelyAllowed();
  const { stage } = useSignal(place);
  const info = useCall('GetServerInfo', isAllowed('GetServerInfo') ? {} : undefined);
  return (
    <Page title={t('home')}>
      <Failure error={info.error} />
      {stage !== '' && <StagePicture />}
      {isAllowed('ListActivity') && <ActivityCharts />}
      {isAllowed('ListNodes') && <Nodes />}
      {info.data !== undefined && (
        <p class="muted">{t('serverVersion', { version: info.data.Version, api: info.data.ApiVersion })}</p>
      )}
    </Page>
  );
}

/** What the chosen stage is like at this moment. */
function StagePicture() {
  const { game, stage } = useSignal(place);
  const isAllowed = useSurelyAllowed();
  const input = { GameName: game, StageName: stage };
  const refusal = useMay('CountConnections');
  const counts = useCall('CountConnections', isAllowed('CountConnections') ? input : undefined, { everyMs: LIVE_MS });
  const access = useCall('GetStageAccess', isAllowed('GetStageAccess') ? input : undefined, { everyMs: LIVE_MS * 5 });
  const deployment = useCall('GetStageDeployment', isAllowed('GetStageDeployment') ? input : undefined);
  const { Players = 0, Connections = 0, Runtimes = [], CurrentRuntimeId } = counts.data ?? {};
  const current = Runtimes.find(({ RuntimeId }) => RuntimeId === CurrentRuntimeId)?.Connections ?? 0;
  const share = Connections === 0 ? undefined : Math.round((100 * current) / Connections);
  const isNothingDeployed = deployment.error?.code === 'ResourceNotFoundException';
  const newest = deployment.error === undefined ? deployment.data?.StageDeployment : undefined;
  return (
    <Section title={t('stageNow', { game, stage })}>
      <Failure error={counts.error} />
      {refusal !== undefined && <Notice kind="info">{refusal}</Notice>}
      {access.data?.IsOpen === false && (
        <Notice kind="warning">
          <p>
            {t('stageIsClosed')} <a href={linkTo('maintenance', { game, stage })}>{t('maintenance')}</a>
          </p>
        </Notice>
      )}
      <dl class="stats">
        <Stat
          label={t('players')}
          value={<a href={linkTo('players', { game, stage })}>{formatNumber(Players)}</a>}
          note={t('online')}
        />
        <Stat label={t('connections')} value={formatNumber(Connections)} />
        <Stat
          label={t('onCurrentRuntime')}
          value={share === undefined ? '–' : `${share} %`}
          note={counted('runtimeInUse', Runtimes.length)}
        />
        {isAllowed('GetStageDeployment') && (
          <Stat
            label={t('newestDeployment')}
            value={newest === undefined ? '–' : <DeploymentState state={newest.DeploymentState} />}
            note={newest === undefined ? t('nothingDeployed') : <Time at={newest.LastUpdated} />}
          />
        )}
      </dl>
      {counts.data !== undefined && isNothingDeployed && isAllowed('GetGameConfiguration') && (
        <div class="empty">
          <p>{t('deployFirstHere')}</p>
          <p>
            <a class="button" href={linkTo('configuration', { game, stage })}>
              {t('makeFirstMessage')}
            </a>
          </p>
        </div>
      )}
    </Section>
  );
}

export function DeploymentState({
  state,
}: {
  state: NonNullable<Outputs['GetStageDeployment']['StageDeployment']>['DeploymentState'];
}) {
  switch (state) {
    case 'COMPLETED':
      return <Badge kind="good">{t('deploymentDone')}</Badge>;
    case 'FAILED':
      return <Badge kind="bad">{t('deploymentFailed')}</Badge>;
    default:
      return <Badge kind="warning">{t('deploymentUnderWay')}</Badge>;
  }
}

type Node = Outputs['ListNodes']['Nodes'][number];

const STATES = {
  SERVING: ['good', 'nodeServing'],
  DRAINING: ['warning', 'nodeDraining'],
  SILENT: ['bad', 'nodeSilent'],
} as const;

function Nodes() {
  const nodes = useCall('ListNodes', {}, { everyMs: LIVE_MS });
  const [drained, setDrained] = useState<Node>();
  const rows = nodes.data?.Nodes;
  return (
    <Section title={rows === undefined ? t('nodes') : `${t('nodes')} (${rows.length})`}>
      <Table
        title={t('nodes')}
        answer={nodes}
        rows={rows}
        keyOf={({ Id: id = '' }) => id}
        columns={[
          { head: t('node'), cell: ({ Id: id = '' }) => <Id id={id} /> },
          {
            head: t('state'),
            cell: ({ State = 'SERVING' }) => <Badge kind={STATES[State][0]}>{t(STATES[State][1])}</Badge>,
          },
          {
            head: t('connections'),
            isNumber: true,
            cell: ({ Connections }) => (Connections === undefined ? '–' : formatNumber(Connections)),
          },
          { head: t('runsFor'), cell: ({ Started }) => <Since at={Started} /> },
          { head: t('role'), isMinor: true, cell: ({ Role = '–' }) => Role },
          { head: t('machine'), isMinor: true, cell: ({ Machine = '–' }) => Machine },
          { head: t('version'), isMinor: true, cell: ({ Version = '–' }) => Version },
          {
            head: t('action'),
            isAction: true,
            cell: (node) => (
              <Button needs={['DrainNode']} label={`${t('drain')} ${node.Id}`} onClick={() => setDrained(node)}>
                {t('drain')}
              </Button>
            ),
          },
        ]}
        empty={<p>{t('loading')}</p>}
      />
      {drained !== undefined && (
        <DrainDialog node={drained} isOnly={rows?.length === 1} onClose={() => setDrained(undefined)} />
      )}
    </Section>
  );
}

function DrainDialog({ node, isOnly, onClose }: { node: Node; isOnly: boolean; onClose: () => void }) {
  const drain = useAction('DrainNode');
  return (
    <Confirm
      title={t('drainNode')}
      action={t('drainNode')}
      needs={['DrainNode']}
      isBusy={drain.isBusy}
      error={drain.error}
      onClose={onClose}
      onConfirm={async () => {
        const { Id: id = '' } = node;
        if ((await drain.run({ NodeId: id })) === undefined) return;
        say(t('nodeDrainsNow', { node: id }));
        onClose();
      }}
    >
      <p class="subject">
        <Id id={node.Id ?? ''} />
      </p>
      <Notice kind="warning">
        <p>
          {node.Connections !== undefined && counted('wouldClose', node.Connections)} {t('drainExplained')}
        </p>
        {isOnly && (
          <p>
            <strong>{t('drainOnlyNode')}</strong>
          </p>
        )}
      </Notice>
    </Confirm>
  );
}
