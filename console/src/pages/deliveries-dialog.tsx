import type { Outputs } from '../api/operations.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Badge } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { counted, t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';

type Delivery = NonNullable<Outputs['ListWebhookDeliveries']['Deliveries']>[number];

const OUTCOMES = {
  DELIVERED: ['good', 'deliveryDone'],
  GIVEN_UP: ['bad', 'deliveryGivenUp'],
  SWITCHED_OFF: ['bad', 'deliverySwitchedOff'],
  TO_BE_RETRIED: ['warning', 'deliveryWaits'],
} as const;

/** What a webhook has sent lately, and what came of it, kept up to date. */
export function DeliveriesDialog({
  gameName,
  webhookId,
  url,
  onClose,
}: {
  gameName: string;
  webhookId: string;
  url: string;
  onClose: () => void;
}) {
  const named = { GameName: gameName, WebhookId: webhookId };
  const answer = useCall('ListWebhookDeliveries', named, { everyMs: 2_000 });
  const { Deliveries, Waiting } = answer.data ?? {};
  return (
    <Dialog title={t('deliveries')} onClose={onClose}>
      <p class="subject">
        <Untrusted text={url} />
      </p>
      {answer.data !== undefined && (
        <p>{Waiting === undefined ? t('notDelivering') : counted('eventsWait', Waiting)}</p>
      )}
      <Table
        title={t('deliveries')}
        answer={answer}
        rows={Deliveries}
        keyOf={({ EventId, Time: at, Attempt }) => `${EventId} ${at} ${Attempt}`}
        columns={[
          { head: t('time'), cell: ({ Time: at }) => <Time at={at} /> },
          { head: t('deliveryEvent'), cell: (delivery) => <Event delivery={delivery} /> },
          { head: t('attempt'), isMinor: true, isNumber: true, cell: ({ Attempt }) => Attempt },
          { head: t('deliveryAnswer'), cell: (delivery) => <AnswerOf delivery={delivery} /> },
          { head: t('outcome'), cell: (delivery) => <OutcomeOf delivery={delivery} /> },
        ]}
        empty={
          <>
            <p>{t('noDeliveries')}</p>
            <p class="muted">{t('noDeliveriesAdvice')}</p>
          </>
        }
      />
    </Dialog>
  );
}

function Event({ delivery: { EventType = '', EventId = '', Position } }: { delivery: Delivery }) {
  return (
    <>
      <Untrusted text={EventType} />
      <div class="muted">
        <Id id={EventId} isShort /> #{Position}
      </div>
    </>
  );
}

function AnswerOf({ delivery: { Status, Error: why, DurationMillis = 0 } }: { delivery: Delivery }) {
  return (
    <>
      {Status ?? <Untrusted text={why ?? '–'} />}
      <div class="muted">{t('deliveryTakes', { ms: DurationMillis })}</div>
    </>
  );
}

function OutcomeOf({ delivery: { Outcome = 'TO_BE_RETRIED', NextAttempt } }: { delivery: Delivery }) {
  const [kind, text] = OUTCOMES[Outcome];
  return (
    <>
      <Badge kind={kind}>{t(text)}</Badge>
      {NextAttempt !== undefined && (
        <div class="muted">
          {t('deliveryAgain')} <Time at={NextAttempt} />
        </div>
      )}
    </>
  );
}
