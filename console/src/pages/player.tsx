import { useState } from 'preact/hooks';
import type { CallError } from '../api/calls.ts';
import { Button } from '../parts/button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { ActionFooter, CloseFooter } from '../parts/dialog-footer.tsx';
import { CheckField } from '../parts/fields.tsx';
import { LoadingPage } from '../parts/later.tsx';
import { More } from '../parts/more.tsx';
import { Failure, Notice } from '../parts/notice.tsx';
import { Badge, Page, Section } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Since, Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { useAllowed, useSurelyAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { route } from '../route.ts';
import { useSignal } from '../store.ts';
import { counted, t } from '../texts/language.ts';
import { useAction, useCall } from '../use-call.ts';
import { useIsGone } from '../use-is-gone.ts';
import { usePages } from '../use-pages.ts';
import { AuditTable, placeOf } from './audit-table.tsx';
import { BlockDialog } from './block-dialog.tsx';
import { EndedNotice, sayEnded } from './ended-notice.tsx';
import { KickDialog } from './kick-dialog.tsx';
import { LogTable } from './log-table.tsx';
import { PlayerData } from './player-data.tsx';
import { UnblockDialog } from './unblock-dialog.tsx';

const LIVE_MS = 2_000;
/** Blocks change less often. */
const BLOCK_LOOK_MS = 5_000;

/** One player: where they are, what keeps them out, what they and others have done. */
export function PlayerPage() {
  const { stage } = useSignal(place);
  const { query } = useSignal(route);
  const player = query.player ?? '';
  const isAllowed = useSurelyAllowed();
  const [open, setOpen] = useState<{ kick?: string | 'all'; block?: true; revoke?: true }>({});
  const [round, setRound] = useState(0);
  const done = () => setRound((before) => before + 1);
  const close = () => setOpen({});
  if (stage === '' || player === '') return <LoadingPage />;
  return (
    <Page
      title={
        <>
          {t('player')} <Id id={player} />
        </>
      }
      actions={
        <>
          <Button needs={['RevokePlayerTokens']} onClick={() => setOpen({ revoke: true })}>
            {t('revokeTokensOpen')}
          </Button>
          <Button needs={['BlockPlayer']} onClick={() => setOpen({ block: true })}>
            {t('blockOpen')}
          </Button>
          <Button kind="danger" needs={['DisconnectPlayer']} onClick={() => setOpen({ kick: 'all' })}>
            {t('kickAll')}
          </Button>
        </>
      }
    >
      <BlockState key={`block ${round}`} player={player} />
      <Connections player={player} round={round} onKick={(kick) => setOpen({ kick })} />
      {isAllowed('ListStageLogLines') && <Logs player={player} />}
      {isAllowed('ListAuditRecords') && <History key={`history ${round}`} player={player} />}
      {isAllowed('GetPlayerData') && <PlayerData player={player} onDone={done} />}
      {open.kick !== undefined && (
        <KickDialog
          player={player}
          connectionId={open.kick === 'all' ? undefined : open.kick}
          onClose={close}
          onDone={done}
        />
      )}
      {open.block && <BlockDialog player={player} onClose={close} onDone={done} />}
      {open.revoke && <RevokeDialog player={player} onClose={close} onDone={done} />}
    </Page>
  );
}

function Connections({
  player,
  round,
  onKick,
}: {
  player: string;
  round: number;
  onKick: (connectionId: string) => void;
}) {
  const { game, stage } = place.get();
  const isAllowed = useAllowed();
  const input = { GameName: game, StageName: stage };
  const isDetailed = isAllowed('ListConnections');
  // The exact id comes first among those that begin with it, so the first page has it.
  const detailed = useCall('ListConnections', isDetailed ? { ...input, PlayerIdPrefix: player } : undefined, {
    everyMs: LIVE_MS,
  });
  const plain = useCall('GetPlayerConnectionStatus', isDetailed ? undefined : { ...input, PlayerId: player }, {
    everyMs: LIVE_MS,
  });
  const answer = isDetailed ? detailed : plain;
  const rows: readonly Connected[] | undefined = isDetailed
    ? detailed.data?.Connections.filter(({ PlayerId }) => PlayerId === player)
    : plain.data?.Connections;
  return (
    <Section
      key={`connections ${round}`}
      title={rows === undefined ? t('connections') : `${t('connections')} (${rows.length})`}
    >
      <Table
        title={t('connections')}
        answer={answer}
        rows={rows}
        keyOf={({ Id: id = '' }) => id}
        columns={[
          { head: t('connection'), cell: ({ Id: id = '' }) => <Id id={id} /> },
          { head: t('onlineFor'), cell: ({ Created }) => <Since at={Created} /> },
          { head: t('address'), cell: ({ AddressGroup }) => AddressGroup ?? '–' },
          { head: t('node'), isMinor: true, cell: ({ Node }) => (Node === undefined ? '–' : <Id id={Node} isShort />) },
          { head: t('runtime'), isMinor: true, cell: ({ RuntimeId = '–' }) => <Id id={RuntimeId} isShort /> },
          {
            head: t('action'),
            isAction: true,
            cell: ({ Id: id = '' }) => (
              <Button needs={['DisconnectPlayer']} label={`${t('kick')} ${id}`} onClick={() => onKick(id)}>
                {t('kick')}
              </Button>
            ),
          },
        ]}
        empty={<p>{t('notOnline')}</p>}
      />
    </Section>
  );
}

interface Connected {
  readonly Id?: string;
  readonly Created?: string;
  readonly AddressGroup?: string;
  readonly Node?: string;
  readonly RuntimeId?: string;
}

/** Whether the player is kept out of this stage or of the whole game, by whom and until when. */
function BlockState({ player }: { player: string }) {
  const { game, stage } = place.get();
  const isAllowed = useSurelyAllowed();
  const input = { GameName: game, PlayerId: player };
  const now = { everyMs: BLOCK_LOOK_MS };
  const inStage = useCall('GetBlock', isAllowed('GetBlock') ? { ...input, StageName: stage } : undefined, now);
  const inGame = useCall('GetBlockInGame', isAllowed('GetBlockInGame') ? input : undefined, now);
  const [lifted, setLifted] = useState<{ isInGame: boolean }>();
  const blocks = [
    { name: t('inStage', { stage }), found: inStage, isInGame: false },
    { name: t('inGame', { game }), found: inGame, isInGame: true },
  ];
  const done = () => {
    inStage.reload();
    inGame.reload();
  };
  // The server says that there is no block by an error of its own. After any other error, it is unknown whether there
  // is one.
  const isNone = (error: CallError | undefined) => error?.code === 'ResourceNotFoundException';
  const unknown = [inStage.error, inGame.error].find((error) => error !== undefined && !isNone(error));
  return (
    <>
      <Failure error={unknown} />
      {blocks.map(({ name, found, isInGame }) => {
        const block = isNone(found.error) ? undefined : found.data?.Block;
        if (block === undefined) return null;
        return (
          <div key={name} class="notice bad block-state">
            <div>
              <p>
                <Badge kind="bad">{t('blocked')}</Badge> {name}{' '}
                {block.Until === undefined ? (
                  t('forGood')
                ) : (
                  <>
                    {t('until')} <Time at={block.Until} />
                  </>
                )}
                {block.Enforced === false && ` · ${t('notEnforcedYet')}`}
              </p>
              <p class="muted">
                {block.Reason !== undefined && (
                  <>
                    <Untrusted text={block.Reason} />
                    {' · '}
                  </>
                )}
                {block.Message !== undefined && (
                  <>
                    <Untrusted text={block.Message} />
                    {' · '}
                  </>
                )}
                {t('by')} <Untrusted text={block.Actor ?? ''} />, <Time at={block.Created} />
                {block.Evidence !== undefined && (
                  <>
                    {' · '}
                    {t('evidence')}: <Untrusted text={block.Evidence} />
                  </>
                )}
              </p>
            </div>
            <Button
              label={`${t('unblockOpen')} ${name}`}
              needs={[isInGame ? 'UnblockPlayerInGame' : 'UnblockPlayer']}
              onClick={() => setLifted({ isInGame })}
            >
              {t('unblockOpen')}
            </Button>
          </div>
        );
      })}
      {/* It names the block: when one ends by itself, the other may move to where a person clicks. */}
      {lifted && <UnblockDialog player={player} {...lifted} onClose={() => setLifted(undefined)} onDone={done} />}
    </>
  );
}

function Logs({ player }: { player: string }) {
  const { game, stage } = place.get();
  const lines = useCall(
    'ListStageLogLines',
    { GameName: game, StageName: stage, PlayerId: player, MaxResults: 50 },
    { everyMs: LIVE_MS },
  );
  return (
    <Section title={t('logs')}>
      <LogTable answer={lines} rows={lines.data?.LogLines} empty={<p>{t('noLogsOfPlayer')}</p>} hidesPlayer />
    </Section>
  );
}

/** What concerns this player, and not a player with the same id on another stage. */
function History({ player }: { player: string }) {
  const here = place.get();
  const records = usePages('ListAuditRecords', { PlayerId: player }, ({ AuditRecords }) =>
    AuditRecords?.filter((record) => {
      const { game, stage } = placeOf(record, here);
      return game === here.game && stage === here.stage;
    }),
  );
  return (
    <Section title={t('history')}>
      <AuditTable answer={records} rows={records.items} empty={<p>{t('noHistory')}</p>} hidesPlayer />
      <More pages={records} />
    </Section>
  );
}

/** Says what it will do to the player and to how many connections, and afterwards what it has done. */
function RevokeDialog({ player, onClose, onDone }: { player: string; onClose: () => void; onDone: () => void }) {
  const { game, stage } = place.get();
  const revoke = useAction('RevokePlayerTokens');
  const isGone = useIsGone();
  const input = { GameName: game, StageName: stage, PlayerId: player };
  const status = useCall('GetPlayerConnectionStatus', input);
  const [isKept, setKept] = useState(false);
  const count = status.data?.Connections?.length;
  return (
    <Dialog title={t('revokeTokens')} onClose={onClose}>
      <p class="subject">
        <Id id={player} />
      </p>
      {revoke.data !== undefined ? (
        <>
          <EndedNotice done={revoke.data}>
            <strong>
              {t('tokensRevoked')} <Time at={revoke.data.IssuedBefore} />.
            </strong>
          </EndedNotice>
          <CloseFooter onClose={onClose} />
        </>
      ) : (
        <>
          <Notice kind="warning">
            <p>
              {t('revokeTokensExplained')} {!isKept && count !== undefined && counted('wouldClose', count)}
            </p>
          </Notice>
          <CheckField
            label={t('keepConnections')}
            hint={t('keepConnectionsHint')}
            isChecked={isKept}
            onCheck={setKept}
          />
          <Failure error={revoke.error} />
          <ActionFooter
            onLeave={onClose}
            action={t('revokeTokens')}
            kind="danger"
            needs={['RevokePlayerTokens']}
            isBusy={revoke.isBusy}
            onAction={async () => {
              const revoked = await revoke.run({ ...input, KeepConnections: isKept });
              if (revoked === undefined) return;
              onDone();
              if (isGone()) sayEnded('revokedLater', player, revoked);
            }}
          />
        </>
      )}
    </Dialog>
  );
}
