import { useEffect, useRef, useState } from 'preact/hooks';
import type { CallError } from './api/calls.ts';
import { isAnythingUnsaved } from './pages/drafts.ts';
import { PAGES, pageOf } from './pages.ts';
import { EnteredField, SelectField } from './parts/fields.tsx';
import { Untrusted } from './parts/untrusted.tsx';
import { namedGames, useIsKnown, useMay, useSurelyAllowed } from './permissions.ts';
import { place } from './place.ts';
import { goTo, linkTo, route } from './route.ts';
import { session, signOut } from './session.ts';
import { useSignal } from './store.ts';
import { choose, LANGUAGES, type Language, language, t } from './texts/language.ts';
import { applyTheme, currentTheme, THEMES, type Theme } from './theme.ts';
import { useCall } from './use-call.ts';
import { usePages } from './use-pages.ts';

const GROUPS = { live: 'groupLive', operate: 'groupOperate', game: 'groupGame', records: 'groupRecords' } as const;

export function Navigation() {
  const { page } = useSignal(route);
  const at = useSignal(place);
  const isAllowed = useSurelyAllowed();
  const isKnown = useIsKnown({ isOfStage: true });
  const allowed = PAGES.filter(({ title, needs }) => title !== undefined && isAllowed(...needs));
  // On the way to another stage, the pages of the last one stay, so that nothing vanishes and comes back. What the key may do
  // on a stage is not known while none is chosen.
  const last = useRef(allowed);
  if (isKnown && (at.stage !== '' || last.current.length === 0)) last.current = allowed;
  const shown = last.current;
  const { id, partOf } = pageOf(page);
  const current = partOf ?? id;
  const [isOpen, setOpen] = useState(false);
  // A person who has chosen a page wants to see it.
  useEffect(() => setOpen(false), [page]);
  const name = t(pageOf(current).title ?? 'home');
  return (
    <aside class="side">
      <div class="bar">
        <a class="brand" aria-label="Respark" href={linkTo('home', { ...at })}>
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M18.5 1 5 18.2h8.6L11.8 31 27 12.6h-9.4z" />
          </svg>
          <span>Respark</span>
        </a>
        <span class="muted">{[at.game, at.stage].filter(Boolean).join(' · ')}</span>
        <button
          type="button"
          class="button"
          aria-expanded={isOpen}
          aria-controls="menu"
          aria-label={`${t('navigation')}: ${name}`}
          onClick={() => setOpen(!isOpen)}
        >
          <span aria-hidden="true">☰</span> {name}
        </button>
      </div>
      <div id="menu" class={isOpen ? 'menu open' : 'menu'}>
        <PlacePicker />
        <nav aria-label={t('navigation')}>
          {Object.entries(GROUPS).map(([group, title]) => {
            const pages = shown.filter((each) => each.group === group);
            if (pages.length === 0) return null;
            return (
              <div key={group} class="group">
                <h2>{t(title)}</h2>
                <ul>
                  {pages.map(({ id: each, title: link }) => (
                    <li key={each}>
                      <a href={linkTo(each, { ...at })} aria-current={each === current ? 'page' : undefined}>
                        {link && t(link)}
                      </a>
                    </li>
                  ))}
                </ul>
              </div>
            );
          })}
        </nav>
        <Person />
      </div>
    </aside>
  );
}

/**
 * Which game and stage the pages are about. A key that may not list them chooses among those that its policies name, and
 * where they name none, somebody types the name.
 */
