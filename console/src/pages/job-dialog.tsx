import { useState } from 'preact/hooks';
import type { Inputs, Outputs } from '../api/operations.ts';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter } from '../parts/dialog-footer.tsx';
import { AreaField, SelectField, TextField } from '../parts/fields.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Table } from '../parts/table.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { goTo } from '../route.ts';
import { counted, formatDuration, formatNumber, t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';
import { useIsGone } from '../use-is-gone.ts';
import { Whom } from './job-parts.tsx';
import { NO_WORDING, type Wording, WordingFields, wordingMembers } from './wording-fields.tsx';

type Selector = Inputs['StartDisconnectJob']['Selector'];

interface Wish extends Wording {
  readonly whom: 'everybody' | 'some';
  readonly runtime: string;
  readonly playerIds: string;
  readonly prefix: string;
  readonly before: string;
  readonly since: string;
  readonly address: string;
  readonly node: string;
  readonly rate: string;
  readonly returnWithin: string;
}

const NOTHING: Wish = {
  whom: 'some',
  ...{ runtime: '', playerIds: '', prefix: '', before: '', since: '', address: '', node: '' },
  ...{ ...NO_WORDING, rate: '', returnWithin: '' },
};

/** The server's rate when none is given. */
const USUAL_RATE = 500;
const REASONS = ['UPDATE', 'MAINTENANCE', 'BOTS'];
const RETURN_SECONDS = [30, 60, 120, 300, 600, 3_600];

/**
 * Starts a job in two steps: whom to disconnect and how, and then what that would do. The second is the server's own
 * dry run. What it was asked about is what is started, even if a person types on while the server counts.
 */
export function JobDialog({ onClose }: { onClose: () => void }) {
  const [wish, setWish] = useState(NOTHING);
  const preview = useAction('StartDisconnectJob');
  const start = useAction('StartDisconnectJob');
  const { game, stage } = place.get();
  const isGone = useIsGone();
  const [isUnsaid, setUnsaid] = useState(false);
  const [order, setOrder] = useState<Inputs['StartDisconnectJob']>();
  const input = { GameName: game, StageName: stage, ...orderOf(wish) };
  const meansNobody = Object.keys(input.Selector).length === 0;
  return (
    <Dialog title={t('startJob')} onClose={onClose}>
      {preview.data === undefined || order === undefined ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setUnsaid(meansNobody);
            if (meansNobody) return;
            setOrder({ ...input, ClientToken: newClientToken() });
            void preview.run({ ...input, DryRun: true });
          }}
        >
          <WhomFields wish={wish} onWish={setWish} />
          <HowFields wish={wish} onWish={setWish} />
          {isUnsaid && meansNobody ? (
            <Notice kind="bad">{t('jobMeansNobody')}</Notice>
          ) : (
            <Failure error={preview.error} />
          )}
          <ActionFooter
            onLeave={onClose}
            action={t('showWhatHappens')}
            needs={['StartDisconnectJob']}
            isBusy={preview.isBusy}
          />
        </form>
      ) : (
        <>
          <Meant order={order} />
          <Preview found={preview.data} rate={order.RatePerSecond ?? USUAL_RATE} isTried={start.error !== undefined} />
          <Failure error={start.error} />
          <ActionFooter
            leave={t('back')}
            onLeave={() => {
              preview.reset();
              start.reset();
            }}
            action={counted('startJobNow', preview.data.Connections ?? 0)}
            kind="danger"
            needs={['StartDisconnectJob']}
            isBusy={start.isBusy}
            isDisabled={preview.data.Connections === 0}
            onAction={async () => {
              const done = await start.run(order);
              // A person who has opened another page meanwhile must not be taken away from it.
              if (done?.Job !== undefined && !isGone()) goTo('job', { game, stage, job: done.Job.JobId });
            }}
          />
        </>
      )}
    </Dialog>
  );
}

