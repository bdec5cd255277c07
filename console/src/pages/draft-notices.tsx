import { Button } from '../parts/button.tsx';
import { Notice } from '../parts/notice.tsx';
import { Id } from '../parts/untrusted.tsx';
import { useSignal } from '../store.ts';
import { counted, t } from '../texts/language.ts';
import { dropLeftDrafts, leftDrafts, takeLeftDrafts } from './drafts.ts';

/** Something was typed here under other keys, perhaps by another person. */
export function LeftDrafts() {
  const all = useSignal(leftDrafts);
  const named = (text: string, key: string) => (all.length === 1 ? text : `${text} ${key}`);
  return all.map(({ key, count }) => (
    <Notice key={key} kind="warning">
      <p>
        {counted('leftDrafts', count)} <Id id={key} />
      </p>
      <div class="actions">
        <Button label={named(t('dropLeftDrafts'), key)} onClick={() => dropLeftDrafts(key)}>
          {t('dropLeftDrafts')}
        </Button>
        <Button label={named(t('takeLeftDrafts'), key)} onClick={() => takeLeftDrafts(key)}>
          {t('takeLeftDrafts')}
        </Button>
      </div>
    </Notice>
  ));
}

/** Asks which text is to stay when somebody else has saved another one. */
export function ChangedMeanwhile({
  isBusy,
  isFaulty,
  deploysTo,
  onTheirs,
  onMine,
}: {
  isBusy: boolean;
  /** Whether one's own text cannot be saved as it is. */
  isFaulty: boolean;
  /** The stage to which one's own text is deployed as well, if that was asked for. */
  deploysTo: string | undefined;
  onTheirs: () => void;
  onMine: () => void;
}) {
  return (
    <Notice kind="warning">
      <p>{t('changedMeanwhile')}</p>
      <div class="actions">
        <Button isBusy={isBusy} onClick={onTheirs}>
          {t('loadTheirs')}
        </Button>
        <Button kind="danger" isBusy={isBusy} isDisabled={isFaulty} onClick={onMine}>
          {deploysTo === undefined ? t('saveMine') : t('saveMineAndDeploy', { stage: deploysTo })}
        </Button>
      </div>
    </Notice>
  );
}

/** Asks whether to restore what somebody else has deleted while it was edited. */
export function DeletedMeanwhile({
  isBusy,
  onDrop,
  onAnew,
}: {
  isBusy: boolean;
  onDrop: () => void;
  onAnew: () => void;
}) {
  return (
    <Notice kind="warning">
      <p>{t('deletedMeanwhile')}</p>
      <div class="actions">
        <Button isBusy={isBusy} onClick={onDrop}>
          {t('dropMine')}
        </Button>
        <Button kind="primary" needs={['UpdateGameConfiguration']} isBusy={isBusy} onClick={onAnew}>
          {t('makeAnew')}
        </Button>
      </div>
    </Notice>
  );
}
