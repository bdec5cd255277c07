import { useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Confirm } from '../parts/confirm.tsx';
import { SelectField, TextField } from '../parts/fields.tsx';
import { Notice } from '../parts/notice.tsx';
import { Time } from '../parts/time.tsx';
import { Id } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { counted, t } from '../texts/language.ts';
import { useAction, useCall } from '../use-call.ts';
import { useIsGone } from '../use-is-gone.ts';
import { BLOCK_TIMES } from './durations.ts';
import { EndedNotice, sayEnded } from './ended-notice.tsx';
import { NO_WORDING, WordingFields, wordingMembers } from './wording-fields.tsx';

/** Keeps a player out of this stage or of the whole game. Before and after, it says how many connections end. */
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
  const [where, setWhere] = useState('stage');
  const [wording, setWording] = useState(NO_WORDING);
  const inStage = useAction('BlockPlayer');
  const inGame = useAction('BlockPlayerInGame');
  const isGone = useIsGone();
  const done = inStage.data ?? inGame.data;
  const named = player.trim();
  const status = useCall(
    'GetPlayerConnectionStatus',
    named === '' ? undefined : { GameName: game, StageName: stage, PlayerId: named },
  );
  const online = status.data?.Connections?.length;
  const isInGame = where === 'game';

  async function confirm(): Promise<void> {
    const input = {
      GameName: game,
      PlayerId: named,
      ...wordingMembers(wording),
      Seconds: seconds === '' ? undefined : Number(seconds),
    };
    const blocked = await (isInGame ? inGame.run(input) : inStage.run({ ...input, StageName: stage }));
    if (blocked === undefined) return;
    onDone();
    if (isGone()) sayEnded('blockedLater', named, blocked);
  }

  return (
    <Confirm
      title={t('blockPlayer')}
      // Only the connections to this stage are counted, and a block in the game ends those to all stages.
      action={isInGame || online === undefined ? t('block') : counted('blockAndClose', online)}
      needs={[isInGame ? 'BlockPlayerInGame' : 'BlockPlayer']}
      isBusy={inStage.isBusy || inGame.isBusy}
      error={isInGame ? inGame.error : inStage.error}
      outcome={done && <Blocked done={done} />}
      onConfirm={confirm}
      onClose={onClose}
    >
      <TextField label={t('playerId')} value={player} onValue={setPlayer} isRequired maxLength={44} />
      <SelectField
        label={t('where')}
        value={where}
        onValue={setWhere}
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
      <WordingFields wording={wording} onChange={(change) => setWording((before) => ({ ...before, ...change }))} />
      {(isInGame || online !== undefined) && (
        <Notice kind="warning">
          <p>
            {isInGame || online === undefined ? t('wouldCloseInGame') : counted('wouldClose', online)}{' '}
            {t('blockExplained')}
          </p>
        </Notice>
      )}
    </Confirm>
  );
}

/** Shows whom the server has blocked and where. The fields may name others by now. */
function Blocked({ done }: { done: Outputs['BlockPlayer'] }) {
  const { game } = place.get();
  const { PlayerId: player = '', StageName: stage, Until: until } = done.Block ?? {};
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
          {stage === undefined ? t('inGame', { game }) : t('inStage', { stage })}.
        </strong>
      </EndedNotice>
    </>
  );
}
