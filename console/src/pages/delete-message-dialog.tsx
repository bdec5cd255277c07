import { useState } from 'preact/hooks';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter, CloseFooter } from '../parts/dialog-footer.tsx';
import { CheckField } from '../parts/fields.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { t } from '../texts/language.ts';
import { useAction, useCall } from '../use-call.ts';
import { useIsGone } from '../use-is-gone.ts';
import { type Entry, shortSection } from './configuration-entries.ts';
import { draftName, draftOf, setDraft } from './drafts.ts';
import { type Deletion, deletionOf, removalOf, stateOf } from './message-deletion.ts';

/**
 * Deletes a message with its handler, and with the shapes that only it uses, after naming each of them. They are deleted
 * together, and only as they were when they were named.
 */
export function DeleteMessageDialog({
  entry,
  onClose,
  onDeleted,
}: {
  /** A part of the message. */
  entry: Entry;
  onClose: () => void;
  /** Called with what was deleted here. */
  onDeleted: (deleted: readonly Entry[]) => void;
}) {
  const { game } = place.get();
  const opened = useCall('GetGameConfiguration', { GameName: game });
  const [later, setLater] = useState<Deletion>();
  const [hasShapes, setHasShapes] = useState(true);
  const read = useAction('GetGameConfiguration');
  const update = useAction('UpdateGameConfiguration');
  const isGone = useIsGone();
  const found = opened.data && deletionOf(opened.data.GameConfiguration?.Sections, entry);
  const deletion = later ?? found;
  const deleted = deletion && [...deletion.message, ...(hasShapes ? deletion.shapes : [])];

  async function confirm(shown: Deletion, wanted: readonly Entry[]): Promise<void> {
    const current = await read.run({ GameName: game });
    if (current === undefined) return;
    const now = deletionOf(current.GameConfiguration?.Sections, entry);
    // Only what was shown here is deleted: if somebody else has changed any of it meanwhile, it stays.
    if (stateOf(now) !== stateOf(shown)) return setLater(now);
    if ((await update.run({ GameName: game, Modifications: wanted.map(removalOf) })) === undefined) return;
    for (const each of wanted) setDraft(draftName(game, each), undefined);
    // The user may have opened another page meanwhile, which must not be replaced.
    if (!isGone()) onDeleted(wanted);
  }

  if (deletion?.message.length === 0)
    return (
      <Dialog title={t('deleteMessage')} onClose={onClose}>
        <Notice kind="warning">{t('deletedByOther')}</Notice>
        <CloseFooter onClose={() => onDeleted([])} />
      </Dialog>
    );
  return (
    <Dialog title={t('deleteMessage')} onClose={onClose}>
      <p class="subject">
        <Untrusted text={entry.name} />
      </p>
      {later !== undefined && <Notice kind="warning">{t('deletionChanged')}</Notice>}
      {deletion === undefined && opened.isLoading && <p class="muted">{t('loading')}</p>}
      {deletion && deleted && (
        <Named deletion={deletion} deleted={deleted} hasShapes={hasShapes} onShapes={setHasShapes} />
      )}
      <Failure error={opened.error ?? read.error ?? update.error} />
      <ActionFooter
        onLeave={onClose}
        action={t('deleteMessage')}
        kind="danger"
        needs={['UpdateGameConfiguration']}
        isBusy={read.isBusy || update.isBusy}
        isDisabled={deletion === undefined}
        onAction={() => deletion && deleted && confirm(deletion, deleted)}
      />
    </Dialog>
  );
}

function Named({
  deletion: { shapes, sharedShapes, mentions },
  deleted,
  hasShapes,
  onShapes,
}: {
  deletion: Deletion;
  deleted: readonly Entry[];
  hasShapes: boolean;
  onShapes: (hasShapes: boolean) => void;
}) {
  const { game } = place.get();
  const isTyped = deleted.some((each) => draftOf(draftName(game, each)) !== undefined);
  return (
    <>
      <p id="deleted">{t('deletionNames')}</p>
      <ul aria-labelledby="deleted">
        {deleted.map((each) => (
          <li key={`${each.section} ${each.name}`}>
            <PartName entry={each} />
          </li>
        ))}
      </ul>
      {shapes.length > 0 && (
        <CheckField label={t('deleteShapes')} hint={t('deleteShapesHint')} isChecked={hasShapes} onCheck={onShapes} />
      )}
      {sharedShapes.length > 0 && (
        <p class="muted">
          {t('shapesStay')} <Untrusted text={sharedShapes.join(', ')} />
        </p>
      )}
      <Notice kind="warning">
        <p>{t('deletionExplained')}</p>
        {isTyped && <p>{t('deletionDropsDrafts')}</p>}
        {mentions.length > 0 && (
          <p>
            {t('deletionMentions')} <Untrusted text={mentions.map(({ name }) => name).join(', ')} />
          </p>
        )}
      </Notice>
    </>
  );
}

export function PartName({ entry }: { entry: Pick<Entry, 'section' | 'name'> }) {
  return (
    <>
      <span class="muted">{shortSection(entry)}</span> <Untrusted text={entry.name} />
    </>
  );
}
