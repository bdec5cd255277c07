import { useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { AreaField, CheckField, SelectField } from '../parts/fields.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Time } from '../parts/time.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { say } from '../said.ts';
import { useSignal } from '../store.ts';
import { counted, t } from '../texts/language.ts';
import { useAction, useCall } from '../use-call.ts';
import { CLOSURE_TIMES } from './durations.ts';

/** A closed stage refuses every player, and says until when. */
export function Maintenance() {
  const { game, stage } = useSignal(place);
  const [isOpening, setOpening] = useState(false);
  const [isClosing, setClosing] = useState(false);
  const open = useAction('OpenStageToPlayers');
  const input = { GameName: game, StageName: stage };
  const access = useCall('GetStageAccess', stage === '' ? undefined : input, { everyMs: 5_000 });
  const isOpen = access.data?.IsOpen ?? true;
  const closure = access.data?.Closure;
  return (
    <Page
      title={t('maintenance')}
      actions={
        isOpen ? (
          <Button kind="danger" needs={['CloseStageToPlayers']} onClick={() => setClosing(true)}>
            {t('closeStageOpen')}
          </Button>
        ) : (
          <Button kind="primary" needs={['OpenStageToPlayers']} onClick={() => setOpening(true)}>
            {t('openStageOpen')}
          </Button>
        )
      }
    >
      <Failure error={access.error} />
      {access.data !== undefined && (
        <div class="card">
          <p class="lead">
            {t('stage')} <strong>{stage}</strong>{' '}
            <Badge kind={isOpen ? 'good' : 'warning'}>{isOpen ? t('stageOpen') : t('stageClosed')}</Badge>
          </p>
          <p>{isOpen ? t('stageOpenExplained') : t('stageClosedExplained')}</p>
          {closure?.Until !== undefined && <p>{t('closedWaitsNow')}</p>}
          {closure !== undefined && (
            <dl class="facts">
              <div>
                <dt>{t('until')}</dt>
                <dd>{closure.Until === undefined ? t('untilOpened') : <Time at={closure.Until} />}</dd>
              </div>
              <div>
                <dt>{t('messageToPlayer')}</dt>
                <dd>
                  <Untrusted text={closure.Message ?? '–'} />
                </dd>
              </div>
              <div>
                <dt>{t('by')}</dt>
                <dd>
                  <Untrusted text={closure.Actor ?? ''} />, <Time at={closure.Created} />
                </dd>
              </div>
            </dl>
          )}
        </div>
      )}
      {isClosing && <CloseDialog onClose={() => setClosing(false)} onDone={access.reload} />}
      {isOpening && (
        <Confirm
          title={t('openStage')}
          action={t('openStage')}
          kind="primary"
          needs={['OpenStageToPlayers']}
          isBusy={open.isBusy}
          error={open.error}
          onClose={() => setOpening(false)}
          onConfirm={async () => {
            if ((await open.run(input)) === undefined) return;
            say(t('stageOpenedNow', { stage }));
            access.reload();
            setOpening(false);
          }}
        >
          <p>
            {t('openExplained')} {closure?.Until !== undefined && t('closedWaitsNow')}
          </p>
        </Confirm>
      )}
    </Page>
  );
}

function CloseDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { game, stage } = place.get();
  const [seconds, setSeconds] = useState('1800');
  const [message, setMessage] = useState('');
  const [sendsAway, setSendAway] = useState(false);
  const close = useAction('CloseStageToPlayers');
  const counts = useCall('CountConnections', { GameName: game, StageName: stage }, { everyMs: 3_000 });
  // The button must not show a number that was not counted, or not lately.
  const players = counts.error === undefined ? counts.data?.Players : undefined;
  return (
    <Confirm
      title={t('closeStage')}
      action={
        !sendsAway
          ? t('closeStage')
          : players === undefined
            ? t('closeAndSendAll')
            : counted('closeAndSendAway', players)
      }
      needs={['CloseStageToPlayers']}
      isBusy={close.isBusy}
      error={close.error}
      onClose={onClose}
      onConfirm={async () => {
        const done = await close.run({
          GameName: game,
          StageName: stage,
          Message: message.trim() || undefined,
          Seconds: seconds === '' ? undefined : Number(seconds),
          SendAway: sendsAway,
        });
        if (done === undefined) return;
        say(t('stageClosedNow', { stage }));
        onDone();
        onClose();
      }}
    >
      <SelectField
        label={t('forHowLong')}
        value={seconds}
        onValue={setSeconds}
        options={[...CLOSURE_TIMES.map(([value, key]) => [`${value}`, t(key)] as const), ['', t('untilOpened')]]}
      />
      <AreaField label={t('messageToPlayer')} value={message} onValue={setMessage} maxLength={500} />
      <CheckField label={t('sendAway')} hint={t('sendAwayHint')} isChecked={sendsAway} onCheck={setSendAway} />
      <Notice kind="warning">
        <p>
          {t('closeExplained')} {whatOf(players, sendsAway)}
        </p>
        <p>{seconds === '' ? t('closedTries') : t('closedWaits')}</p>
      </Notice>
    </Confirm>
  );
}

/** Says what becomes of the connected players, whose number may be unknown. */
function whatOf(players: number | undefined, areSentAway: boolean): string {
  if (players === undefined) return t(areSentAway ? 'wouldSendAll' : 'wouldAllStay');
  return areSentAway ? counted('wouldSendAway', players) : counted('wouldStay', players);
}
