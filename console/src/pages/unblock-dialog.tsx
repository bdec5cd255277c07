import { Confirm } from '../parts/confirm.tsx';
import { Id } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { say } from '../said.ts';
import { t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';

/** Ends the block of a player in this stage, or in the whole game. */
export function UnblockDialog({
  player,
  isInGame,
  onClose,
  onDone,
}: {
  player: string;
  isInGame: boolean;
  onClose: () => void;
  onDone: () => void;
}) {
  const { game, stage } = place.get();
  const inStage = useAction('UnblockPlayer');
  const inGame = useAction('UnblockPlayerInGame');
  const { isBusy, error } = isInGame ? inGame : inStage;
  const input = { GameName: game, PlayerId: player };
  const where = isInGame ? t('inGame', { game }) : t('inStage', { stage });
  return (
    <Confirm
      title={t('unblock')}
      action={t('unblock')}
      kind="primary"
      needs={[isInGame ? 'UnblockPlayerInGame' : 'UnblockPlayer']}
      isBusy={isBusy}
      error={error}
      onClose={onClose}
      onConfirm={async () => {
        const done = await (isInGame ? inGame.run(input) : inStage.run({ ...input, StageName: stage }));
        if (done === undefined) return;
        say(t('unblocked', { player, place: where }));
        onDone();
        onClose();
      }}
    >
      <p class="subject">
        <Id id={player} />
      </p>
      <p>{t('unblockExplained', { place: where })}</p>
    </Confirm>
  );
}
