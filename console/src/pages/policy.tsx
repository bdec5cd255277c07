import { useRef, useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { CodeEditor } from '../parts/code-editor.tsx';
import type { Editor } from '../parts/editor.ts';
import { Failure, Notice } from '../parts/notice.tsx';
import { Page } from '../parts/page.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { session } from '../session.ts';
import { t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import { useSettled } from '../use-settled.ts';
import { Explanation } from './explanation.tsx';
import { MakeKeyDialog } from './make-key-dialog.tsx';
import { type PolicyFault, placeOf, policyFaultOf } from './policy-places.ts';

/** An example to begin with: its key may disconnect the players of the chosen stage. */
function example(game: string, stage: string): string {
  const Resource = `arn:aws:gamesparks:*:*:game/${game || '*'}/stage/${stage || '*'}`;
  const Action = ['gamesparks:DisconnectPlayer', 'gamesparks:GetPlayerConnectionStatus', 'respark:ListPlayers'];
  const Statement = [{ Sid: 'Support', Effect: 'Allow', Action, Resource }];
  return JSON.stringify({ Version: '2012-10-17', Statement }, null, 2);
}

/** What was typed stays in the tab while other pages are looked at, until another person may be at it. */
let typed: string | undefined;

session.subscribe(() => {
  typed = undefined;
});

/** A policy that no key has yet: it is checked while it is typed, can be tried out, and is given to a key. */
export function PolicyPage() {
  const editor = useRef<Editor>(undefined);
  const [text, setText] = useState(() => typed ?? example(place.get().game, place.get().stage));
  const [isMaking, setMaking] = useState(false);
  const settled = useSettled(text);
  // Any call is good for this: what is asked about is the document.
  const check = useCall('ExplainAccess', { Policy: settled, Action: 'respark:GetServerInfo' });
  const fault = policyFaultOf(check.error?.message ?? '', settled);
  // What the check said is not about a text that is still typed.
  const isChecked = text === settled && !check.isLoading;
  const goTo = ({ line, column }: NonNullable<PolicyFault['place']>) => editor.current?.goTo(line, column);
  return (
    <Page
      title={t('writePolicy')}
      actions={
        <Button
          kind="primary"
          needs={['CreateAccessKey']}
          isDisabled={!isChecked || check.error !== undefined}
          onClick={() => setMaking(true)}
        >
          {t('createKeyOfPolicy')}
        </Button>
      }
    >
      <div class="policy">
        <div>
          <CodeEditor
            label={t('policy')}
            language="json"
            text={text}
            onText={(changed) => {
              typed = changed;
              setText(changed);
            }}
            onReady={(ready) => {
              editor.current = ready;
            }}
          />
          {!isChecked && <p class="muted">{t('loading')}</p>}
          {isChecked &&
            (fault === undefined ? <Failure error={check.error} /> : <Fault fault={fault} onPlace={goTo} />)}
          {isChecked && check.data !== undefined && check.error === undefined && (
            <Notice kind="good">
              {t('noPolicyFault')}
              {check.data.Warnings?.map((warning) => (
                <p key={warning}>
                  {t('policyWarning')} <Untrusted text={warning} />
                </p>
              ))}
            </Notice>
          )}
          <p class="muted">{t('policyLimits')}</p>
        </div>
        <Explanation
          subject={{ Policy: text }}
          onPath={(path) => {
            const at = placeOf(text, path);
            if (at !== undefined) goTo(at);
          }}
        />
      </div>
      {isMaking && <MakeKeyDialog grant={{ Policy: text }} onClose={() => setMaking(false)} />}
    </Page>
  );
}

function Fault({
  fault,
  onPlace,
}: {
  fault: PolicyFault;
  onPlace: (place: NonNullable<PolicyFault['place']>) => void;
}) {
  const { words, place: at } = fault;
  return (
    <Notice kind="bad">
      <p>
        <strong>{t('policyFaulty')}</strong> <Untrusted text={words} />
      </p>
      {at !== undefined && <Button onClick={() => onPlace(at)}>{t('goToLine', { line: at.line })}</Button>}
    </Notice>
  );
}
