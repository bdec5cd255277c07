import { useState } from 'preact/hooks';
import { EVENT_TYPES, type Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter, CloseFooter } from '../parts/dialog-footer.tsx';
import { CheckField, SelectField, TextField } from '../parts/fields.tsx';
import { Copied, Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { say } from '../said.ts';
import { onServer } from '../session.ts';
import { useSignal } from '../store.ts';
import { formatTime, t } from '../texts/language.ts';
import { useAction, useCall } from '../use-call.ts';
import { DeliveriesDialog } from './deliveries-dialog.tsx';

type Webhook = NonNullable<Outputs['ListWebhooks']['Webhooks']>[number];

/** Which dialog is open, and of which webhook. */
type Opened = { kind: 'create' } | { kind: 'delete' | 'replay' | 'deliveries' | 'switch'; webhook: Webhook };

/** The webhooks that are told of what happens in the game, and whether that works. */
export function Webhooks() {
  const { game } = useSignal(place);
  const [open, setOpen] = useState<Opened>();
  const webhooks = useCall('ListWebhooks', game === '' ? undefined : { GameName: game }, { everyMs: 5_000 });
  const close = () => setOpen(undefined);
  return (
    <Page
      title={t('webhooks')}
      actions={
        <Button kind="primary" needs={['CreateWebhook']} onClick={() => setOpen({ kind: 'create' })}>
          {t('createWebhookOpen')}
        </Button>
      }
    >
      <Table
        title={t('webhooks')}
        answer={webhooks}
        rows={webhooks.data?.Webhooks}
        keyOf={({ Id: id = '' }) => id}
        columns={[
          {
            head: t('receiver'),
            cell: ({ Url = '', Description = '' }) => (
              <>
                <Untrusted text={Url} />
                <div class="muted">
                  <Untrusted text={Description} />
                </div>
              </>
            ),
          },
          {
            head: t('state'),
            cell: ({ State, Reason }) => (
              <>
                <Badge kind={State === 'ENABLED' ? 'good' : 'warning'}>
                  {State === 'ENABLED' ? t('webhookOn') : t('webhookOff')}
                </Badge>
                {Reason !== undefined && (
                  <div class="muted">
                    <Untrusted text={Reason} />
                  </div>
                )}
              </>
            ),
          },
          {
            head: t('events'),
            isMinor: true,
            cell: ({ EventTypes = [] }) => (EventTypes.length === 0 ? t('allEvents') : EventTypes.join(', ')),
          },
          { head: t('changed'), isMinor: true, cell: ({ LastUpdated }) => <Time at={LastUpdated} /> },
          {
            head: t('action'),
            isAction: true,
            cell: (webhook) => <Actions webhook={webhook} onOpen={setOpen} />,
          },
        ]}
        empty={
          <>
            <p>{t('noWebhooks')}</p>
            <p class="muted">{t('noWebhooksAdvice')}</p>
          </>
        }
      />
      {open?.kind === 'create' && <CreateDialog onClose={close} onDone={webhooks.reload} />}
      {open?.kind === 'delete' && <DeleteDialog webhook={open.webhook} onClose={close} onDone={webhooks.reload} />}
      {open?.kind === 'switch' && <SwitchDialog webhook={open.webhook} onClose={close} onDone={webhooks.reload} />}
      {open?.kind === 'replay' && <ReplayDialog webhook={open.webhook} onClose={close} />}
      {open?.kind === 'deliveries' && (
        <DeliveriesDialog
          gameName={open.webhook.GameName ?? ''}
          webhookId={open.webhook.Id ?? ''}
          url={open.webhook.Url ?? ''}
          onClose={close}
        />
      )}
    </Page>
  );
}

function Actions({ webhook, onOpen }: { webhook: Webhook; onOpen: (what: Opened) => void }) {
  const test = useAction('TestWebhook');
  const isOn = webhook.State === 'ENABLED';
  const named = (action: string) => `${action} ${webhook.Url}`;
  const buttons = [
    ['replay', t('replayOpen'), 'ReplayWebhook', 'plain'],
    ['deliveries', t('deliveriesOpen'), 'ListWebhookDeliveries', 'plain'],
    ['switch', isOn ? t('switchOffOpen') : t('switchOnOpen'), 'UpdateWebhook', 'plain'],
    ['delete', t('delete'), 'DeleteWebhook', 'danger'],
  ] as const;
  return (
    <>
      <div class="actions">
        <Button
          label={named(t('test'))}
          needs={['TestWebhook']}
          isBusy={test.isBusy}
          onClick={() => test.run({ GameName: webhook.GameName ?? '', WebhookId: webhook.Id ?? '' })}
        >
          {t('test')}
        </Button>
        {buttons.map(([opens, name, operation, kind]) => (
          <Button
            key={opens}
            kind={kind}
            label={named(name)}
            needs={[operation]}
            onClick={() => onOpen({ kind: opens, webhook })}
          >
            {name}
          </Button>
        ))}
      </div>
      {test.data !== undefined && (
        <Notice kind={test.data.IsAccepted ? 'good' : 'bad'}>
          {test.data.IsAccepted ? t('testAccepted', { status: `${test.data.Status ?? ''}` }) : t('testRefused')}{' '}
          {!test.data.IsAccepted && <Untrusted text={test.data.Message ?? `${test.data.Status ?? ''}`} />}
        </Notice>
      )}
      <Failure error={test.error} />
    </>
  );
}

/** Names the webhook, because the list is read again and again, and another row may move to where a person clicks. */
function SwitchDialog({ webhook, onClose, onDone }: { webhook: Webhook; onClose: () => void; onDone: () => void }) {
  const update = useAction('UpdateWebhook');
  const isOn = webhook.State === 'ENABLED';
  const name = t(isOn ? 'switchOff' : 'switchOn');
  return (
    <Confirm
      title={name}
      action={name}
      kind={isOn ? 'danger' : 'primary'}
      needs={['UpdateWebhook']}
      isBusy={update.isBusy}
      error={update.error}
      onClose={onClose}
      onConfirm={async () => {
        const named = { GameName: webhook.GameName ?? '', WebhookId: webhook.Id ?? '' };
        if ((await update.run({ ...named, IsEnabled: !isOn })) === undefined) return;
        say(t(isOn ? 'switchedOff' : 'switchedOn', { url: webhook.Url ?? '' }));
        onDone();
        onClose();
      }}
    >
      <p class="subject">
        <Untrusted text={webhook.Url ?? ''} />
      </p>
      <p>{t(isOn ? 'switchOffExplained' : 'switchOnExplained')}</p>
    </Confirm>
  );
}

function CreateDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const { game, stage } = place.get();
  const [url, setUrl] = useState('');
  const [description, setDescription] = useState('');
  const [types, setTypes] = useState<ReadonlySet<string>>(new Set());
  const [where, setWhere] = useState('game');
  const create = useAction('CreateWebhook');
  const secret = create.data?.Secret;
  return (
    <Dialog title={t('createWebhook')} onClose={onClose} isKept={create.isBusy || secret !== undefined}>
      {secret !== undefined ? (
        <>
          <Notice kind="good">
            <p>
              <strong>{t('secretShownOnce')}</strong>
            </p>
            <p>
              <Copied text={secret} />
            </p>
          </Notice>
          <CloseFooter onClose={onClose} />
        </>
      ) : (
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            const EventTypes = EVENT_TYPES.filter((type) => types.has(type));
            const input = { GameName: game, Url: url, Description: description || undefined, EventTypes };
            await create.run(where === 'stage' ? { ...input, Stages: [stage] } : input);
            onDone();
          }}
        >
          <TextField label={t('url')} type="url" value={url} onValue={setUrl} isRequired placeholder="https://" />
          <TextField label={t('description')} value={description} onValue={setDescription} maxLength={256} />
          <fieldset class="checks">
            <legend>{t('events')}</legend>
            {EVENT_TYPES.map((type) => (
              <CheckField
                key={type}
                label={type}
                isChecked={types.has(type)}
                onCheck={(isChecked) =>
                  setTypes(new Set(EVENT_TYPES.filter((each) => (each === type ? isChecked : types.has(each)))))
                }
              />
            ))}
            <small class="hint">{t('eventsHint')}</small>
          </fieldset>
          <SelectField
            label={t('where')}
            value={where}
            onValue={setWhere}
            options={[
              ['game', t('inGame', { game })],
              ['stage', t('inStage', { stage })],
            ]}
          />
          <Failure error={create.error} />
          <ActionFooter
            onLeave={onClose}
            isKept={create.isBusy}
            action={t('createWebhook')}
            needs={['CreateWebhook']}
            isBusy={create.isBusy}
          />
        </form>
      )}
    </Dialog>
  );
}

