import { useEffect, useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { useAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { linkTo, refine, route } from '../route.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import { type Entry, entriesOf, shortSection } from './configuration-entries.ts';
import { DeleteMessageDialog, PartName } from './delete-message-dialog.tsx';
import { LeftDrafts } from './draft-notices.tsx';
import { drafted, draftName, lostEntries, taken } from './drafts.ts';
import { EntryEditor } from './entry-editor.tsx';
import { MessageDialog } from './message-dialog.tsx';

/** The messages, shapes and handlers of the game, one at a time in an editor. */
export function Configuration() {
  const { game, stage } = useSignal(place);
  const { query } = useSignal(route);
  // Entries with drafts are listed too, and there are more once a person claims those that were left.
  useSignal(drafted);
  const round = useSignal(taken);
  const [deletion, setDeletion] = useState<{ of?: Entry; deleted?: readonly Entry[] }>();
  const isAllowed = useAllowed();
  const configuration = useCall('GetGameConfiguration', game === '' ? undefined : { GameName: game });
  const sections = configuration.data?.GameConfiguration?.Sections;
  const known = entriesOf(sections);
  const lost = sections === undefined ? [] : lostEntries(game, known);
  const entries = [...known, ...lost];
  const entry = entries.find(({ section, name }) => section === query.section && name === query.entry);
  const afterDeletion = (deleted: readonly Entry[]) => {
    configuration.reload();
    setDeletion({ deleted });
    refine({ section: undefined, entry: undefined });
  };
  const isChosen = entry !== undefined;
  // The notice of what was deleted stays until the person goes on.
  useEffect(() => {
    if (isChosen) setDeletion((before) => (before?.deleted === undefined ? before : undefined));
  }, [isChosen]);
  return (
    <Page
      title={t('configuration')}
      actions={
        <>
          {isAllowed('ListSnapshots', 'GetSnapshot') && (
            <a class="button" href={linkTo('changes', { game, stage })}>
              {t('changesSince')}
            </a>
          )}
          <Button kind="primary" needs={['UpdateGameConfiguration']} onClick={() => refine({ make: 'Request' })}>
            {t('createMessageOpen')}
          </Button>
        </>
      }
    >
      <LeftDrafts />
      <Failure error={configuration.error} />
      {deletion?.deleted && <Deleted entries={deletion.deleted} />}
      {sections !== undefined && entries.length === 0 && (
        <div class="empty">
          <p>{t('configurationEmpty')}</p>
          <p class="muted">{t('configurationEmptyAdvice', { game })}</p>
        </div>
      )}
      {entries.length > 0 && (
        <div class="split">
          <EntryList entries={entries} chosen={entry} />
          {entry === undefined ? (
            <p class="muted">{t('chooseEntry')}</p>
          ) : (
            <EntryEditor
              key={`${round} ${draftName(game, entry)}`}
              entry={entry}
              name={draftName(game, entry)}
              isLost={lost.includes(entry)}
              onSaved={configuration.reload}
              onDelete={() => setDeletion({ of: entry })}
            />
          )}
        </div>
      )}
      {deletion?.of && (
        <DeleteMessageDialog entry={deletion.of} onClose={() => setDeletion(undefined)} onDeleted={afterDeletion} />
      )}
      {query.make !== undefined && (
        <MessageDialog
          asked={query.make}
          onClose={() => refine({ make: undefined })}
          onMade={configuration.reload}
          onDone={(made) => refine({ section: made.section, entry: made.name })}
        />
      )}
    </Page>
  );
}

/** The entries, with a mark at those that were changed in this tab. */
function EntryList({ entries, chosen }: { entries: readonly Entry[]; chosen: Entry | undefined }) {
  const { game, stage } = useSignal(place);
  const unsaved = useSignal(drafted);
  const link = ({ section, name }: Entry) => linkTo('configuration', { game, stage, section, entry: name });
  return (
    <nav class="entries" aria-label={t('entries')}>
      {[...new Set(entries.map(({ section }) => section))].map((section) => (
        <div key={section}>
          <h2>
            <Untrusted text={shortSection({ section })} />
          </h2>
          <ul>
            {entries
              .filter((each) => each.section === section)
              .map((each) => (
                <li key={each.name}>
                  <a href={link(each)} aria-current={each === chosen ? 'true' : undefined}>
                    <Untrusted text={each.name} />
                    {unsaved.has(draftName(game, each)) && (
                      <>
                        {' '}
                        <Badge kind="warning">{t('unsaved')}</Badge>
                      </>
                    )}
                  </a>
                </li>
              ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}

function Deleted({ entries }: { entries: readonly Entry[] }) {
  if (entries.length === 0) return null;
  return (
    <Notice kind="good">
      {t('messageDeleted')}{' '}
      {entries.map((each, index) => (
        <span key={`${each.section} ${each.name}`}>
          {index > 0 && ', '}
          <PartName entry={each} />
        </span>
      ))}
    </Notice>
  );
}
