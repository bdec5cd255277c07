import { useState } from 'preact/hooks';
import type { Inputs, Outputs } from '../api/operations.ts';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter, CloseFooter } from '../parts/dialog-footer.tsx';
import { CheckField, SelectField } from '../parts/fields.tsx';
import { Copied, Failure, Notice } from '../parts/notice.tsx';
import { Badge } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { onServer } from '../session.ts';
import { counted, t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';
import { useIsGone } from '../use-is-gone.ts';
import { BLOCK_TIMES } from './durations.ts';
import { sayEnded } from './ended-notice.tsx';
import { NO_WORDING, type Wording, WordingFields, wordingMembers } from './wording-fields.tsx';

type Kicked = NonNullable<Outputs['DisconnectPlayer']['Connections']>[number];

interface Wish extends Wording {
  readonly blockSeconds: string;
  readonly wantsReceipt: boolean;
}

const NOTHING: Wish = { ...NO_WORDING, blockSeconds: '', wantsReceipt: true };

/**
 * Sends a player away in three steps: what to say, what it will do, what it has done. The second is the server's own
 * dry run, so a person confirms what the server would do, and not what this page believes or what was typed while the
 * server was asked.
 */
export function KickDialog({
  player,
  connectionId,
  onClose,
  onDone,
}: {
  player: string;
  /** Only this connection; all of them when it is undefined. */
  connectionId?: string | undefined;
  onClose: () => void;
  onDone: () => void;
}) {
  const [wish, setWish] = useState(NOTHING);
  const preview = useAction('DisconnectPlayer');
  const kick = useAction('DisconnectPlayer');
  const isGone = useIsGone();
  const [order, setOrder] = useState<Inputs['DisconnectPlayer']>();
  const { game, stage } = place.get();
  const input: Inputs['DisconnectPlayer'] = {
    GameName: game,
    StageName: stage,
    PlayerId: player,
    ...wordingMembers(wish),
    ...(connectionId !== undefined && { ConnectionIds: [connectionId] }),
    ...(wish.blockSeconds !== '' && { BlockSeconds: Number(wish.blockSeconds) }),
    Details: true,
  };
  const title = connectionId === undefined ? t('kickPlayer') : t('kickConnection');
  return (
    <Dialog title={title} onClose={onClose}>
      <p class="subject">
        <Id id={player} />
        {connectionId !== undefined && (
          <>
            {' · '}
            <Id id={connectionId} />
          </>
        )}
      </p>
      {kick.data !== undefined ? (
        <Outcome done={kick.data} onClose={onClose} />
      ) : preview.data !== undefined && order !== undefined ? (
        <Preview
          preview={preview.data}
          order={order}
          isBusy={kick.isBusy}
          isTried={kick.error !== undefined}
          onBack={() => {
            preview.reset();
            kick.reset();
          }}
          onConfirm={async () => {
            const kicked = await kick.run({ ...order, ...(wish.wantsReceipt && { Receipt: true }) });
            onDone();
            if (kicked !== undefined && isGone()) sayEnded('kickedLater', player, kicked);
          }}
        >
          <Failure error={kick.error} />
        </Preview>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setOrder(input);
            void preview.run({ ...input, DryRun: true });
          }}
        >
          <WishFields wish={wish} onWish={setWish} mayBlock={connectionId === undefined} />
          <Failure error={preview.error} />
          <ActionFooter
            onLeave={onClose}
            action={t('showWhatHappens')}
            needs={['DisconnectPlayer']}
            isBusy={preview.isBusy}
          />
        </form>
      )}
    </Dialog>
  );
}

function WishFields({ wish, onWish, mayBlock }: { wish: Wish; onWish: (wish: Wish) => void; mayBlock: boolean }) {
  const set = (change: Partial<Wish>) => onWish({ ...wish, ...change });
  return (
    <>
      <WordingFields wording={wish} onChange={set} />
      {mayBlock && (
        <SelectField
          label={t('blockToo')}
          value={wish.blockSeconds}
          onValue={(blockSeconds) => set({ blockSeconds })}
          options={[['', t('blockNot')], ...BLOCK_TIMES.map(([seconds, key]) => [`${seconds}`, t(key)] as const)]}
        />
      )}
      <CheckField
        label={t('wantsReceipt')}
        hint={t('receiptHint')}
        isChecked={wish.wantsReceipt}
        onCheck={(wantsReceipt) => set({ wantsReceipt })}
      />
    </>
  );
}

