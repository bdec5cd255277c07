import { useEffect, useState } from 'preact/hooks';
import type { CallError } from '../api/calls.ts';
import { takeCode, untilOpened } from '../code.ts';
import { Button } from '../parts/button.tsx';
import { CheckField, SelectField, TextField } from '../parts/fields.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { farewell, signIn, signInFromProvider, signInWithCode } from '../session.ts';
import { useSignal } from '../store.ts';
import { takeReturn } from '../team-sign-in.ts';
import { choose, LANGUAGES, type Language, language, t } from '../texts/language.ts';
import { asCallError } from '../use-call.ts';
import { ProviderSignIn } from './provider-sign-in.tsx';

const FAREWELLS = { expired: 'signInAgain', keyGone: 'signInKeyGone', keyLeft: 'signInKeyLeft' } as const;

/** Plainer words for what the server says of a key to programmers. */
function plainly(error: CallError | undefined): string | undefined {
  if (error?.code === 'InvalidSignatureException') return t('signInWrongSecret');
  if (error?.code === 'UnrecognizedClientException') return t('signInNoSuchKey');
  return undefined;
}

export function SignIn() {
  const [accessKeyId, setId] = useState('');
  const [secretAccessKey, setSecret] = useState('');
  const [isKept, setKept] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<CallError>();
  const [refusal, setRefusal] = useState<Error>();
  const [isReturning, setReturning] = useState(false);
  const [providerError, setProviderError] = useState<unknown>();
  const left = useSignal(farewell);
  useEffect(() => {
    document.title = `${t('signIn')} · Respark`;
    const returned = takeReturn();
    if (returned !== undefined) {
      setReturning(true);
      signInFromProvider(returned).catch((thrown) => {
        setProviderError(thrown);
        setReturning(false);
      });
      return;
    }
    const code = takeCode();
    if (code === undefined) return;
    setBusy(true);
    untilOpened()
      .then(() => signInWithCode(code))
      .catch((thrown) => {
        setRefusal(thrown instanceof Error ? thrown : new Error(String(thrown)));
        setBusy(false);
      });
  }, []);

  async function submit(): Promise<void> {
    setBusy(true);
    // What came of an earlier attempt, or of a link, says nothing about this one.
    setError(undefined);
    setRefusal(undefined);
    setProviderError(undefined);
    try {
      // What is pasted often has a space or a line's end with it, which no key has.
      await signIn({ accessKeyId: accessKeyId.trim(), secretAccessKey: secretAccessKey.trim() }, { isKept });
    } catch (thrown) {
      setError(asCallError('GetServerInfo', thrown));
      setBusy(false);
    }
  }

  return (
    <main id="main" class="sign-in" tabIndex={-1}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <div class="brand">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M18.5 1 5 18.2h8.6L11.8 31 27 12.6h-9.4z" />
          </svg>
          Respark
        </div>
        <h1>{t('signIn')}</h1>
        {left !== undefined && (
          <Notice kind="warning">
            <p>{t(FAREWELLS[left])}</p>
          </Notice>
        )}
        <ProviderSignIn isBusy={isReturning} error={providerError} onError={setProviderError} />
        <p class="muted">{t('signInIntroduction')}</p>
        <TextField
          label={t('accessKeyId')}
          value={accessKeyId}
          onValue={setId}
          isRequired
          maxLength={128}
          autocomplete="username"
        />
        <TextField
          label={t('secretAccessKey')}
          type="password"
          value={secretAccessKey}
          onValue={setSecret}
          isRequired
          maxLength={256}
          autocomplete="current-password"
          hint={t('secretHint')}
        />
        <CheckField label={t('keepKey')} hint={t('keepKeyHint')} isChecked={isKept} onCheck={setKept} />
        {refusal !== undefined && (
          <Notice kind="bad">
            <p>
              <strong>{t(refusal.cause === 403 ? 'linkRefused' : 'signInFailed')}</strong> {t('linkAdvice')}
            </p>
            <details>
              <summary>{t('details')}</summary>
              <Untrusted text={refusal.message} />
            </details>
          </Notice>
        )}
        <Failure error={error} plain={plainly(error)} />
        <Button kind="primary" type="submit" isBusy={isBusy}>
          {t('signIn')}
        </Button>
        <div class="sign-in-foot">
          <p class="muted">
            {t('whereKeysComeFrom')} <code>respark keys create --role moderator</code>
          </p>
          <SelectField
            label={t('language')}
            value={language.get()}
            onValue={(value) => choose(value as Language)}
            options={Object.entries(LANGUAGES)}
          />
        </div>
      </form>
    </main>
  );
}
