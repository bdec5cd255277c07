import { useEffect, useRef, useState } from 'preact/hooks';
import { Navigation } from './navigation.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { pageOf } from './pages.ts';
import { LoadingPage } from './parts/later.tsx';
import { Notice } from './parts/notice.tsx';
import { Page } from './parts/page.tsx';
import { Said } from './parts/said.tsx';
import { Time } from './parts/time.tsx';
import { useAllowed, useIsKnown, useMay, usePermissions } from './permissions.ts';
import { place } from './place.ts';
import { linkTo, route } from './route.ts';
import { unsay } from './said.ts';
import { session } from './session.ts';
import { useSignal } from './store.ts';
import { language, t } from './texts/language.ts';

export function App() {
  const signedIn = useSignal(session);
  const spoken = useSignal(language);
  return signedIn === undefined ? <SignIn key={spoken} /> : <Console key={spoken} />;
}

/** The way from a page to the one that it is a part of. */
function Back({ to }: { to: string }) {
  const isAllowed = useAllowed();
  const at = useSignal(place);
  const { title, needs } = pageOf(to);
  if (title === undefined || !isAllowed(...needs)) return null;
  return (
    <p class="back">
      <a href={linkTo(to, { ...at })}>← {t(title)}</a>
    </p>
  );
}

/** How long before a sign-in ends by itself the person is told. */
const SOON_MS = 300_000;
const LOOK_MS = 5_000;

/** A person who is in the midst of something has time to end it. */
function EndsSoon() {
  const signedIn = useSignal(session);
  const [isSoon, setSoon] = useState(false);
  useEffect(() => {
    if (signedIn?.expires === undefined) return;
    const look = () => setSoon(signedIn.leftMs() < SOON_MS);
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, [signedIn]);
  if (!isSoon || signedIn?.expires === undefined) return null;
  return (
    <Notice kind="warning">
      {t('signInEndsAt')} <Time at={signedIn.expires} />. {t('signInEndsAdvice')}
    </Notice>
  );
}

function Console() {
  usePermissions();
  const { page, query } = useSignal(route);
  const { game, stage } = useSignal(place);
  const main = useRef<HTMLElement>(null);
  const before = useRef(page);
  useEffect(() => {
    // A person who uses a keyboard or a screen reader goes on in the page that has opened.
    if (before.current !== page) main.current?.focus();
    before.current = page;
  }, [page]);
  const { Show, title, needs, partOf, isOfStage, subject } = pageOf(page);
  // What a page calls that the key may not call is on record, so that a page waits for what the key may do.
  const isKnown = useIsKnown({ isOfStage });
  const refusal = useMay(...needs);
  // The browser's own way back may lead to another stage or player while a dialog is open. It must not go on about that one.
  const about = JSON.stringify([page, ...(isOfStage ? [game, stage] : []), subject && query[subject]]);
  // What was said is of the page that was shown before.
  useEffect(unsay, [about]);
  return (
    <div class="console">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        {t('skipToPage')}
      </button>
      <Navigation />
      <main id="main" ref={main} tabIndex={-1}>
        <EndsSoon />
        <Said />
        {partOf !== undefined && <Back key={page} to={partOf} />}
        {!isKnown ? (
          <LoadingPage />
        ) : refusal !== undefined ? (
          <Page title={t(title ?? pageOf(partOf ?? page).title ?? 'home')}>
            <Notice kind="info">{refusal}</Notice>
          </Page>
        ) : (
          <Show key={about} />
        )}
      </main>
    </div>
  );
}
