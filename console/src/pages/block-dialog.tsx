import { useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Confirm } from '../parts/confirm.tsx';
import { AreaField, SelectField, TextField } from '../parts/fields.tsx';
import { Notice } from '../parts/notice.tsx';
import { Time } from '../parts/time.tsx';
import { Id } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { counted, t } from '../texts/language.ts';
import { useAction, useCall } from '../use-call.ts';
import { BLOCK_TIMES } from './durations.ts';
import { EndedNotice } from './ended-notice.tsx';
import { REASONS } from './reasons.ts';

/** Keeps a player out of this stage or of the whole game. The number of connections that end is said before and after. */
export function BlockDialog({
  player: given,
  onClose,
  onDone,
}: {
  /** Undefined where the player is named in the dialog. */
  player?: string;
  onClose: () => void;
  onDone: () => void;
}) {
  const { game, stage } = place.get();
  const [player, setPlayer] = useState(given ?? '');
  const [seconds, setSeconds] = useState('86400');
  const [isInGame, setInGame] = useState('stage');
  const [reason, setReason] = useState('');
  const [message, setMessage] = useState('');
  const [evidence, setEvidence] = useState('');
  const inStage = useAction('BlockPlayer');
  const inGame = useAction('BlockPlayerInGame');
  const block = isInGame === 'game' ? inGame : inStage;
  const named = player.trim();
  const status = useCall(
    'GetPlayerConnectionStatus',
    named === '' ? undefined : { GameName: game, StageName: stage, PlayerId: named },
  );
  const online = status.data?.Connections?.length;

  async function confirm(): Promise<void> {
    const wording = {
      Reason: reason.trim() || undefined,
      Message: message.trim() || undefined,
      Evidence: evidence.trim() || undefined,
      Seconds: seconds === '' ? undefined : Number(seconds),
    };
    const input = { GameName: game, PlayerId: named, ...wording };
    const done = await (isInGame === 'game' ? inGame.run(input) : inStage.run({ ...input, StageName: stage }));
    if (done !== undefined) onDone();
  }

  const where = isInGame === 'game' ? t('inGame', { game }) : t('inStage', { stage });
  return (
    <Confirm
      title={t('blockPlayer')}
      action={online === undefined ? t('block') : counted('blockAndClose', online)}
      needs={[isInGame === 'game' ? 'BlockPlayerInGame' : 'BlockPlayer']}
      isBusy={block.isBusy}
      error={block.error}
      outcome={block.data && <Blocked player={named} where={where} done={block.data} />}
      onConfirm={confirm}
      onClose={onClose}
    >
      <TextField label={t('playerId')} value={player} onValue={setPlayer} isRequired maxLength={44} />
      <SelectField
        label={t('where')}
        value={isInGame}
        onValue={setInGame}
        options={[
          ['stage', t('inStage', { stage })],
          ['game', t('inGame', { game })],
        ]}
      />
      <SelectField
        label={t('forHowLong')}
        value={seconds}
        onValue={setSeconds}
        options={[...BLOCK_TIMES.map(([value, key]) => [`${value}`, t(key)] as const), ['', t('forGood')]]}
      />
      <TextField
        label={t('reason')}
        hint={t('reasonHint')}
        value={reason}
        onValue={setReason}
        maxLength={64}
        suggestions={REASONS}
      />
      <AreaField label={t('messageToPlayer')} value={message} onValue={setMessage} maxLength={500} />
      <AreaField
        label={t('evidence')}
        hint={t('evidenceHint')}
        value={evidence}
        onValue={setEvidence}
        maxLength={4_096}
      />
      {online !== undefined && (
        <Notice kind="warning">
          <p>
            {counted('wouldClose', online)} {t('blockExplained')}
          </p>
        </Notice>
      )}
    </Confirm>
  );
}

function Blocked({ player, where, done }: { player: string; where: string; done: Outputs['BlockPlayer'] }) {
  const until = done.Block?.Until;
  return (
    <>
      <p class="subject">
        <Id id={player} />
      </p>
      <EndedNotice done={done}>
        <strong>
          {until === undefined ? (
            t('blockedForGood')
          ) : (
            <>
              {t('blockedUntil')} <Time at={until} />
            </>
          )}{' '}
          {where}.
        </strong>
      </EndedNotice>
    </>
  );
}
