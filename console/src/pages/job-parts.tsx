import type { Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge } from '../parts/page.tsx';
import { Shares } from '../parts/shares.tsx';
import { Time } from '../parts/time.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { say } from '../said.ts';
import { counted, formatNumber, formatTime, t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';

export type Job = Outputs['GetDisconnectJob']['Job'];
type State = NonNullable<Job['State']>;

const STATES = {
  AWAITING_CONFIRMATION: ['warning', 'jobAwaiting'],
  PENDING: ['plain', 'jobPending'],
  IN_PROGRESS: ['warning', 'jobRunning'],
  PAUSING: ['plain', 'jobPausing'],
  PAUSED: ['plain', 'jobPaused'],
  CANCELLING: ['plain', 'jobCancelling'],
  CANCELLED: ['plain', 'jobCancelled'],
  COMPLETED: ['good', 'jobCompleted'],
  FAILED: ['bad', 'jobFailed'],
} as const satisfies Record<State, readonly [string, string]>;

/** States in which a job changes by itself, so that it is worth looking often. */
const AT_WORK: readonly State[] = ['PENDING', 'IN_PROGRESS', 'PAUSING', 'CANCELLING'];

export const isAtWork = ({ State: state = 'COMPLETED' }: Job) => AT_WORK.includes(state);

/** How often a page looks at jobs, by whether one of them is at work. */
export const lookMs = (isAnyAtWork: boolean) => (isAnyAtWork ? 1_000 : 4_000);

export function JobState({ job: { State: state = 'PENDING' } }: { job: Job }) {
  return <Badge kind={STATES[state][0]}>{t(STATES[state][1])}</Badge>;
}

export function JobProgress({ job }: { job: Job }) {
  const { Closed: closed = 0, GoneAlready: gone = 0, Unproven: unproven = 0, Connections: meant = 0 } = job;
  const done = closed + gone + unproven;
  const total = Math.max(meant, done);
  return (
    <>
      <Shares
        label={t('progressLabel', { closed, gone, unproven, total })}
        total={total}
        parts={[
          ['good', closed],
          ['plain', gone],
          ['bad', unproven],
        ]}
      />
      <small class="muted">{t('progressOf', { done, total })}</small>
    </>
  );
}

/** Ids of runtimes begin with a time, and are told apart by their ends. */
const SHORT_ID = 12;

type ShownSelector = NonNullable<Job['Selector']>;
type Meant = { readonly [K in keyof ShownSelector]: ShownSelector[K] | undefined };

/** Says in words which players a job means, or would mean if it were started. */
export function Whom({
  job: { Selector: meant = {} },
  isWhole = false,
}: {
  job: { readonly Selector?: Meant };
  isWhole?: boolean;
}) {
  const named = (id: string) => (isWhole || id.length <= SHORT_ID ? id : `…${id.slice(-SHORT_ID)}`);
  const words = [
    meant.Everybody && t('everybody'),
    meant.NamedPlayers !== undefined && meant.NamedPlayers > 0 && counted('namedPlayers', meant.NamedPlayers),
    meant.RuntimeId !== undefined &&
      (meant.RuntimeId === 'OLDER' ? t('olderRuntimes') : t('selectorRuntime', { runtime: named(meant.RuntimeId) })),
    meant.BeforeRuntimeId !== undefined && t('selectorBeforeRuntime', { runtime: named(meant.BeforeRuntimeId) }),
    meant.PlayerIdPrefix !== undefined && t('prefixOf', { prefix: meant.PlayerIdPrefix }),
    meant.ConnectedBefore !== undefined && t('selectorBefore', { time: formatTime(meant.ConnectedBefore) }),
    meant.ConnectedSince !== undefined && t('selectorSince', { time: formatTime(meant.ConnectedSince) }),
    meant.Address !== undefined && t('selectorAddress', { address: meant.Address }),
    meant.Node !== undefined && t('selectorNode', { node: named(meant.Node) }),
  ];
  return <Untrusted text={words.filter(Boolean).join(', ')} />;
}

/** What is decided about a job in a dialog. */
export interface Decision {
  readonly kind: 'cancel' | 'confirm' | 'pause' | 'resume';
  readonly job: Job;
}

/** What can be done with the job in the state that it is in. */
export function JobActions({
  job,
  onDecide,
  onChanged,
}: {
  job: Job;
  onDecide: (decision: Decision) => void;
  /**
   * Called when it was paused or resumed at once. Undefined in a list, where another job may move to where a person
   * clicks: there, a dialog first says which job it is.
   */
  onChanged?: () => void;
}) {
  const pause = useAction('PauseDisconnectJob');
  const resume = useAction('ResumeDisconnectJob');
  const { State: state } = job;
  const input = inputOf(job);
  const named = (action: string) => `${action} ${job.JobId}`;
  const pauseName = t(onChanged === undefined ? 'pauseJobOpen' : 'pauseJob');
  const resumeName = t(onChanged === undefined ? 'resumeJobOpen' : 'resumeJob');
  const mayPause = state === 'PENDING' || state === 'IN_PROGRESS';
  const mayResume = state === 'PAUSED' || state === 'PAUSING';
  const isWaiting = state === 'AWAITING_CONFIRMATION';
  return (
    <>
      <div class="actions">
        {isWaiting && (
          <Button
            label={named(t('confirmJob'))}
            needs={['ConfirmDisconnectJob']}
            onClick={() => onDecide({ kind: 'confirm', job })}
          >
            {t('confirmJob')}
          </Button>
        )}
        {mayPause && (
          <Button
            label={named(pauseName)}
            needs={['PauseDisconnectJob']}
            isBusy={pause.isBusy}
            onClick={async () => {
              if (onChanged === undefined) onDecide({ kind: 'pause', job });
              else if ((await pause.run(input)) !== undefined) {
                say(t('jobPausedNow'));
                onChanged();
              }
            }}
          >
            {pauseName}
          </Button>
        )}
        {mayResume && (
          <Button
            label={named(resumeName)}
            needs={['ResumeDisconnectJob']}
            isBusy={resume.isBusy}
            onClick={async () => {
              if (onChanged === undefined) onDecide({ kind: 'resume', job });
              else if ((await resume.run(input)) !== undefined) {
                say(t('jobResumedNow'));
                onChanged();
              }
            }}
          >
            {resumeName}
          </Button>
        )}
        {(isWaiting || mayPause || mayResume) && (
          <Button
            kind="danger"
            label={named(t('stopJob'))}
            needs={['CancelDisconnectJob']}
            onClick={() => onDecide({ kind: 'cancel', job })}
          >
            {t('stopJob')}
          </Button>
        )}
      </div>
      <Failure error={pause.error ?? resume.error} />
    </>
  );
}

function inputOf({ JobId = '' }: Job) {
  const { game, stage } = place.get();
  return { GameName: game, StageName: stage, JobId };
}

export function DecisionDialog({
  decision: { kind, job },
  ...rest
}: { decision: Decision } & Omit<DialogProps, 'job'>) {
  switch (kind) {
    case 'cancel':
      return <CancelDialog job={job} {...rest} />;
    case 'confirm':
      return <ConfirmDialog job={job} {...rest} />;
    default:
      return <PauseDialog kind={kind} job={job} {...rest} />;
  }
}

interface DialogProps {
  readonly job: Job;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Which job it is: several may mean the same players. */
function Which({ job }: { job: Job }) {
  return (
    <>
      <p class="subject">
        <Whom job={job} />
      </p>
      <p class="muted">
        {t('startedBy')} <Untrusted text={job.StartedBy ?? '–'} />, <Time at={job.Created} /> · <Rate job={job} />
      </p>
    </>
  );
}

const PAUSES = {
  pause: {
    operation: 'PauseDisconnectJob',
    name: 'pauseJobNow',
    words: 'pauseJobExplained',
    button: 'primary',
    done: 'jobPausedNow',
  },
  resume: {
    operation: 'ResumeDisconnectJob',
    name: 'resumeJobNow',
    words: 'resumeJobExplained',
    button: 'danger',
    done: 'jobResumedNow',
  },
} as const;

function PauseDialog({ kind, job, onClose, onDone }: DialogProps & { readonly kind: keyof typeof PAUSES }) {
  const { operation, name, words, button, done } = PAUSES[kind];
  const action = useAction(operation);
  return (
    <Confirm
      title={t(name)}
      action={t(name)}
      kind={button}
      needs={[operation]}
      isBusy={action.isBusy}
      error={action.error}
      onClose={onClose}
      onConfirm={async () => {
        if ((await action.run(inputOf(job))) === undefined) return;
        say(t(done));
        onDone();
        onClose();
      }}
    >
      <Which job={job} />
      <p>{t(words)}</p>
    </Confirm>
  );
}

function CancelDialog({ job, onClose, onDone }: DialogProps) {
  const cancel = useAction('CancelDisconnectJob');
  return (
    <Confirm
      title={t('stopJobNow')}
      action={t('stopJobNow')}
      needs={['CancelDisconnectJob']}
      isBusy={cancel.isBusy}
      error={cancel.error}
      onClose={onClose}
      onConfirm={async () => {
        if ((await cancel.run(inputOf(job))) === undefined) return;
        say(t('jobCancelledNow'));
        onDone();
        onClose();
      }}
    >
      <Which job={job} />
      <p>{t('stopJobExplained')}</p>
    </Confirm>
  );
}

/** The server takes no confirmation from the person who started the job, and says so in its own words. */
function ConfirmDialog({ job, onClose, onDone }: DialogProps) {
  const confirm = useAction('ConfirmDisconnectJob');
  const { Connections = 0, Players = 0, StartedBy = '', Created = '' } = job;
  return (
    <Confirm
      title={t('confirmJobTitle')}
      action={counted('confirmJobNow', Connections)}
      needs={['ConfirmDisconnectJob']}
      isBusy={confirm.isBusy}
      error={confirm.error}
      onClose={onClose}
      onConfirm={async () => {
        if ((await confirm.run(inputOf(job))) === undefined) return;
        say(t('jobConfirmedNow'));
        onDone();
        onClose();
      }}
    >
      <p class="subject">
        <Whom job={job} />
      </p>
      <Notice kind="warning">
        <p>
          <strong>
            {t('wouldEnd', {
              connections: counted('connectionOpen', Connections),
              players: counted('ofPlayers', Players),
            })}
          </strong>
        </p>
        <p>
          <Untrusted text={t('confirmJobExplained', { actor: StartedBy, time: formatTime(Created) })} />
        </p>
      </Notice>
    </Confirm>
  );
}

export function Rate({ job: { RatePerSecond } }: { job: Job }) {
  return <>{RatePerSecond === undefined ? '–' : t('rateOf', { n: formatNumber(RatePerSecond) })}</>;
}
