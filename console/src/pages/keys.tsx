import { useState } from 'preact/hooks';
import type { Inputs, Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { SelectField } from '../parts/fields.tsx';
import { More } from '../parts/more.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { useAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { linkTo } from '../route.ts';
import { say } from '../said.ts';
import { session } from '../session.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';
import { usePages } from '../use-pages.ts';
import { MakeKeyDialog } from './make-key-dialog.tsx';

export type ListedKey = NonNullable<Outputs['ListAccessKeys']['AccessKeys']>[number];

/** Who may sign calls: every access key, those that were revoked or have expired at the end. */
export function Keys() {
  const at = useSignal(place);
  const [open, setOpen] = useState<'create' | ListedKey>();
  const isAllowed = useAllowed();
  const keys = usePages('ListAccessKeys', {}, ({ AccessKeys }) => AccessKeys);
  const rank = ({ State }: ListedKey) => (State === 'ACTIVE' ? 0 : 1);
  const rows = keys.items?.toSorted((a, b) => rank(a) - rank(b) || ((a.Created ?? '') < (b.Created ?? '') ? 1 : -1));
  const close = () => setOpen(undefined);
  return (
    <Page
      title={t('accessKeys')}
      actions={
        <>
          {isAllowed('ExplainAccess') && (
            <a class="button" href={linkTo('policy', { ...at })}>
              {t('writePolicy')}
            </a>
          )}
          <Button kind="primary" needs={['CreateAccessKey']} onClick={() => setOpen('create')}>
            {t('createKeyOpen')}
          </Button>
        </>
      }
    >
      <Table
        title={t('accessKeys')}
        answer={keys}
        rows={rows}
        keyOf={({ AccessKeyId: id = '' }) => id}
        columns={[
          {
            head: t('accessKey'),
            cell: (key) => (
              <>
                <a href={linkTo('key', { ...at, key: key.AccessKeyId })}>
                  <Id id={key.AccessKeyId ?? ''} />
                </a>
                <div class="muted">
                  <Untrusted text={key.Description ?? ''} />
                </div>
                {key.Subject !== undefined && (
                  <div class="muted">
                    {t('keySubject')}: <Untrusted text={key.Subject} />
                  </div>
                )}
              </>
            ),
          },
          { head: t('state'), cell: (key) => <KeyState accessKey={key} /> },
          { head: t('created'), isMinor: true, cell: ({ Created }) => <Time at={Created} /> },
          {
            head: t('action'),
            isAction: true,
            cell: (key) => (
              <div class="actions">
                {isAllowed('ListAuditRecords') && (
                  <a class="button" href={linkTo('audit', { ...at, actor: key.AccessKeyId })}>
                    {t('keyHistory')}
                  </a>
                )}
                {key.State === 'ACTIVE' && <RevokeButton accessKey={key} onOpen={() => setOpen(key)} />}
              </div>
            ),
          },
        ]}
        empty={<p>{t('noKeys')}</p>}
      />
      <More pages={keys} />
      {open === 'create' && <CreateDialog onClose={close} onDone={keys.reload} />}
      {typeof open === 'object' && <RevokeDialog accessKey={open} onClose={close} onDone={keys.reload} />}
    </Page>
  );
}

const STATES = { ACTIVE: 'keyActive', REVOKED: 'keyRevoked', EXPIRED: 'keyExpired' } as const;

export function KeyState({ accessKey }: { accessKey: ListedKey }) {
  const { accessKeyId } = session.get() ?? {};
  const { State: state = 'ACTIVE', Revoked: revoked, Expires: expires } = accessKey;
  return (
    <>
      <Badge kind={state === 'ACTIVE' ? 'good' : 'plain'}>{t(STATES[state])}</Badge>{' '}
      {accessKey.IsRoot && <Badge kind="warning">{t('keyRoot')}</Badge>}{' '}
      {accessKey.AccessKeyId === accessKeyId && <Badge kind="plain">{t('keyOwn')}</Badge>}
      {state === 'ACTIVE' && expires !== undefined && (
        <div class="muted">
          {t('expires')} <Time at={expires} />
        </div>
      )}
      {state !== 'ACTIVE' && (
        <div class="muted">
          <Time at={state === 'REVOKED' ? revoked : expires} />
        </div>
      )}
    </>
  );
}

export function RevokeButton({ accessKey, onOpen }: { accessKey: ListedKey; onOpen: () => void }) {
  const isOwn = accessKey.AccessKeyId === session.get()?.accessKeyId;
  const refusal = isOwn ? t('revokeNotOwn') : accessKey.IsRoot ? t('revokeNotRoot') : undefined;
  return (
    <Button
      kind="danger"
      label={`${t('revoke')} ${accessKey.AccessKeyId}`}
      needs={['RevokeAccessKey']}
      refusal={refusal}
      onClick={onOpen}
    >
      {t('revoke')}
    </Button>
  );
}

const ROLES = [
  ['viewer', 'roleViewer'],
  ['moderator', 'roleModerator'],
  ['operator', 'roleOperator'],
  ['developer', 'roleDeveloper'],
  ['admin', 'roleAdmin'],
] as const;

function CreateDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  // The browser's Back may lead to another game while the dialog is open. The dialog stays with what was chosen.
  const [{ game, stage }] = useState(place.get);
  const [role, setRole] = useState<(typeof ROLES)[number][0]>('viewer');
  const [where, setWhere] = useState('');
  const limits: Readonly<Record<string, Inputs['CreateAccessKey']>> = {
    game: { GameName: game },
    stage: { GameName: game, StageName: stage },
  };
  return (
    <MakeKeyDialog grant={{ Role: role, ...limits[where] }} onClose={onClose} onDone={onDone}>
      <SelectField
        label={t('mayDo')}
        value={role}
        onValue={(value) => setRole(ROLES.find(([each]) => each === value)?.[0] ?? 'viewer')}
        options={ROLES.map(([value, key]) => [value, t(key)] as const)}
      />
      <SelectField
        label={t('limitedTo')}
        value={where}
        onValue={setWhere}
        options={[
          ['', t('allGames')],
          ...(game === '' ? [] : [['game', game] as const]),
          ...(stage === '' ? [] : [['stage', t('itsStage', { game, stage })] as const]),
        ]}
      />
    </MakeKeyDialog>
  );
}

export function RevokeDialog({
  accessKey,
  onClose,
  onDone,
}: {
  accessKey: ListedKey;
  onClose: () => void;
  onDone: () => void;
}) {
  const revoke = useAction('RevokeAccessKey');
  return (
    <Confirm
      title={t('revokeKey')}
      action={t('revokeKey')}
      needs={['RevokeAccessKey']}
      isBusy={revoke.isBusy}
      error={revoke.error}
      onClose={onClose}
      onConfirm={async () => {
        const { AccessKeyId: key = '' } = accessKey;
        if ((await revoke.run({ AccessKeyId: key })) === undefined) return;
        say(t('keyRevokedNow', { key }));
        onDone();
        onClose();
      }}
    >
      <p class="subject">
        <Id id={accessKey.AccessKeyId ?? ''} /> <Untrusted text={accessKey.Description ?? ''} />
      </p>
      <p>{t('revokeExplained')}</p>
    </Confirm>
  );
}
