import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { CallError } from '../api/calls.ts';
import { failureWords } from '../failure-words.ts';
import { t } from '../texts/language.ts';
import { Id, Untrusted } from './untrusted.tsx';

export function Notice({ kind, children }: { kind: 'good' | 'bad' | 'warning' | 'info'; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind}`} role={kind === 'bad' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

/**
 * What went wrong in the server's own words, and the id under which its log has the cause. Where those words are for
 * programmers, plainer ones come first.
 */
export function Failure({ error, plain }: { error: CallError | undefined; plain?: string | undefined }) {
  if (error === undefined) return null;
  const [what, why] = failureWords(error);
  return (
    <Notice kind="bad">
      {plain === undefined ? (
        <p>
          <strong>{what}</strong> <Untrusted text={why} />
        </p>
      ) : (
        <>
          <p>
            <strong>{plain}</strong>
          </p>
          <details>
            <summary>{t('details')}</summary>
            <Untrusted text={error.message} />
          </details>
        </>
      )}
      {error.requestId !== undefined && (
        <p class="muted">
          {error.code} · {t('requestId')} <Copied text={error.requestId} />
        </p>
      )}
    </Notice>
  );
}

/** A text to hand on, with a button that copies it, and says aloud that it has. */
export function Copied({ text }: { text: string }) {
  const [outcome, setOutcome] = useState<'copied' | 'notCopied'>();
  const copy = async () => {
    // A page that came by plain HTTP has no clipboard, and browsers may refuse it. There, the text can be selected.
    const isCopied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    setOutcome(isCopied ? 'copied' : 'notCopied');
  };
  return (
    <span class="copied">
      <Id id={text} />
      {navigator.clipboard !== undefined && (
        <>
          <button type="button" class="link" onClick={() => void copy()} aria-label={t('copyOf', { text })}>
            {t('copy')}
          </button>
          <span role="status">{outcome !== undefined && t(outcome)}</span>
        </>
      )}
    </span>
  );
}
