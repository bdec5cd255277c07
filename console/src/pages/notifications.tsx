import { useMemo, useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { SelectField, TextField } from '../parts/fields.tsx';
import { Copied, Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { useAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { linkTo } from '../route.ts';
import { useSignal } from '../store.ts';
import { counted, formatNumber, t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';
import { type GameMessage, notificationsOf } from './harness-messages.ts';
import { PayloadFields, usePayload } from './payload-fields.tsx';
import { useDeployed } from './use-deployed.ts';

type Sent = Outputs['SendNotificationToStage'];

const SECTIONS = ['GameSparks.Core.Notifications', 'GameSparks.Core.Model'];

/** A message from the server to one player or to everybody in the stage, after a look at how many it would reach. */
export function Notifications() {
  const { game, stage } = useSignal(place);
  const isAllowed = useAllowed();
  const mayRead = isAllowed('ListStageDeployments', 'GetSnapshot');
  const { deployed, sections, isKnown, error } = useDeployed(mayRead && stage !== '' ? { game, stage } : undefined, {
    sections: SECTIONS,
  });
  const messages = useMemo(() => sections && notificationsOf(sections), [sections]);
  const isUnread = !mayRead || error !== undefined;
  const hasNone = messages?.length === 0 || (isKnown && deployed === undefined);
  return (
    <Page title={t('notifications')}>
      {hasNone ? (
        <NoNotifications isDeployed={deployed !== undefined} />
      ) : messages === undefined && !isUnread ? (
        <p class="muted">{t('loading')}</p>
      ) : (
        <NotificationForm messages={messages} sections={sections} />
      )}
    </Page>
  );
}

function NoNotifications({ isDeployed }: { isDeployed: boolean }) {
  const at = useSignal(place);
  const isAllowed = useAllowed();
  return (
    <div class="empty">
      <p>{t(isDeployed ? 'noNotifications' : 'nothingDeployed')}</p>
      <p class="muted">{t('noNotificationsAdvice')}</p>
      {isAllowed('GetGameConfiguration') && (
        <p>
          <a class="button" href={linkTo('configuration', { ...at, make: 'Notification' })}>
            {t('makeNotification')}
          </a>
        </p>
      )}
    </div>
  );
}

/** People who may not read what is deployed get no list to choose from: they write the type and the payload themselves. */
function NotificationForm({
  messages,
  sections,
}: {
  messages: readonly GameMessage[] | undefined;
  sections: Parameters<typeof usePayload>[0];
}) {
  const { game, stage } = useSignal(place);
  const [player, setPlayer] = useState('');
  const [typed, setTyped] = useState('');
  const [step, setStep] = useState<{ asked: string; found: Sent; isSent: boolean }>();
  const toStage = useAction('SendNotificationToStage');
  const toPlayer = useAction('SendNotificationToPlayer');
  const message = messages?.find(({ type }) => type === typed) ?? messages?.[0];
  const type = message?.type ?? typed;
  const payload = usePayload(sections, message && { key: message.type, shape: message.shape });
  // A field of spaces looks empty, which means everybody.
  const named = player.trim();
  const { isBusy, error } = named === '' ? toStage : toPlayer;
  const asked = JSON.stringify([game, stage, named, type, payload.text]);
  // Only what was looked at may be sent: after any change, a person looks again.
  const current = step?.asked === asked ? step : undefined;

  async function send(isDryRun: boolean): Promise<void> {
    if (payload.fault !== undefined) return;
    const Payload = JSON.parse(payload.text);
    const input = { GameName: game, StageName: stage, Type: type, Payload, DryRun: isDryRun };
    const found = await (named === '' ? toStage.run(input) : toPlayer.run({ ...input, PlayerId: named }));
    if (found !== undefined) setStep({ asked, found: found as Sent, isSent: !isDryRun });
  }

  return (
    <>
      <form
        class="card form"
        onSubmit={(event) => {
          event.preventDefault();
          void send(true);
        }}
      >
        <p class="muted">{t('notificationsExplained')}</p>
        <TextField
          label={t('toPlayer')}
          hint={t('toPlayerHint')}
          value={player}
          onValue={setPlayer}
          maxLength={44}
          placeholder={t('everybody')}
        />
        {messages === undefined ? (
          <TextField
            label={t('notificationType')}
            hint={t('notificationTypeHint')}
            value={typed}
            onValue={setTyped}
            isRequired
            maxLength={128}
          />
        ) : (
          <SelectField
            label={t('notificationType')}
            value={type}
            onValue={setTyped}
            options={messages.map((each) => [each.type, each.type] as const)}
          />
        )}
        {message !== undefined && message.description !== '' && (
          <p class="muted">
            <Untrusted text={message.description} />
          </p>
        )}
        <PayloadFields payload={payload} />
        <Failure error={error} />
        <Button
          kind="primary"
          type="submit"
          needs={[named === '' ? 'SendNotificationToStage' : 'SendNotificationToPlayer']}
          isBusy={isBusy}
          isDisabled={payload.fault !== undefined}
        >
          {t('showWhatHappens')}
        </Button>
      </form>
      {current !== undefined && (
        <Step step={current} isBusy={isBusy} isTried={error !== undefined} onSend={() => send(false)} />
      )}
    </>
  );
}

/** How many it would reach, or has reached. */
function Step({
  step: { found, isSent },
  isBusy,
  isTried,
  onSend,
}: {
  step: { found: Sent; isSent: boolean };
  isBusy: boolean;
  /** Whether the server was told to send it, and has not said that it did. */
  isTried: boolean;
  onSend: () => void;
}) {
  return (
    <section class="section" aria-live="polite">
      {isSent ? (
        <Notice kind="good">
          <p>
            <strong>{counted('notified', found.Connections)}</strong>
          </p>
          <p class="muted">
            {t('onRecordAs')} <Copied text={found.OperationId} />
          </p>
        </Notice>
      ) : (
        <Notice kind="warning">
          <p>
            <strong>{counted('wouldNotify', found.Connections)}</strong> {!isTried && t('nothingDoneYet')}
          </p>
          <p>
            <Button kind="primary" isBusy={isBusy} onClick={onSend}>
              {counted('notifyNow', found.Connections)}
            </Button>
          </p>
        </Notice>
      )}
      <Reach nodes={found.Nodes ?? []} isSent={isSent} />
    </section>
  );
}

function Reach({ nodes, isSent }: { nodes: Sent['Nodes']; isSent: boolean }) {
  if (nodes.length === 0) return null;
  return (
    <Table
      title={t('nodes')}
      answer={{ error: undefined, isLoading: false }}
      rows={nodes}
      keyOf={({ Node = '' }) => Node}
      columns={[
        { head: t('node'), cell: ({ Node = '' }) => <Id id={Node} /> },
        { head: t('connections'), isNumber: true, cell: ({ Connections = 0 }) => formatNumber(Connections) },
        {
          head: t('outcome'),
          cell: ({ Outcome: outcome }) =>
            outcome === 'UNKNOWN' ? (
              <Badge kind="warning">{t('nodeDidNotAnswer')}</Badge>
            ) : isSent ? (
              <Badge kind="good">{t('nodeAnswered')}</Badge>
            ) : (
              <Badge kind="plain">{t('nodeWouldSend')}</Badge>
            ),
        },
      ]}
      empty={<p>–</p>}
    />
  );
}
