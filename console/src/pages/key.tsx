import { useState } from 'preact/hooks';
import { Failure } from '../parts/notice.tsx';
import { Page, Section } from '../parts/page.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { useAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { linkTo, route } from '../route.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import { Explanation } from './explanation.tsx';
import { KeyState, RevokeButton, RevokeDialog } from './keys.tsx';

/** One key: what it may do, and why. */
export function KeyPage() {
  const { query } = useSignal(route);
  const at = useSignal(place);
  const id = query.key ?? '';
  const isAllowed = useAllowed();
  const [isRevoking, setRevoking] = useState(false);
  const answer = useCall('GetAccessKey', id === '' ? undefined : { AccessKeyId: id });
  const key = answer.data?.AccessKey;
  const isActive = key?.State === 'ACTIVE';
  return (
    <Page
      title={<Id id={id} />}
      actions={
        key && (
          <>
            {isAllowed('ListAuditRecords') && (
              <a class="button" href={linkTo('audit', { ...at, actor: id })}>
                {t('keyHistory')}
              </a>
            )}
            {isActive && <RevokeButton accessKey={key} onOpen={() => setRevoking(true)} />}
          </>
        )
      }
    >
      <Failure error={answer.error} />
      {key && (
        <div class="policy">
          <div>
            <Section title={t('details')}>
              <dl class="facts card">
                <div>
                  <dt>{t('description')}</dt>
                  <dd>
                    <Untrusted text={key.Description || '–'} />
                  </dd>
                </div>
                {key.Subject !== undefined && (
                  <div>
                    <dt>{t('keySubject')}</dt>
                    <dd>
                      <Untrusted text={key.Subject} />
                    </dd>
                  </div>
                )}
                <div>
                  <dt>{t('state')}</dt>
                  <dd>
                    <KeyState accessKey={key} />
                  </dd>
                </div>
                <div>
                  <dt>{t('created')}</dt>
                  <dd>
                    <Time at={key.Created} />
                  </dd>
                </div>
              </dl>
            </Section>
            <Section title={t('policy')}>
              {key.Policy === undefined ? (
                <p>{t('keyRootMay')}</p>
              ) : (
                <div class="card">
                  <Untrusted text={indented(key.Policy)} keepsLines isWhole />
                </div>
              )}
            </Section>
          </div>
          {isActive && isAllowed('ExplainAccess') && <Explanation subject={{ AccessKeyId: id }} />}
        </div>
      )}
      {isRevoking && key && <RevokeDialog accessKey={key} onClose={() => setRevoking(false)} onDone={answer.reload} />}
    </Page>
  );
}

/** Documents may be stored in one line. */
function indented(policy: string): string {
  try {
    return JSON.stringify(JSON.parse(policy), null, 2);
  } catch {
    return policy;
  }
}
