import { useEffect, useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { More } from '../parts/more.tsx';
import { Page } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { linkTo } from '../route.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';
import { usePages } from '../use-pages.ts';
import { JobDialog } from './job-dialog.tsx';
import {
  type Decision,
  DecisionDialog,
  isAtWork,
  JobActions,
  JobProgress,
  JobState,
  lookMs,
  Rate,
  Whom,
} from './job-parts.tsx';

/** Jobs that disconnect many players, how far they are, and what can be done with each. */
export function Jobs() {
  const { game, stage } = useSignal(place);
  const [isOpen, setOpen] = useState(false);
  const [decision, setDecision] = useState<Decision>();
  const [isLively, setLively] = useState(false);
  const input = stage === '' ? undefined : { GameName: game, StageName: stage, MaxResults: 25 };
  const jobs = usePages('ListDisconnectJobs', input, (page) => page.Jobs, { everyMs: lookMs(isLively) });
  const isAnyAtWork = jobs.items?.some(isAtWork) ?? false;
  useEffect(() => setLively(isAnyAtWork), [isAnyAtWork]);
  return (
    <Page
      title={t('jobs')}
      actions={
        <Button kind="danger" needs={['StartDisconnectJob']} onClick={() => setOpen(true)}>
          {t('startJobOpen')}
        </Button>
      }
    >
      <Table
        title={t('jobs')}
        answer={jobs}
        rows={jobs.items}
        keyOf={({ JobId = '' }) => JobId}
        columns={[
          {
            head: t('whom'),
            cell: (job) => (
              <a href={linkTo('job', { game, stage, job: job.JobId })}>
                <Whom job={job} />
              </a>
            ),
          },
          {
            head: t('state'),
            cell: (job) => (
              <>
                <JobState job={job} /> <JobProgress job={job} />
              </>
            ),
          },
          { head: t('rateHead'), isMinor: true, isNumber: true, cell: (job) => <Rate job={job} /> },
          { head: t('startedBy'), isMinor: true, cell: ({ StartedBy = '–' }) => <Untrusted text={StartedBy} /> },
          { head: t('time'), isMinor: true, cell: ({ Created }) => <Time at={Created} /> },
          {
            head: t('action'),
            isAction: true,
            cell: (job) => <JobActions job={job} onDecide={setDecision} />,
          },
        ]}
        empty={
          <>
            <p>{t('noJobs')}</p>
            <p class="muted">{t('jobsExplained')}</p>
          </>
        }
      />
      <More pages={jobs} />
      {isOpen && <JobDialog onClose={() => setOpen(false)} />}
      {decision && <DecisionDialog decision={decision} onClose={() => setDecision(undefined)} onDone={jobs.reload} />}
    </Page>
  );
}
