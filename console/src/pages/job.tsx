import { useEffect, useState } from 'preact/hooks';
import { Copied, Failure, Notice } from '../parts/notice.tsx';
import { Page, Section, Stat } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { linkTo, route } from '../route.ts';
import { useSignal } from '../store.ts';
import { counted, formatDuration, formatNumber, t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import {
  type Decision,
  DecisionDialog,
  isAtWork,
  type Job,
  JobActions,
  JobProgress,
  JobState,
  lookMs,
  Rate,
  Whom,
} from './job-parts.tsx';

/** One job: how far it is, and in the end what has come of it. */
export function JobPage() {
  const { game, stage } = useSignal(place);
  const { query } = useSignal(route);
  const [decision, setDecision] = useState<Decision>();
  const [isLively, setLively] = useState(false);
  const id = query.job ?? '';
  const input = stage === '' || id === '' ? undefined : { GameName: game, StageName: stage, JobId: id };
  const answer = useCall('GetDisconnectJob', input, { everyMs: lookMs(isLively) });
  const job = answer.data?.Job;
  const isNowAtWork = job !== undefined && isAtWork(job);
  useEffect(() => setLively(isNowAtWork), [isNowAtWork]);
  return (
    <Page title={t('job')} actions={job && <JobActions job={job} onDecide={setDecision} onChanged={answer.reload} />}>
      <Failure error={answer.error} />
      {job === undefined && answer.isLoading && <p class="muted">{t('loading')}</p>}
      {job !== undefined && (
        <>
          <Picture job={job} />
          <Section title={t('failuresOfJob')}>
            <Failures job={job} />
          </Section>
        </>
      )}
      {decision && <DecisionDialog decision={decision} onClose={() => setDecision(undefined)} onDone={answer.reload} />}
    </Page>
  );
}

function Picture({ job }: { job: Job }) {
  const { Closed = 0, GoneAlready = 0, Unproven = 0, InFlight = 0, Connections = 0, Players = 0 } = job;
  const { ReturnWithinSeconds: seconds, SilentNodes = [], ConfirmedBy, Reason, StartRequestId } = job;
  return (
    <>
      <div class="card job">
        <p class="lead">
          <Whom job={job} isWhole /> <JobState job={job} />
        </p>
        <JobProgress job={job} />
        {job.State === 'AWAITING_CONFIRMATION' && (
          <Notice kind="warning">
            <p>{counted('awaitsKey', Connections)}</p>
          </Notice>
        )}
        <dl class="facts">
          <Fact name={t('playersMeant')}>{formatNumber(Players)}</Fact>
          <Fact name={t('rate')}>
            <Rate job={job} />
          </Fact>
          <Fact name={t('comeBack')}>
            {seconds === undefined ? t('comeBackNot') : t('comeBackWithin', { time: formatDuration(seconds * 1_000) })}
          </Fact>
          <Fact name={t('reason')}>
            <Untrusted text={Reason ?? '–'} />
          </Fact>
          {textsOf(job).map(([locale, text]) => (
            <Fact key={locale} name={locale === '' ? t('messageToPlayer') : `${t('messageToPlayer')} (${locale})`}>
              <Untrusted text={text} />
            </Fact>
          ))}
          <Fact name={t('startedBy')}>
            <Untrusted text={job.StartedBy ?? '–'} />, <Time at={job.Created} />
          </Fact>
          {ConfirmedBy !== undefined && (
            <Fact name={t('confirmedBy')}>
              <Untrusted text={ConfirmedBy} />
            </Fact>
          )}
          {job.Started !== undefined && (
            <Fact name={t('began')}>
              <Time at={job.Started} />
            </Fact>
          )}
          <Fact name={t('changed')}>
            <Time at={job.Updated} />
          </Fact>
          {SilentNodes.length > 0 && (
            <Fact name={t('silentNodes')}>
              <Untrusted text={SilentNodes.join(', ')} />
            </Fact>
          )}
          {StartRequestId !== undefined && (
            <Fact name={t('onRecordAs')}>
              <Copied text={StartRequestId} />
            </Fact>
          )}
        </dl>
      </div>
      <dl class="stats">
        <Stat label={t('closed')} value={formatNumber(Closed)} />
        <Stat label={t('goneBefore')} value={formatNumber(GoneAlready)} />
        <Stat label={t('notProven')} value={formatNumber(Unproven)} />
        <Stat label={t('inFlight')} value={formatNumber(InFlight)} />
      </dl>
    </>
  );
}

/** What the players are told, by locale; the text for all others has none. */
function textsOf({ Message, Messages = {} }: Job): (readonly [locale: string, text: string])[] {
  return [...(Message === undefined ? [] : [['', Message] as const]), ...Object.entries(Messages)];
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Failures({ job: { Failures: failures = [], Unproven = 0, SilentNodes = [] } }: { job: Job }) {
  const { game, stage } = place.get();
  return (
    <>
      <Table
        title={t('failuresOfJob')}
        answer={{ error: undefined, isLoading: false }}
        rows={failures}
        keyOf={({ ConnectionId = '' }) => ConnectionId}
        columns={[
          {
            head: t('player'),
            cell: ({ PlayerId = '' }) => (
              <a href={linkTo('player', { game, stage, player: PlayerId })}>
                <Id id={PlayerId} />
              </a>
            ),
          },
          { head: t('connection'), cell: ({ ConnectionId = '' }) => <Id id={ConnectionId} isShort /> },
          { head: t('unprovenAtNode'), cell: ({ Node = '' }) => <Id id={Node} isShort /> },
        ]}
        empty={<p>{t(SilentNodes.length === 0 ? 'noFailures' : 'silentInstead')}</p>}
      />
      {Unproven > 0 && <p class="muted">{t('failuresFirst', { n: failures.length })}</p>}
    </>
  );
}
