import { useState } from 'preact/hooks';
import type { CallError } from '../api/calls.ts';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter } from '../parts/dialog-footer.tsx';
import { SelectField } from '../parts/fields.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { session } from '../session.ts';
import { t } from '../texts/language.ts';
import { asCallError } from '../use-call.ts';
import { useIsGone } from '../use-is-gone.ts';

/** Each look counts as a write, and the last one is on record, because it gives out a URL. */
const LOOK_MS = 1_000;
const MAX_LOOKS = 120;

const PLATFORMS = [
  ['Unity', 'codeUnity'],
  ['Web', 'codeWeb'],
] as const;

interface State {
  readonly isBusy: boolean;
  readonly error?: CallError;
  /** Why there is no code, in the server's words. */
  readonly refusal?: string;
  readonly download?: { readonly url: string; readonly until: string | undefined };
}

/** Generates code for the messages of a snapshot, and offers it for download. */
export function GeneratedCodeDialog({ snapshot, onClose }: { snapshot: string; onClose: () => void }) {
  const [platform, setPlatform] = useState<string>('Unity');
  const [state, setState] = useState<State>({ isBusy: false });
  const isGone = useIsGone();

  async function generate(): Promise<void> {
    const call = session.get()?.call;
    if (call === undefined) return;
    setState({ isBusy: true });
    const named = { GameName: place.get().game, SnapshotId: snapshot };
    try {
      const { GeneratedCodeJobId: JobId = '' } = await call('StartGeneratedCodeJob', {
        ...named,
        Generator: { TargetPlatform: platform },
      });
      for (let looks = 0; looks < MAX_LOOKS && !isGone(); looks += 1) {
        const { GeneratedCodeJob: job = {} } = await call('GetGeneratedCodeJob', { ...named, JobId });
        if (job.S3Url !== undefined)
          return setState({ isBusy: false, download: { url: job.S3Url, until: job.ExpirationTime } });
        if (job.Status === 'FAILED') return setState({ isBusy: false, refusal: job.Description ?? '' });
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      setState({ isBusy: false, refusal: t('codeLate') });
    } catch (error) {
      setState({ isBusy: false, error: asCallError('StartGeneratedCodeJob', error) });
    }
  }

  const { download, refusal } = state;
  return (
    <Dialog title={t('generatedCode')} onClose={onClose}>
      <p>
        {t('codeOf')} <Id id={snapshot} />
      </p>
      <SelectField
        label={t('codeFor')}
        value={platform}
        onValue={(value) => {
          setPlatform(value);
          setState({ isBusy: false });
        }}
        options={PLATFORMS.map(([value, key]) => [value, t(key)] as const)}
      />
      <Failure error={state.error} />
      {refusal !== undefined && (
        <Notice kind="bad">
          <strong>{t('codeRefused')}</strong> <Untrusted text={refusal} keepsLines />
        </Notice>
      )}
      {download !== undefined && (
        <Notice kind="good">
          <p>
            <a href={download.url} download>
              {t('codeDownload')}
            </a>
          </p>
          <p class="muted">
            {t('codeUntil')} <Time at={download.until} />
          </p>
        </Notice>
      )}
      <ActionFooter
        leave={t('close')}
        onLeave={onClose}
        action={t('generate')}
        needs={['StartGeneratedCodeJob', 'GetGeneratedCodeJob']}
        isBusy={state.isBusy}
        onAction={generate}
      />
    </Dialog>
  );
}
