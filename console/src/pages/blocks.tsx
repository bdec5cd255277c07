import { useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { More } from '../parts/more.tsx';
import { Badge, Page } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Time } from '../parts/time.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { useAllowed } from '../permissions.ts';
import { place } from '../place.ts';
import { linkTo } from '../route.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';
import { usePages } from '../use-pages.ts';
import { BlockDialog } from './block-dialog.tsx';
import { UnblockDialog } from './unblock-dialog.tsx';

/** Who is kept out, by a block of this stage or of the whole game. */
export function Blocks() {
  const { game, stage } = useSignal(place);
  const isAllowed = useAllowed();
  const isWhole = isAllowed('ListBlocksInGame');
  const [isOpen, setOpen] = useState(false);
  const [lifted, setLifted] = useState<{ player: string; isInGame: boolean }>();
  const input = { GameName: game };
  const ofGame = usePages('ListBlocksInGame', stage !== '' && isWhole ? input : undefined, ({ Blocks }) => Blocks);
  const ofStage = usePages(
    'ListBlocks',
    stage === '' || isWhole ? undefined : { ...input, StageName: stage },
    ({ Blocks }) => Blocks,
  );
  const blocks = isWhole ? ofGame : ofStage;
  const here = blocks.items?.filter(({ StageName }) => StageName === undefined || StageName === stage);
  return (
    <Page
      title={t('blocks')}
      actions={
        <Button kind="danger" needs={['BlockPlayer']} onClick={() => setOpen(true)}>
          {t('blockPlayerOpen')}
        </Button>
      }
    >
      <Table
        title={t('blocks')}
        answer={blocks}
        rows={here}
        keyOf={({ PlayerId = '', StageName = '' }) => `${PlayerId} ${StageName}`}
        columns={[
          {
            head: t('player'),
            cell: ({ PlayerId = '' }) => (
              <a href={linkTo('player', { game, stage, player: PlayerId })}>
                <Id id={PlayerId} isShort="middle" />
              </a>
            ),
          },
          {
            head: t('where'),
            isMinor: true,
            cell: ({ StageName }) => <span class="whole">{StageName ?? t('wholeGame')}</span>,
          },
          {
            head: t('until'),
            cell: ({ Until, Enforced }) => (
              <>
                {Until === undefined ? <span class="whole">{t('forGood')}</span> : <Time at={Until} />}{' '}
                {Enforced === false && <Badge kind="warning">{t('notEnforcedYet')}</Badge>}
              </>
            ),
          },
          {
            head: t('reason'),
            cell: ({ Reason = '–' }) => (
              <span class="code">
                <Untrusted text={Reason} />
              </span>
            ),
          },
          {
            head: t('messageToPlayer'),
            isMinor: true,
            cell: ({ Message = '–' }) => (
              <span class="prose">
                <Untrusted text={Message} />
              </span>
            ),
          },
          { head: t('by'), isMinor: true, cell: ({ Actor = '' }) => <Id id={Actor} isShort="middle" /> },
          {
            head: t('action'),
            isAction: true,
            cell: ({ PlayerId = '', StageName }) => (
              <Button
                label={`${t('unblockOpen')} ${PlayerId}`}
                needs={[StageName === undefined ? 'UnblockPlayerInGame' : 'UnblockPlayer']}
                onClick={() => setLifted({ player: PlayerId, isInGame: StageName === undefined })}
              >
                {t('unblockOpen')}
              </Button>
            ),
          },
        ]}
        empty={
          <>
            <p>{t('nobodyBlocked')}</p>
            <p class="muted">{t('nobodyBlockedAdvice')}</p>
          </>
        }
      />
      <More pages={blocks} />
      {isOpen && <BlockDialog onClose={() => setOpen(false)} onDone={blocks.reload} />}
      {lifted !== undefined && (
        <UnblockDialog {...lifted} onClose={() => setLifted(undefined)} onDone={blocks.reload} />
      )}
    </Page>
  );
}
