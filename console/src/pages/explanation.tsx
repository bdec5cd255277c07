import { useState } from 'preact/hooks';
import { actionOf } from '../api/calls.ts';
import { OPERATIONS, type OperationName, type Outputs } from '../api/operations.ts';
import { TextField } from '../parts/fields.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge, Section } from '../parts/page.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import { useSettled } from '../use-settled.ts';
import { policyFaultOf } from './policy-places.ts';

const ACTIONS = Object.keys(OPERATIONS).map((name) => actionOf(name as OperationName));

/** What the question is about: an access key, or a policy that no key need have yet. */
export type Subject = { readonly AccessKeyId: string } | { readonly Policy: string };

/** Whether a call would be allowed, and why, in the words of what decides on calls. */
export function Explanation({ subject, onPath }: { subject: Subject; onPath?: (path: string) => void }) {
  const { game, stage } = place.get();
  const [asked, setAsked] = useState({
    Action: 'gamesparks:DisconnectPlayer',
    GameName: game,
    StageName: stage,
    PlayerId: '',
    SourceAddress: '',
  });
  const question = JSON.stringify({ ...subject, ...asked });
  const settled = useSettled(question);
  const input = JSON.parse(settled) as Subject & typeof asked;
  const answer = useCall('ExplainAccess', input.Action === '' ? undefined : input);
  const { error, data } = answer;
  // While the user still types, the answer to the previous question must not be taken for the answer to this one.
  const isAnswered = settled === question && !answer.isLoading;
  const isFaulty = 'Policy' in input && policyFaultOf(error?.message ?? '', input.Policy) !== undefined;
  const field = (name: keyof typeof asked, label: string, maxLength: number, more: object = {}) => (
    <TextField
      label={label}
      value={asked[name]}
      maxLength={maxLength}
      onValue={(value) => setAsked((before) => ({ ...before, [name]: value.trim() }))}
      {...more}
    />
  );
  return (
    <Section title={t('askedOf')}>
      <p class="muted">{t('askedOfHint')}</p>
      <div class="form">
        {field('Action', t('askAction'), 128, { suggestions: ACTIONS, hint: t('askActionHint') })}
        <div class="pairs">
          {field('GameName', t('game'), 36)}
          {field('StageName', t('stage'), 36)}
          {field('PlayerId', t('playerId'), 44)}
          {field('SourceAddress', t('askAddress'), 45, { hint: t('askAddressHint') })}
        </div>
      </div>
      {!isAnswered && <p class="muted">{t('loading')}</p>}
      {isAnswered && !isFaulty && <Failure error={error} />}
      {isAnswered && data !== undefined && error === undefined && (
        <Decision decision={data} {...(onPath && { onPath })} />
      )}
    </Section>
  );
}

function Decision({ decision, onPath }: { decision: Outputs['ExplainAccess']; onPath?: (path: string) => void }) {
  const { IsAllowed: isAllowed = false, Explanation: words = '', Statements: statements = [] } = decision;
  return (
    <>
      <Notice kind={isAllowed ? 'good' : 'bad'}>
        <strong>{isAllowed ? t('decisionAllowed') : t('decisionDenied')}:</strong> <Untrusted text={words} />
      </Notice>
      <ul class="statements" aria-label={t('statements')}>
        {statements.map(
          ({ Path: path = '', Sid: sid = '', Effect: effect = '', Applies: applies, Explanation: says = '' }) => (
            <li key={path}>
              {onPath === undefined ? (
                <code>{path}</code>
              ) : (
                <button type="button" class="link" onClick={() => onPath(path)}>
                  {path}
                </button>
              )}{' '}
              <Untrusted text={sid} />{' '}
              <Badge kind={applies ? (effect === 'Allow' ? 'good' : 'bad') : 'plain'}>{effect}</Badge>{' '}
              <span class={applies ? 'says' : 'says muted'}>
                <Untrusted text={says} />
              </span>
            </li>
          ),
        )}
      </ul>
    </>
  );
}
