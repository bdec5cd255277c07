import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Inputs, Outputs } from '../api/operations.ts';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter, CloseFooter } from '../parts/dialog-footer.tsx';
import { TextField } from '../parts/fields.tsx';
import { Copied, Failure, Notice } from '../parts/notice.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';

/** Makes a key that may do what `grant` says, and shows it. */
export function MakeKeyDialog({
  grant,
  children,
  onClose,
  onDone,
}: {
  grant: Inputs['CreateAccessKey'];
  /** The fields that say what the key may do. */
  children?: ComponentChildren;
  onClose: () => void;
  onDone?: () => void;
}) {
  const [description, setDescription] = useState('');
  const create = useAction('CreateAccessKey');
  return (
    <Dialog title={t('createKey')} onClose={onClose} isKept={create.isBusy || create.data !== undefined}>
      {create.data !== undefined ? (
        <MadeKey made={create.data} onClose={onClose} />
      ) : (
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            const made = await create.run({ ...grant, Description: description.trim() || undefined });
            if (made !== undefined) onDone?.();
          }}
        >
          {children}
          <TextField
            label={t('description')}
            hint={t('keyDescriptionHint')}
            value={description}
            onValue={setDescription}
            maxLength={250}
          />
          <p class="muted">{t('policyLimits')}</p>
          <Failure error={create.error} />
          <ActionFooter
            onLeave={onClose}
            isKept={create.isBusy}
            action={t('createKey')}
            needs={['CreateAccessKey']}
            isBusy={create.isBusy}
          />
        </form>
      )}
    </Dialog>
  );
}

/** A key that was just made. Nothing keeps its secret: with the dialog it is gone. */
function MadeKey({ made, onClose }: { made: Outputs['CreateAccessKey']; onClose: () => void }) {
  const { AccessKey: key, SecretAccessKey: secret = '', Warnings: warnings = [] } = made;
  return (
    <>
      <Notice kind="good">
        <p>
          <strong>{t('keyMade')}</strong>
        </p>
        <dl class="facts">
          <div>
            <dt>{t('accessKeyId')}</dt>
            <dd>
              <Copied text={key?.AccessKeyId ?? ''} />
            </dd>
          </div>
          <div>
            <dt>{t('secretAccessKey')}</dt>
            <dd>
              <Copied text={secret} />
            </dd>
          </div>
        </dl>
      </Notice>
      {warnings.map((warning) => (
        <Notice key={warning} kind="warning">
          <Untrusted text={warning} />
        </Notice>
      ))}
      <CloseFooter onClose={onClose} />
    </>
  );
}
