import type { Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { Copied, Notice } from '../parts/notice.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { t } from '../texts/language.ts';

/** A key that was just made. Nothing keeps its secret: with the dialog it is gone. */
export function MadeKey({ made, onClose }: { made: Outputs['CreateAccessKey']; onClose: () => void }) {
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
      <footer>
        <Button kind="primary" onClick={onClose}>
          {t('close')}
        </Button>
      </footer>
    </>
  );
}
