import { useEffect, useRef } from 'preact/hooks';
import { Navigation } from './navigation.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { pageOf } from './pages.ts';
import { usePermissions } from './permissions.ts';
import { route } from './route.ts';
import { session } from './session.ts';
import { useSignal } from './store.ts';
import { language, t } from './texts/language.ts';

export function App() {
  const signedIn = useSignal(session);
  const spoken = useSignal(language);
  return signedIn === undefined ? <SignIn key={spoken} /> : <Console key={spoken} />;
}

function Console() {
  usePermissions();
  const { page } = useSignal(route);
  const main = useRef<HTMLElement>(null);
  const before = useRef(page);
  useEffect(() => {
    // Whoever uses a keyboard or a screen reader goes on in the page that has opened.
    if (before.current !== page) main.current?.focus();
    before.current = page;
  }, [page]);
  const { Show } = pageOf(page);
  return (
    <div class="console">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        {t('skipToPage')}
      </button>
      <Navigation />
      <main id="main" ref={main} tabIndex={-1}>
        <Show key={page} />
      </main>
    </div>
  );
}