function DeleteDialog({ webhook, onClose, onDone }: { webhook: Webhook; onClose: () => void; onDone: () => void }) {
  const remove = useAction('DeleteWebhook');
  return (
    <Confirm
      title={t('deleteWebhook')}
      action={t('deleteWebhook')}
      needs={['DeleteWebhook']}
      isBusy={remove.isBusy}
      error={remove.error}
      onClose={onClose}
      onConfirm={async () => {
        const done = await remove.run({ GameName: webhook.GameName ?? '', WebhookId: webhook.Id ?? '' });
        if (done === undefined) return;
        say(t('webhookDeleted', { url: webhook.Url ?? '' }));
        onDone();
        onClose();
      }}
    >
      <p class="subject">
        <Untrusted text={webhook.Url ?? ''} />
      </p>
      <p>{t('deleteWebhookExplained')}</p>
    </Confirm>
  );
}

const REPLAYED = [
  ['1', 'hours1'],
  ['24', 'days1'],
] as const;

function ReplayDialog({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const replay = useAction('ReplayWebhook');
  const [hours, setHours] = useState('1');
  const [openedAt] = useState(Date.now);
  const since = new Date(onServer(openedAt) - Number(hours) * 3_600_000);
  return (
    <Confirm
      title={t('replay')}
      action={t('replay')}
      kind="primary"
      needs={['ReplayWebhook']}
      isBusy={replay.isBusy}
      error={replay.error}
      onClose={onClose}
      onConfirm={async () => {
        const named = { GameName: webhook.GameName ?? '', WebhookId: webhook.Id ?? '' };
        if ((await replay.run({ ...named, Since: since.toISOString() })) === undefined) return;
        say(t('replayed', { url: webhook.Url ?? '', since: formatTime(since) }));
        onClose();
      }}
    >
      <p class="subject">
        <Untrusted text={webhook.Url ?? ''} />
      </p>
      <SelectField
        label={t('atMostBefore')}
        value={hours}
        onValue={setHours}
        options={REPLAYED.map(([value, key]) => [value, t(key)] as const)}
      />
      <p>{t('replayExplained', { since: formatTime(since) })}</p>
    </Confirm>
  );
}
