import { useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { faultOfObject } from '../json-object.ts';
import { Button } from '../parts/button.tsx';
import { AreaField, TextField } from '../parts/fields.tsx';
import { Copied, Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Id } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { useSignal } from '../store.ts';
import { counted, formatNumber, t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';

type Sent = Outputs['SendNotificationToStage'];

/** A message from the server to one player or to everybody in the stage, after a look at how many it would reach. */
export function Notifications() {
  const { game, stage } = useSignal(place);
  const [player, setPlayer] = useState('');
  const [type, setType] = useState('');
  const [payload, setPayload] = useState('{}');
  const [step, setStep] = useState<{ asked: string; found: Sent; isSent: boolean }>();
  const toStage = useAction('SendNotificationToStage');
  const toPlayer = useAction('SendNotificationToPlayer');
  const fault = faultOfObject(payload);
  const { isBusy, error } = player === '' ? toStage : toPlayer;
  const asked = JSON.stringify([game, stage, player, type, payload]);
  // What was looked at must be what is sent: whoever changes a word looks again.
  const current = step?.asked === asked ? step : undefined;

  async function send(isDryRun: boolean): Promise<void> {
    if (fault !== undefined) return;
    const input = { GameName: game, StageName: stage, Type: type, Payload: JSON.parse(payload), DryRun: isDryRun };
    const found = await (player === '' ? toStage.run(input) : toPlayer.run({ ...input, PlayerId: player.trim() }));
    if (found !== undefined) setStep({ asked, found: found as Sent, isSent: !isDryRun });
  }

  return (
    <Page title={t('notifications')}>
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
        <TextField
          label={t('notificationType')}
          hint={t('notificationTypeHint')}
          value={type}
          onValue={setType}
          isRequired
          maxLength={128}
        />
        <AreaField label={t('payload')} hint={fault} value={payload} onValue={setPayload} rows={6} isCode />
        <Failure error={error} />
        <Button
          kind="primary"
          type="submit"
          needs={[player === '' ? 'SendNotificationToStage' : 'SendNotificationToPlayer']}
          isBusy={isBusy}
          isDisabled={fault !== undefined}
        >
          {t('showWhatHappens')}
        </Button>
      </form>
      {current !== undefined && (
        <section class="section" aria-live="polite">
          {current.isSent ? (
            <Notice kind="good">
              <p>
                <strong>{counted('notified', current.found.Connections)}</strong>
              </p>
              <p class="muted">
                {t('onRecordAs')} <Copied text={current.found.OperationId} />
              </p>
            </Notice>
          ) : (
            <Notice kind="warning">
              <p>
                <strong>{counted('wouldNotify', current.found.Connections)}</strong> {t('nothingDoneYet')}
              </p>
              <p>
                <Button kind="primary" isBusy={isBusy} onClick={() => send(false)}>
                  {counted('notifyNow', current.found.Connections)}
                </Button>
              </p>
            </Notice>
          )}
          <Reach nodes={current.found.Nodes ?? []} isSent={current.isSent} />
        </section>
      )}
    </Page>
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
