import { Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted, visible } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { linkTo } from '../route.ts';
import { useSignal } from '../store.ts';
import { counted, t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import { type Change, changesBetween } from './configuration-changes.ts';
import { shortSection } from './configuration-entries.ts';
import { diffLines, shortened } from './line-diff.ts';

/** How many lines are drawn at once; for the rest, a person opens the entry. */
const MAX_LINES = 1_000;
const MAX_LINE_CHARACTERS = 1_000;

const KINDS = {
  added: ['good', 'changeAdded', 'changesAdded'],
  changed: ['warning', 'changeChanged', 'changesChanged'],
  removed: ['bad', 'changeRemoved', 'changesRemoved'],
} as const;

/** What the configuration has become since its newest snapshot, entry by entry. */
export function Changes() {
  const { game } = useSignal(place);
  const inGame = game === '' ? undefined : { GameName: game };
  const newest = useCall('ListSnapshots', inGame && { ...inGame, MaxResults: 1 });
  const [summary] = newest.data?.Snapshots ?? [];
  const id = summary?.Id;
  const snapshot = useCall('GetSnapshot', inGame && id !== undefined ? { ...inGame, SnapshotId: id } : undefined);
  const configuration = useCall('GetGameConfiguration', inGame);
  const before = snapshot.data?.Snapshot?.Sections;
  const after = configuration.data?.GameConfiguration?.Sections;
  const changes = before && after && changesBetween(before, after);
  return (
    <Page title={t('changesSince')}>
      <Failure error={newest.error ?? snapshot.error ?? configuration.error} />
      {newest.data !== undefined && summary === undefined && (
        <div class="empty">
          <p>{t('noSnapshots')}</p>
          <p class="muted">{t('noSnapshotsAdvice')}</p>
        </div>
      )}
      {summary !== undefined && (
        <p>
          {t('comparedWith')} <Id id={summary.Id ?? ''} />, <Time at={summary.Created} />{' '}
          <Untrusted text={summary.Description ?? ''} />
        </p>
      )}
      {changes?.length === 0 && <Notice kind="good">{t('changesNone')}</Notice>}
      {changes !== undefined && changes.length > 0 && (
        <>
          <p>
            {(['added', 'changed', 'removed'] as const).map((kind) => {
              const n = changes.filter((each) => each.kind === kind).length;
              return n === 0 ? null : (
                <span key={kind}>
                  <Badge kind={KINDS[kind][0]}>{t(KINDS[kind][2], { n })}</Badge>{' '}
                </span>
              );
            })}
          </p>
          {changes.map((change) => (
            <ChangedEntry key={`${change.entry.section} ${change.entry.name}`} change={change} />
          ))}
        </>
      )}
    </Page>
  );
}

function ChangedEntry({ change }: { change: Change }) {
  const { game, stage } = place.get();
  const { kind, entry, texts } = change;
  const [badge, words] = KINDS[kind];
  return (
    <section class="section">
      <header>
        <h2>
          <span class="muted">
            <Untrusted text={shortSection(entry)} />
          </span>{' '}
          {kind === 'removed' ? (
            <Untrusted text={entry.name} />
          ) : (
            <a href={linkTo('configuration', { game, stage, section: entry.section, entry: entry.name })}>
              <Untrusted text={entry.name} />
            </a>
          )}{' '}
          <Badge kind={badge}>{t(words)}</Badge>
        </h2>
      </header>
      {texts.map((each, index) => (
        <Difference key={index} {...each} name={`${entry.section} ${entry.name} ${index + 1}`} />
      ))}
    </section>
  );
}

const SIGNS = { added: '+', removed: '−', same: ' ' } as const;

function Difference({ before, after, name }: { before: string; after: string; name: string }) {
  const lines = shortened(diffLines(before, after));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <section class="diff" aria-label={t('differenceOf', { name })} tabIndex={0}>
      {lines.slice(0, MAX_LINES).map((line, index) =>
        line.kind === 'gap' ? (
          <div key={index} class="gap">
            {counted('linesSame', line.lines)}
          </div>
        ) : (
          <div key={index} class={line.kind}>
            <Line kind={line.kind} text={line.text} />
          </div>
        ),
      )}
      {lines.length > MAX_LINES && <div class="gap">{counted('linesNotShown', lines.length - MAX_LINES)}</div>}
    </section>
  );
}

function Line({ kind, text }: { kind: keyof typeof SIGNS; text: string }) {
  const shown = visible(text.slice(0, MAX_LINE_CHARACTERS), { keepsLines: true });
  const content = (
    <>
      <span class="sign">{SIGNS[kind]}</span>
      <bdi>{shown}</bdi>
      {text.length > MAX_LINE_CHARACTERS && '…'}
    </>
  );
  if (kind === 'added') return <ins>{content}</ins>;
  if (kind === 'removed') return <del>{content}</del>;
  return content;
}