function Preview({
  preview: { Connections = [] },
  order: { BlockSeconds, Reason, Message, Evidence },
  isBusy,
  isTried,
  onBack,
  onConfirm,
  children,
}: {
  preview: Outputs['DisconnectPlayer'];
  /** What is repeated, so that the person who confirms reads it once more. */
  order: Inputs['DisconnectPlayer'];
  isBusy: boolean;
  /** Whether the server was told to do it, and has not said that it did. */
  isTried: boolean;
  onBack: () => void;
  onConfirm: () => Promise<void>;
  children: preact.ComponentChildren;
}) {
  const closing = Connections.filter(({ Outcome: outcome }) => outcome === 'WOULD_CLOSE').length;
  const blocks = BlockSeconds !== undefined;
  // A dry run blocks nobody, so the server does not say until when.
  const [openedAt] = useState(Date.now);
  const [, time] = BLOCK_TIMES.find(([seconds]) => seconds === BlockSeconds) ?? [];
  const wording = [
    ['reason', Reason],
    ['messageToPlayer', Message],
    ['evidence', Evidence],
  ] as const;
  return (
    <>
      <Notice kind="warning">
        <p>
          <strong>{counted('wouldClose', closing)}</strong>
          {blocks && (
            <>
              {' '}
              {t('wouldBlock', { time: time === undefined ? '' : t(time) })}{' '}
              <Time at={new Date(onServer(openedAt) + BlockSeconds * 1_000).toISOString()} />.
            </>
          )}
        </p>
        {!isTried && <p>{t('nothingDoneYet')}</p>}
      </Notice>
      {wording.some(([, text]) => text !== undefined) && (
        <dl class="facts">
          {wording.map(
            ([name, text]) =>
              text !== undefined && (
                <div key={name}>
                  <dt>{t(name)}</dt>
                  <dd>
                    <Untrusted text={text} keepsLines />
                  </dd>
                </div>
              ),
          )}
        </dl>
      )}
      <ConnectionTable rows={Connections} />
      {children}
      <ActionFooter
        leave={t('back')}
        onLeave={onBack}
        action={blocks ? counted('kickAndBlock', closing) : counted('kickNow', closing)}
        kind="danger"
        needs={blocks ? ['DisconnectPlayer', 'BlockPlayer'] : ['DisconnectPlayer']}
        isBusy={isBusy}
        onAction={onConfirm}
      />
    </>
  );
}

/** What was done to each connection, and how that is known. */
function Outcome({ done, onClose }: { done: Outputs['DisconnectPlayer']; onClose: () => void }) {
  const { Connections = [], DisconnectFailures = [], DisconnectSuccesses = [] } = done;
  const isWhole = DisconnectFailures.length === 0;
  return (
    <>
      <Notice kind={isWhole ? 'good' : 'bad'}>
        <p>
          <strong>{counted('closedNow', DisconnectSuccesses.length)}</strong>{' '}
          {!isWhole && counted('unprovenNow', DisconnectFailures.length)}
          {done.Blocked && (
            <>
              {t('blockedUntil')} <Time at={done.BlockedUntil} />
            </>
          )}
        </p>
        {done.OperationId !== undefined && (
          <p class="muted">
            {t('onRecordAs')} <Copied text={done.OperationId} />
          </p>
        )}
      </Notice>
      <ConnectionTable rows={Connections} />
      {done.ReceiptMissing !== undefined && <Notice kind="warning">{done.ReceiptMissing}</Notice>}
      <CloseFooter onClose={onClose}>
        {done.Receipt !== undefined && (
          <a class="button plain" download="receipt.jws" href={receiptUrl(done.Receipt)}>
            {t('saveReceipt')}
          </a>
        )}
      </CloseFooter>
    </>
  );
}

const receiptUrl = (receipt: string) => URL.createObjectURL(new Blob([receipt], { type: 'application/jose' }));

function ConnectionTable({ rows }: { rows: readonly Kicked[] }) {
  return (
    <Table
      title={t('connections')}
      answer={{ error: undefined, isLoading: false }}
      rows={rows}
      keyOf={({ Id: id = '' }) => id}
      columns={[
        { head: t('connection'), cell: ({ Id: id = '' }) => <Id id={id} /> },
        { head: t('outcome'), cell: ({ Outcome: outcome }) => <OutcomeBadge outcome={outcome} /> },
        { head: t('proof'), cell: ({ Proof: proof }) => (proof === undefined ? '–' : t(PROOFS[proof])) },
        { head: t('closedAt'), isMinor: true, cell: ({ ClosedAt: at }) => <Time at={at} /> },
      ]}
      empty={<p>{t('noConnections')}</p>}
    />
  );
}

const PROOFS = {
  CLOSE_FRAME_ACCEPTED: 'proofCloseFrame',
  SOCKET_DESTROYED: 'proofDestroyed',
  ALREADY_ENDED: 'proofEnded',
  NOT_LISTED: 'proofNotListed',
  OWNER_DEAD: 'proofOwnerDead',
} as const satisfies Record<NonNullable<Kicked['Proof']>, string>;

function OutcomeBadge({ outcome }: { outcome: Kicked['Outcome'] }) {
  switch (outcome) {
    case 'CLOSED':
      return <Badge kind="good">{t('outcomeClosed')}</Badge>;
    case 'GONE_ALREADY':
      return <Badge kind="plain">{t('outcomeGone')}</Badge>;
    case 'UNPROVEN':
      return <Badge kind="bad">{t('outcomeUnproven')}</Badge>;
    case 'WOULD_CLOSE':
      return <Badge kind="warning">{t('outcomeWouldClose')}</Badge>;
    default:
      return <>–</>;
  }
}
