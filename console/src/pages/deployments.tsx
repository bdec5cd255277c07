import { useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter } from '../parts/dialog-footer.tsx';
import { TextField } from '../parts/fields.tsx';
import { More } from '../parts/more.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page, Section } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { useSurelyAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { say } from '../said.ts';
import { useSignal } from '../store.ts';
import { counted, formatNumber, t } from '../texts/language.ts';
import { useAction, useCall } from '../use-call.ts';
import { usePages } from '../use-pages.ts';
import { recordOf } from './deployment-records.ts';
import { GeneratedCodeDialog } from './generated-code-dialog.tsx';
import { DeploymentState } from './home.tsx';
import { useRecords } from './use-records.ts';

type Deployment = NonNullable<Outputs['ListStageDeployments']['StageDeployments']>[number];

const LIVE_MS = 2_000;

/** What runs on the stage, who is still on earlier deployments, and the snapshots that can be deployed. */
export function Deployments() {
  const { game, stage } = useSignal(place);
  const [isSaving, setSaving] = useState(false);
  const [deployed, setDeployed] = useState<string>();
  const [generating, setGenerating] = useState<string>();
  const input = { GameName: game, StageName: stage };
  const asked = stage === '' ? undefined : input;
  const deployments = usePages('ListStageDeployments', asked, ({ StageDeployments }) => StageDeployments, {
    everyMs: LIVE_MS,
  });
  const snapshots = usePages('ListSnapshots', asked && { GameName: game }, ({ Snapshots }) => Snapshots);
  return (
    <Page
      title={t('deployments')}
      actions={
        <Button kind="primary" needs={['CreateSnapshot']} onClick={() => setSaving(true)}>
          {t('createSnapshotOpen')}
        </Button>
      }
    >
      {asked !== undefined && <Runtimes />}
      <History deployments={deployments} onDeploy={setDeployed} />
      <Section title={t('snapshots')}>
        <Table
          title={t('snapshots')}
          answer={snapshots}
          rows={snapshots.items}
          keyOf={({ Id: id = '' }) => id}
          columns={[
            { head: t('created'), cell: ({ Created }) => <Time at={Created} /> },
            { head: t('snapshot'), cell: ({ Id: id = '' }) => <Id id={id} /> },
            { head: t('description'), cell: ({ Description }) => <Untrusted text={Description || '–'} /> },
            {
              head: t('action'),
              isAction: true,
              cell: ({ Id: id = '' }) => (
                <div class="actions">
                  <Button
                    needs={['StartStageDeployment']}
                    label={`${t('deploy')} ${id}`}
                    onClick={() => setDeployed(id)}
                  >
                    {t('deploy')}
                  </Button>
                  <Button
                    needs={['StartGeneratedCodeJob', 'GetGeneratedCodeJob']}
                    label={`${t('generateCode')} ${id}`}
                    onClick={() => setGenerating(id)}
                  >
                    {t('generateCode')}
                  </Button>
                </div>
              ),
            },
          ]}
          empty={
            <>
              <p>{t('noSnapshots')}</p>
              <p class="muted">{t('noSnapshotsAdvice')}</p>
            </>
          }
        />
        <More pages={snapshots} />
      </Section>
      {isSaving && <SnapshotDialog onClose={() => setSaving(false)} onDone={snapshots.reload} />}
      {generating !== undefined && (
        <GeneratedCodeDialog snapshot={generating} onClose={() => setGenerating(undefined)} />
      )}
      {deployed !== undefined && (
        <DeployDialog snapshot={deployed} onClose={() => setDeployed(undefined)} onDone={deployments.reload} />
      )}
    </Page>
  );
}