/** With this token, pressing again after a lost answer starts no second job. */
function newClientToken(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Shows what the server was asked, and about which players, so that the person who confirms reads it once more. */
function Meant({
  order: { GameName, StageName, Selector, Reason, Message, Evidence, ReturnWithinSeconds: seconds },
}: {
  order: Inputs['StartDisconnectJob'];
}) {
  const { PlayerIds, ...filters } = Selector;
  const facts = [
    ['whom', <Whom key="whom" job={{ Selector: { ...filters, NamedPlayers: PlayerIds?.length ?? 0 } }} isWhole />],
    ['where', t('itsStage', { game: GameName, stage: StageName })],
    ['comeBack', seconds && t('comeBackWithin', { time: formatDuration(seconds * 1_000) })],
    ['reason', Reason && <Untrusted text={Reason} />],
    ['messageToPlayer', Message && <Untrusted text={Message} keepsLines />],
    ['evidence', Evidence && <Untrusted text={Evidence} keepsLines />],
  ] as const;
  return (
    <dl class="facts">
      {facts.map(
        ([name, fact]) =>
          fact !== undefined && (
            <div key={name}>
              <dt>{t(name)}</dt>
              <dd>{fact}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

function orderOf(wish: Wish): Omit<Inputs['StartDisconnectJob'], 'GameName' | 'StageName'> {
  const { rate, returnWithin } = wish;
  return {
    Selector: selectorOf(wish),
    ...wordingMembers(wish),
    RatePerSecond: rate === '' ? undefined : Number(rate),
    ReturnWithinSeconds: returnWithin === '' ? undefined : Number(returnWithin),
  };
}

/** Empty where nothing is chosen: the server refuses that, and takes all players only when it is told to. */
function selectorOf({ whom, runtime, playerIds, prefix, before, since, address, node }: Wish): Selector {
  if (whom === 'everybody') return { Everybody: true };
  const ids = playerIds.split(/[\s,]+/).filter(Boolean);
  return {
    ...(runtime !== '' && { RuntimeId: runtime }),
    ...(ids.length > 0 && { PlayerIds: ids }),
    ...(prefix.trim() !== '' && { PlayerIdPrefix: prefix.trim() }),
    ...(before !== '' && { ConnectedBefore: instantOf(before) }),
    ...(since !== '' && { ConnectedSince: instantOf(since) }),
    ...(address.trim() !== '' && { Address: address.trim() }),
    ...(node.trim() !== '' && { Node: node.trim() }),
  };
}

/**
 * A field takes years of six digits, which are no valid time. It is sent all the same, for the server to refuse: left
 * out, the job would mean others, too.
 */
function instantOf(local: string): string {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? local : at.toISOString();
}

interface FieldsProps {
  readonly wish: Wish;
  readonly onWish: (wish: Wish) => void;
}

function WhomFields({ wish, onWish }: FieldsProps) {
  const set = (change: Partial<Wish>) => onWish({ ...wish, ...change });
  return (
    <>
      <SelectField
        label={t('whom')}
        value={wish.whom}
        onValue={(whom) => set({ whom: whom === 'everybody' ? 'everybody' : 'some' })}
        options={[
          ['some', t('selectorOther')],
          ['everybody', t('everybody')],
        ]}
      />
      {wish.whom === 'some' && (
        <>
          <div class="pairs">
            <SelectField
              label={t('runtime')}
              value={wish.runtime}
              onValue={(runtime) => set({ runtime })}
              options={[
                ['', t('any')],
                ['OLDER', t('runtimeOlder')],
                ['CURRENT', t('runtimeCurrent')],
              ]}
            />
            <TextField
              label={t('playerIdBegins')}
              value={wish.prefix}
              onValue={(prefix) => set({ prefix })}
              maxLength={44}
            />
            <TextField
              label={t('connectedBefore')}
              type="datetime-local"
              value={wish.before}
              onValue={(before) => set({ before })}
            />
            <TextField
              label={t('connectedSince')}
              type="datetime-local"
              value={wish.since}
              onValue={(since) => set({ since })}
            />
            <TextField
              label={t('address')}
              value={wish.address}
              onValue={(address) => set({ address })}
              maxLength={49}
              placeholder="203.0.113.0/24"
            />
            <TextField label={t('node')} value={wish.node} onValue={(node) => set({ node })} maxLength={36} />
          </div>
          <AreaField
            label={t('playerIds')}
            rows={2}
            hint={t('playerIdsHint')}
            value={wish.playerIds}
            onValue={(playerIds) => set({ playerIds })}
          />
        </>
      )}
    </>
  );
}

function HowFields({ wish, onWish }: FieldsProps) {
  const set = (change: Partial<Wish>) => onWish({ ...wish, ...change });
  return (
    <>
      <div class="pairs">
        <TextField
          label={t('rate')}
          hint={t('rateHint')}
          type="number"
          value={wish.rate}
          onValue={(rate) => set({ rate })}
          placeholder={`${USUAL_RATE}`}
        />
        <SelectField
          label={t('comeBack')}
          hint={t('comeBackHint')}
          value={wish.returnWithin}
          onValue={(returnWithin) => set({ returnWithin })}
          options={[
            ['', t('comeBackNot')],
            ...RETURN_SECONDS.map(
              (seconds) => [`${seconds}`, t('comeBackWithin', { time: formatDuration(seconds * 1_000) })] as const,
            ),
          ]}
        />
      </div>
      <WordingFields wording={wish} onChange={set} reasons={REASONS} rows={2} />
    </>
  );
}

function Preview({
  found,
  rate,
  isTried,
}: {
  found: Outputs['StartDisconnectJob'];
  rate: number;
  /** Whether the server was told to begin, and has not said that it did. */
  isTried: boolean;
}) {
  const { Connections = 0, Players = 0, Nodes = [] } = found;
  return (
    <>
      <Notice kind="warning">
        {Connections === 0 ? (
          <p>
            <strong>{t('meansNobody')}</strong>
          </p>
        ) : (
          <p>
            <strong>
              {t('wouldEnd', {
                connections: counted('connectionOpen', Connections),
                players: counted('ofPlayers', Players),
              })}
            </strong>{' '}
            {t('jobTakes', { time: formatDuration(Math.ceil(Connections / rate) * 1_000) })}
          </p>
        )}
        {!isTried && <p>{t('nothingDoneYet')}</p>}
      </Notice>
      <Table
        title={t('nodes')}
        answer={{ error: undefined, isLoading: false }}
        rows={Nodes}
        keyOf={({ Node = '' }) => Node}
        columns={[
          { head: t('node'), cell: ({ Node = '' }) => <Id id={Node} /> },
          { head: t('connections'), isNumber: true, cell: ({ Connections: n = 0 }) => formatNumber(n) },
          { head: t('players'), isNumber: true, cell: ({ Players: n = 0 }) => formatNumber(n) },
        ]}
        empty={<p>{t('nobodyOnline')}</p>}
      />
    </>
  );
}
