import { useEffect, useRef, useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { CodeEditor } from '../parts/code-editor.tsx';
import type { Editor } from '../parts/editor.ts';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge } from '../parts/page.tsx';
import { Untrusted, visible } from '../parts/untrusted.tsx';
import { useAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { linkTo } from '../route.ts';
import { t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';
import { changedValue, type Entry, entryAt, pathOf, textOf } from './configuration-entries.ts';
import { ChangedMeanwhile, DeletedMeanwhile } from './draft-notices.tsx';
import { draftOf, setDraft } from './drafts.ts';
import { isOfMessage } from './message-deletion.ts';
import { useDeployment } from './use-deployment.ts';

const asShown = (text: string) => ({ base: text, text });

/** The text of a part while it is edited. Saving changes just this part, and only if nobody else has changed it. */
function useEdited(entry: Entry, name: string, onSaved: () => void) {
  const { game, stage } = place.get();
  const [draft] = useState(() => draftOf(name));
  /** The server's text, as the editor shows it, and the text that was in the editor when it was saved. */
  const [saved, setSaved] = useState(() => asShown(draft?.base ?? textOf(entry)));
  const [text, setText] = useState(draft?.text ?? saved.text);
  // What is typed counts at once, also for a click that comes before the page is drawn again.
  const typed = useRef(text);
  const type = (changed: string, { base, text: kept } = saved) => {
    typed.current = changed;
    setText(changed);
    setDraft(name, changed === kept ? undefined : { text: changed, base, entry });
    // What the last deployment said is not about this text.
    if (deployment.outcome !== undefined || deployment.error !== undefined) deployment.reset();
  };
  const [theirs, setTheirs] = useState<Theirs | undefined>(() => {
    const found = textOf(entry);
    const isOld = found !== saved.base && found !== text;
    return isOld ? { text: found, isToBeDeployed: false } : undefined;
  });
  const load = (now: typeof saved) => {
    setSaved(now);
    type(now.text, now);
    setTheirs(undefined);
  };
  const read = useAction('GetGameConfiguration');
  const update = useAction('UpdateGameConfiguration');
  const deployment = useDeployment({ game, stage });
  const fault = faultOf(entry, text);
  const isBusy = read.isBusy || update.isBusy || deployment.isBusy;

  async function save({ isForced = false, isToBeDeployed = false } = {}): Promise<boolean> {
    deployment.reset();
    const mine = typed.current;
    const input = { GameName: game, Sections: [entry.section] };
    const current = await read.run(input);
    if (current === undefined) return false;
    const now = entryAt(current.GameConfiguration?.Sections, entry);
    if (now === undefined && !isForced) {
      // The page then reads the configuration again, finds the loss, and says so.
      onSaved();
      return false;
    }
    const found = now === undefined ? '' : textOf(now);
    const value = changedValue(now ?? entry, mine);
    const wanted = textOf({ ...entry, value });
    if (found !== saved.base && found !== wanted && !isForced) {
      setTheirs({ text: found, isToBeDeployed });
      return false;
    }
    const isThere = now !== undefined && found === wanted;
    const change = { Section: entry.section, Operation: 'ADD', Path: pathOf(entry), Value: value } as const;
    if (!isThere && (await update.run({ GameName: game, Modifications: [change] })) === undefined) return false;
    setTheirs(undefined);
    setSaved({ base: wanted, text: mine });
    const later = draftOf(name)?.text ?? mine;
    setDraft(name, later === mine ? undefined : { text: later, base: wanted, entry: { ...entry, value } });
    onSaved();
    return true;
  }

  const isSaved = () => typed.current === saved.text;
  return {
    text,
    typed: () => typed.current,
    type,
    isSaved,
    save,
    load,
    original: theirs === undefined ? saved : asShown(theirs.text),
    theirs,
    fault,
    isBusy,
    read,
    update,
    deployment,
  };
}

/** Has Ctrl+S or Cmd+S save the text, as in every editor. The browser would save the page. */
function useSaveKey(save: () => void): void {
  const latest = useRef(save);
  latest.current = save;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const { key, ctrlKey, metaKey, shiftKey, altKey } = event;
      if (key.toLowerCase() !== 's' || !(ctrlKey || metaKey) || shiftKey || altKey) return;
      event.preventDefault();
      // An open dialog comes first.
      if (document.querySelector('dialog[open]') === null) latest.current();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}

/** One part of the configuration in an editor, with what can be done with it. */
export function EntryEditor({
  entry,
  name,
  isLost,
  onSaved,
  onDelete,
}: {
  entry: Entry;
  name: string;
  /** Whether only a draft of it is left, because somebody else has deleted it. */
  isLost: boolean;
  onSaved: () => void;
  onDelete: () => void;
}) {
  const { stage } = place.get();
  const editor = useRef<Editor>(undefined);
  const isAllowed = useAllowed();
  const edited = useEdited(entry, name, onSaved);
  const { text, type, save, fault, isBusy, theirs, read, update, deployment } = edited;
  const isSaved = edited.isSaved();
  useSaveKey(() => {
    const isOff = isBusy || isLost || edited.isSaved() || faultOf(entry, edited.typed()) !== undefined;
    if (!isOff && isAllowed('UpdateGameConfiguration')) void save();
  });
  const news = useRef<HTMLDivElement>(null);
  const error = read.error ?? update.error ?? deployment.error;
  // It is below the editor, so that nothing moves while a person types. On a phone it would be out of sight there.
  useEffect(() => {
    if (isLost || [theirs, error, deployment.outcome].some((each) => each !== undefined))
      news.current?.scrollIntoView({ block: 'nearest' });
  }, [isLost, theirs, error, deployment.outcome]);
  return (
    <section class="entry">
      <header>
        <h2>
          <Untrusted text={entry.name} />{' '}
          <Badge kind={isSaved ? 'plain' : 'warning'}>{isSaved ? t('saved') : t('unsaved')}</Badge>
        </h2>
        <div class="actions">
          {isOfMessage(entry) && !isLost && (
            <Button
              kind="danger"
              label={`${t('delete')} ${visible(entry.name)}`}
              needs={['UpdateGameConfiguration']}
              isBusy={isBusy}
              onClick={onDelete}
            >
              {t('delete')}
            </Button>
          )}
          {!isSaved && !isLost && (
            <Button isBusy={isBusy} onClick={() => edited.load(edited.original)}>
              {t('discard')}
            </Button>
          )}
          <Button
            needs={['UpdateGameConfiguration']}
            isBusy={isBusy}
            isDisabled={fault !== undefined || isSaved || isLost}
            onClick={() => save()}
          >
            {t('save')}
          </Button>
          <Button
            kind="primary"
            needs={['UpdateGameConfiguration', 'CreateSnapshot', 'StartStageDeployment']}
            isBusy={isBusy}
            isDisabled={fault !== undefined || isLost}
            onClick={async () => {
              // What is deployed is what the server has, which need not be what is shown here as saved.
              if (await save({ isToBeDeployed: true })) await deployment.run();
            }}
          >
            {deployment.isBusy ? t('deploying') : t('deployNow', { stage })}
          </Button>
        </div>
      </header>
      <CodeEditor
        label={t('scriptOf', { name: visible(entry.name) })}
        language={entry.isScript ? 'javascript' : 'json'}
        text={text}
        onText={type}
        onReady={(ready) => {
          editor.current = ready;
        }}
      />
      {fault !== undefined && (
        <Notice kind="bad">
          {t('notJson')} <Untrusted text={fault} />
        </Notice>
      )}
      <div ref={news} class="news">
        {isLost && (
          <DeletedMeanwhile
            isBusy={isBusy || fault !== undefined}
            onDrop={() => setDraft(name, undefined)}
            onAnew={() => save({ isForced: true })}
          />
        )}
        {theirs !== undefined && !isLost && (
          <ChangedMeanwhile
            isBusy={isBusy}
            isFaulty={fault !== undefined}
            deploysTo={theirs.isToBeDeployed ? stage : undefined}
            onTheirs={() => edited.load(asShown(theirs.text))}
            onMine={async () => {
              if ((await save({ isForced: true })) && theirs.isToBeDeployed) await deployment.run();
            }}
          />
        )}
        <Failure error={error} />
        {deployment.outcome !== undefined && (
          <DeploymentOutcome
            outcome={deployment.outcome}
            entry={entry}
            onLine={(...at) => editor.current?.goTo(...at)}
          />
        )}
      </div>
    </section>
  );
}

/** What somebody else has saved meanwhile, and whether a deployment waits for the choice. */
interface Theirs {
  readonly text: string;
  readonly isToBeDeployed: boolean;
}

/** Whether it was deployed, and if not, the server's own words, with a link to each line of this script that they name. */
function DeploymentOutcome({
  outcome,
  entry,
  onLine,
}: {
  outcome: { isDone: boolean; message: string };
  entry: Entry;
  onLine: (line: number, column: number) => void;
}) {
  if (outcome.isDone)
    return (
      <Notice kind="good">
        {t('deployed')} <a href={linkTo('harness', { ...place.get() })}>{t('tryIt')}</a>
      </Notice>
    );
  const path = `${pathOf(entry)}/Code/Script`;
  const faults = [...outcome.message.matchAll(/at "([^"]+)" does not parse, line (\d+), column (\d+)/g)];
  const here = faults.filter(([, at]) => at === path);
  return (
    <Notice kind="bad">
      <p>
        <strong>{t('deployRefused')}</strong> <Untrusted text={outcome.message} keepsLines />
      </p>
      {here.map(([fault, , line, column]) => (
        <Button key={fault} onClick={() => onLine(Number(line), Number(column))}>
          {t('goToLine', { line: Number(line) })}
        </Button>
      ))}
    </Notice>
  );
}

function faultOf(entry: Entry, text: string): string | undefined {
  if (entry.isScript) return undefined;
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
