import { useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { More } from '../parts/more.tsx';
import { Notice } from '../parts/notice.tsx';
import { Section } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Id, Untrusted } from '../parts/untrusted.tsx';
import { place } from '../place.ts';
import { say } from '../said.ts';
import { counted, t } from '../texts/language.ts';
import { useAction } from '../use-call.ts';
import { usePages } from '../use-pages.ts';

/** What scripts keep about the player. It is read once, because a reader has no need to see each change at once. */
export function PlayerData({ player, onDone }: { player: string; onDone: () => void }) {
  const { game, stage } = place.get();
  const [isDeleting, setDeleting] = useState(false);
  const pages = usePages(
    'GetPlayerData',
    { GameName: game, StageName: stage, PlayerId: player },
    ({ Values, Keys: keys, Bytes: bytes }) =>
      Object.entries(Values).map(([key, value]) => ({ key, value: JSON.stringify(value), keys, bytes })),
  );
  // Each entry comes with the size of everything, because there may be more than is shown.
  const { keys, bytes } = pages.items?.[0] ?? { keys: 0, bytes: 0 };
  return (
    <Section
      title={pages.items === undefined ? t('playerData') : `${t('playerData')} (${keys})`}
      actions={
        <>
          <Button isBusy={pages.isBusy} onClick={pages.reload}>
            {t('refresh')}
          </Button>
          <Button needs={['DeletePlayerData']} onClick={() => setDeleting(true)}>
            {t('deletePlayerDataOpen')}
          </Button>
        </>
      }
    >
      {keys > 0 && <p class="muted">{t('playerDataExplained', { bytes })}</p>}
      <Table
        title={t('playerData')}
        answer={pages}
        rows={pages.items}
        keyOf={({ key }) => key}
        columns={[
          { head: t('dataKey'), cell: ({ key }) => <Untrusted text={key} /> },
          { head: t('dataValue'), cell: ({ value }) => <Untrusted text={value} /> },
        ]}
        empty={<p>{t('noPlayerData')}</p>}
      />
      <More pages={pages} />
      {isDeleting && (
        <DeleteDialog
          player={player}
          onClose={() => setDeleting(false)}
          onDone={() => {
            pages.reload();
            onDone();
          }}
        />
      )}
    </Section>
  );
}

function DeleteDialog({ player, onClose, onDone }: { player: string; onClose: () => void; onDone: () => void }) {
  const { game, stage } = place.get();
  const { run, isBusy, error } = useAction('DeletePlayerData');
  return (
    <Confirm
      title={t('deletePlayerData')}
      action={t('deletePlayerData')}
      needs={['DeletePlayerData']}
      isBusy={isBusy}
      error={error}
      onClose={onClose}
      onConfirm={async () => {
        const deleted = await run({ GameName: game, StageName: stage, PlayerId: player });
        if (deleted === undefined) return;
        say(counted('playerDataDeleted', deleted.DeletedKeys, { player }));
        onDone();
        onClose();
      }}
    >
      <p class="subject">
        <Id id={player} />
      </p>
      <p>{t('deletePlayerDataExplained', { stage })}</p>
      <Notice kind="warning">
        <p>{t('deletePlayerDataFirst')}</p>
      </Notice>
    </Confirm>
  );
}
