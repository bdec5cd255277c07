import { useEffect, useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { Copied, Notice } from '../parts/notice.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { beginAtProvider, findProvider } from '../session.ts';
import { SignInError } from '../team-sign-in.ts';
import { t } from '../texts/language.ts';
import { forgetReturn, keepForReturn } from './drafts.ts';

/** A person who is still here after this time has stayed, or waits for a slow provider, and may try again. */
const STAY_MS = 3_000;

/** The way in by the provider that the server's settings name; nothing where they name none. */
export function ProviderSignIn({
  isBusy,
  error,
  onError,
}: {
  /** Whether a person who came back from the provider is just being signed in. */
  isBusy: boolean;
  error: unknown;
  onError: (error: unknown) => void;
}) {
  const [provider, setProvider] = useState<string>();
  const [isLeaving, setLeaving] = useState(false);
  useEffect(() => {
    // A server that does not answer is shown by whichever way in is tried.
    findProvider().then(setProvider, () => undefined);
    // A step back from the provider may find this page as it was left.
    const onShow = () => setLeaving(false);
    addEventListener('pageshow', onShow);
    return () => removeEventListener('pageshow', onShow);
  }, []);

  async function begin(): Promise<void> {
    onError(undefined);
    setLeaving(true);
    keepForReturn();
    try {
      await beginAtProvider();
      // Where something cannot be kept, the browser asks first, and the person may stay.
      setTimeout(() => setLeaving(false), STAY_MS);
    } catch (thrown) {
      forgetReturn();
      onError(thrown);
      setLeaving(false);
    }
  }

  return (
    <>
      {isBusy && (
        <Notice kind="info">
          <p>{t('signingIn')}</p>
        </Notice>
      )}
      <SignInFailure error={error} />
      {provider !== undefined && (
        <>
          <Button kind="primary" isBusy={isBusy || isLeaving} onClick={begin}>
            {t('signInAtProvider', { provider })}
          </Button>
          <p class="sign-in-or muted">{t('signInOr')}</p>
        </>
      )}
    </>
  );
}

function SignInFailure({ error }: { error: unknown }) {
  if (error === undefined) return null;
  const { kind, message, requestId } = error instanceof SignInError ? error : new SignInError('refused', String(error));
  const text = {
    refused: message,
    away: t('serverAway'),
    provider: t('signInProviderSays', { text: message }),
    stranger: t('signInStranger'),
  }[kind];
  return (
    <Notice kind="bad">
      <p>
        <strong>{t('signInFailed')}</strong> <Untrusted text={text} />
      </p>
      {requestId !== undefined && (
        <p class="muted">
          {t('requestId')} <Copied text={requestId} />
        </p>
      )}
    </Notice>
  );
}