function PlacePicker() {
  const at = useSignal(place);
  const { page } = useSignal(route);
  const isAllowed = useSurelyAllowed();
  const [mayNotListGames, mayNotListStages] = [useMay('ListGames') !== undefined, useMay('ListStages') !== undefined];
  const games = useWhole(usePages('ListGames', isAllowed('ListGames') ? {} : undefined, ({ Games }) => Games));
  const inGame = at.game !== '' && isAllowed('ListStages') ? { GameName: at.game } : undefined;
  const stages = useWhole(usePages('ListStages', inGame, ({ Stages }) => Stages));
  const named = useSignal(namedGames);
  const listed = games.items?.map(({ Name = '' }) => Name);
  const hasNoGames = mayNotListGames || games.error !== undefined;
  const gameNames = listed ?? (hasNoGames ? named.map(({ GameName = '' }) => GameName) : undefined);
  const known = stages.items?.map(({ Name = '' }) => Name);
  const hasNoStages = mayNotListStages || stages.error !== undefined;
  const namedStages = hasNoStages ? named.find(({ GameName }) => GameName === at.game)?.StageNames : undefined;
  const stageNames = known ?? namedStages;
  const go = (game: string, stage: string) => goTo(pageOf(page).partOf ?? page, { game, stage });
  const [onlyGame] = gameNames ?? [];
  const [firstStage] = stageNames ?? [];
  useEffect(() => {
    if (at.game === '' && onlyGame !== undefined) go(onlyGame, '');
    else if (at.game !== '' && at.stage === '' && firstStage !== undefined) go(at.game, firstStage);
  }, [at.game, at.stage, onlyGame, firstStage]);
  const mustNameGame = gameNames?.length === 0 && listed === undefined;
  const mustNameStage = known === undefined && (mustNameGame || (hasNoStages && !stageNames?.length));
  return (
    <div class="place">
      {mustNameGame ? (
        <EnteredField
          label={t('game')}
          hint={mayNotListGames || isDenied(games.error) ? t('typeGame') : undefined}
          value={at.game}
          onEntered={(game) => go(game, '')}
        />
      ) : (
        <SelectField
          label={t('game')}
          value={at.game}
          onValue={(game) => go(game, '')}
          options={withCurrent(gameNames, at.game)}
        />
      )}
      {mustNameStage ? (
        <EnteredField
          label={t('stage')}
          hint={mayNotListStages || isDenied(stages.error) ? t('typeStage') : undefined}
          value={at.stage}
          onEntered={(stage) => go(at.game, stage)}
        />
      ) : (
        <SelectField
          label={t('stage')}
          value={at.stage}
          onValue={(stage) => go(at.game, stage)}
          options={withCurrent(stageNames, at.stage)}
        />
      )}
    </div>
  );
}

/** All pages of a list among which somebody chooses. */
function useWhole<P extends { hasMore: boolean; isBusy: boolean; error: CallError | undefined; more: () => void }>(
  pages: P,
): P {
  const { hasMore, isBusy, error, more } = pages;
  const isWanted = hasMore && !isBusy && error === undefined;
  useEffect(() => {
    if (isWanted) more();
  }, [isWanted]);
  return pages;
}

const isDenied = (error: CallError | undefined) => error?.code === 'AccessDeniedException';

/** What is chosen is among the choices while these are still being asked for. */
function withCurrent(names: readonly string[] = [], current: string): (readonly [string, string])[] {
  const all = names.includes(current) ? names : [current, ...names];
  return all.map((name) => [name, name === '' ? '–' : name]);
}

/** What is not saved is lost at a sign-out. */
const isLossWanted = () => !isAnythingUnsaved() || confirm(t('discardOnSignOut'));

/** Who is signed in, and how the console looks and speaks to them. */
function Person() {
  const signedIn = useSignal(session);
  const spoken = useSignal(language);
  const [theme, setTheme] = useState(currentTheme);
  const { accessKeyId = '' } = signedIn ?? {};
  const isTold = useSurelyAllowed()('GetAccessKey');
  const own = useCall('GetAccessKey', isTold && accessKeyId !== '' ? { AccessKeyId: accessKeyId } : undefined);
  const { Description: description = '' } = own.data?.AccessKey ?? {};
  const themes = { auto: t('themeAuto'), light: t('themeLight'), dark: t('themeDark') };
  return (
    <footer class="person">
      <p>
        <span class="muted">{t('signedInAs')}</span> <Untrusted text={description} /> <code>{accessKeyId}</code>{' '}
        {description === '' && signedIn?.isOfLink && t('signedInByLink')}
      </p>
      <div class="choices">
        <SelectField
          label={t('language')}
          value={spoken}
          onValue={(value) => choose(value as Language)}
          options={Object.entries(LANGUAGES)}
        />
        <SelectField
          label={t('theme')}
          value={theme}
          onValue={(value) => {
            setTheme(value as Theme);
            applyTheme(value as Theme);
          }}
          options={THEMES.map((each) => [each, themes[each]])}
        />
      </div>
      <button type="button" class="link" onClick={() => isLossWanted() && void signOut()}>
        {t('signOut')}
      </button>
    </footer>
  );
}