/** What was deployed to the stage, by whom, and what of it new players get. */
function History({
  deployments,
  onDeploy,
}: {
  deployments: ReturnType<typeof usePages<'ListStageDeployments', Deployment>>;
  onDeploy: (snapshot: string) => void;
}) {
  const { game, stage } = useSignal(place);
  const isAllowed = useSurelyAllowed();
  const records = useRecords(
    isAllowed('ListAuditRecords') ? { Operation: 'StartStageDeployment', MaxResults: 100 } : undefined,
    { everyMs: 3 * LIVE_MS },
  );
  const newest = deployments.items?.find(({ DeploymentState: state }) => state === 'COMPLETED');
  const current = newest?.DeploymentAction === 'UNDEPLOY' ? undefined : newest;
  return (
    <Section title={t('deploymentHistory')}>
      <Table
        title={t('deploymentHistory')}
        answer={deployments}
        rows={deployments.items}
        keyOf={({ DeploymentId = '' }) => DeploymentId}
        columns={[
          { head: t('time'), cell: ({ LastUpdated }) => <Time at={LastUpdated} /> },
          {
            head: t('state'),
            cell: (row) => (
              <>
                <DeploymentState state={row.DeploymentState} />{' '}
                {row.DeploymentId === current?.DeploymentId && <Badge kind="plain">{t('runtimeCurrent')}</Badge>}
              </>
            ),
          },
          { head: t('snapshot'), cell: ({ SnapshotId = '–' }) => <Id id={SnapshotId} /> },
          ...(records === undefined
            ? []
            : [
                {
                  head: t('by'),
                  isMinor: true,
                  cell: ({ DeploymentId = '' }: Deployment) => (
                    <Id id={recordOf(DeploymentId, { game, stage }, records)?.Actor ?? '–'} isShort="middle" />
                  ),
                },
              ]),
          {
            head: t('result'),
            isMinor: true,
            cell: ({ DeploymentResult }) => <Untrusted text={DeploymentResult?.Message || '–'} keepsLines />,
          },
          {
            head: t('action'),
            isAction: true,
            cell: ({ SnapshotId = '', DeploymentState: state }) =>
              state === 'COMPLETED' && (
                <Button
                  needs={['StartStageDeployment']}
                  label={`${t('deployAgain')} ${SnapshotId}`}
                  onClick={() => onDeploy(SnapshotId)}
                >
                  {t('deployAgain')}
                </Button>
              ),
          },
        ]}
        empty={
          <>
            <p>{t('nothingDeployed')}</p>
            <p class="muted">{t('nothingDeployedAdvice')}</p>
          </>
        }
      />
      <More pages={deployments} />
    </Section>
  );
}

/** A connection stays on the runtime that it opened on, so after a deployment there are several for a while. */
function Runtimes() {
  const { game, stage } = useSignal(place);
  const counts = useCall('CountConnections', { GameName: game, StageName: stage }, { everyMs: LIVE_MS });
  const all = counts.data?.Connections ?? 0;
  const rows = counts.data?.Runtimes;
  return (
    <Section title={t('runtimes')}>
      <Table
        title={t('runtimes')}
        answer={counts}
        rows={rows}
        keyOf={({ RuntimeId = '' }) => RuntimeId}
        columns={[
          {
            head: t('runtime'),
            cell: ({ RuntimeId = '' }) => (
              <>
                <Id id={RuntimeId} /> {RuntimeId === counts.data?.CurrentRuntimeId && t('runtimeNow')}
              </>
            ),
          },
          { head: t('connections'), isNumber: true, cell: ({ Connections = 0 }) => formatNumber(Connections) },
          {
            head: t('share'),
            cell: ({ Connections = 0 }) => (
              <meter
                min={0}
                max={Math.max(1, all)}
                value={Connections}
                aria-label={t('shareOf', { percent: Math.round((100 * Connections) / Math.max(1, all)) })}
              />
            ),
          },
        ]}
        empty={<p>{t('nobodyOnline')}</p>}
      />
    </Section>
  );
}

function SnapshotDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { game } = place.get();
  const [description, setDescription] = useState('');
  const create = useAction('CreateSnapshot');
  return (
    <Dialog title={t('createSnapshot')} onClose={onClose}>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          const done = await create.run({ GameName: game, Description: description || undefined });
          if (done === undefined) return;
          say(t('snapshotMade', { snapshot: done.Snapshot?.Id ?? '' }));
          onDone();
          onClose();
        }}
      >
        <p>{t('snapshotExplained')}</p>
        <TextField label={t('description')} value={description} onValue={setDescription} maxLength={256} />
        <Failure error={create.error} />
        <ActionFooter
          onLeave={onClose}
          action={t('createSnapshot')}
          needs={['CreateSnapshot']}
          isBusy={create.isBusy}
        />
      </form>
    </Dialog>
  );
}

function DeployDialog({ snapshot, onClose, onDone }: { snapshot: string; onClose: () => void; onDone: () => void }) {
  const { game, stage } = place.get();
  const deploy = useAction('StartStageDeployment');
  const counts = useCall('CountConnections', { GameName: game, StageName: stage });
  return (
    <Confirm
      title={t('deploySnapshot')}
      action={t('deployTo', { stage })}
      kind="primary"
      needs={['StartStageDeployment']}
      isBusy={deploy.isBusy}
      error={deploy.error}
      onClose={onClose}
      onConfirm={async () => {
        const done = await deploy.run({ GameName: game, StageName: stage, SnapshotId: snapshot });
        if (done === undefined) return;
        say(t('deploymentBegun', { snapshot, stage }));
        onDone();
        onClose();
      }}
    >
      <p class="subject">
        <Id id={snapshot} />
      </p>
      <Notice kind="warning">
        <p>
          {t('deployExplained')}{' '}
          {counts.data?.Players === undefined ? t('wouldAllStay') : counted('wouldStay', counts.data.Players)}
        </p>
      </Notice>
    </Confirm>
  );
}
