import { useMemo, useState } from 'preact/hooks';
import type { Outputs } from '../api/operations.ts';
import { Button } from '../parts/button.tsx';
import { EnteredField, SelectField, TextField } from '../parts/fields.tsx';
import { More } from '../parts/more.tsx';
import { Page } from '../parts/page.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { Since, Time } from '../parts/time.tsx';
import { Id } from '../parts/untrusted.tsx';
import { useAllowed } from '../permissions.ts';
import { type Place, place } from '../place.ts';
import { goTo, linkTo, refine, route } from '../route.ts';
import { useSignal } from '../store.ts';
import { counted, formatNumber, t } from '../texts/language.ts';
import { useCall } from '../use-call.ts';
import { usePages } from '../use-pages.ts';

type ListedPlayer = NonNullable<Outputs['ListPlayers']['Players']>[number];

const LIVE_MS = 3_000;

export function Players() {
  const { game, stage } = useSignal(place);
  const { query } = useSignal(route);
  const isAllowed = useAllowed();
  const { prefix = '', runtime = '', node = '', address = '' } = query;
  const stageInput = { GameName: game, StageName: stage };
  const isPlaced = stage !== '';
  const counts = useCall('CountConnections', isPlaced ? stageInput : undefined, { everyMs: LIVE_MS });
  const filters = { PlayerIdPrefix: prefix, RuntimeId: runtime, Node: node, Address: address };
  const input = isPlaced ? { ...stageInput, ...filters } : undefined;
  const players = usePages('ListPlayers', input, ({ Players }) => Players, { everyMs: LIVE_MS });
  const hasFilters = Object.values(filters).some((value) => value !== '');
  const nodes = counts.data?.Nodes ?? [];
  const columns = useMemo(() => columnsOf({ game, stage }), [game, stage]);
  return (
    <Page title={t('players')} actions={<OpenPlayer />}>
      {counts.data !== undefined && (
        <p class="lead" role="status">
          <strong>{counted('playerOnline', counts.data.Players ?? 0)}</strong>
          {' · '}
          {counted('connectionOpen', counts.data.Connections ?? 0)}
        </p>
      )}
      <search class="filters" aria-label={t('filters')}>
        <TextField
          label={t('playerIdBegins')}
          type="search"
          value={prefix}
          onValue={(value) => refine({ prefix: value })}
        />
        <SelectField
          label={t('runtime')}
          value={runtime}
          onValue={(value) => refine({ runtime: value })}
          options={[
            ['', t('any')],
            ['CURRENT', t('runtimeCurrent')],
            ['OLDER', t('runtimeOlder')],
          ]}
        />
        <SelectField
          label={t('node')}
          value={node}
          onValue={(value) => refine({ node: value })}
          options={[
            ['', t('any')],
            ...nodes.map(({ Node = '', Connections = 0 }) => [Node, `${Node} (${formatNumber(Connections)})`] as const),
          ]}
        />
        {(address !== '' || isAllowed('ListConnections')) && <AddressField value={address} />}
      </search>
      <Table
        title={t('players')}
        answer={players}
        rows={players.items}
        keyOf={({ PlayerId = '' }) => PlayerId}
        columns={columns}
        empty={
          hasFilters ? (
            <p>{t('noPlayerMatches')}</p>
          ) : (
            <>
              <p>{t('nobodyOnline')}</p>
              {isAllowed('GetSnapshot', 'GetStage') && (
                <p>
                  <a class="button" href={linkTo('harness', { game, stage })}>
                    {t('connectInHarness')}
                  </a>
                </p>
              )}
              <p class="muted">
                {t('connectAPlayer')} <code>npx respark connect</code>
              </p>
            </>
          )
        }
      />
      <More pages={players} />
    </Page>
  );
}

const columnsOf = (of: Place): readonly Column<ListedPlayer>[] => [
  {
    head: t('player'),
    width: [7, '1fr'],
    cell: ({ PlayerId = '' }) => (
      <a href={linkTo('player', { ...of, player: PlayerId })}>
        <Id id={PlayerId} />
      </a>
    ),
  },
  { head: t('connections'), isNumber: true, width: 8, cell: ({ Connections = 0 }) => formatNumber(Connections) },
  { head: t('onlineFor'), width: 7.25, cell: ({ Since: since }) => <Since at={since} /> },
  { head: t('since'), isMinor: true, width: [9, '14rem'], cell: ({ Since: since }) => <Time at={since} /> },
];

/** The server is asked only for a whole address, because half of one is none. */
function AddressField({ value }: { value: string }) {
  const onEntered = (typed: string) => refine({ address: typed.trim() });
  return (
    <EnteredField label={t('address')} type="search" value={value} onEntered={onEntered} placeholder="203.0.113.0/24" />
  );
}

/** Opens the page of a player, whether online or not. */
function OpenPlayer() {
  const [id, setId] = useState('');
  return (
    <form
      class="inline"
      onSubmit={(event) => {
        event.preventDefault();
        goTo('player', { ...place.get(), player: id.trim() });
      }}
    >
      <TextField label={t('openPlayer')} value={id} onValue={setId} isRequired maxLength={44} />
      <Button type="submit">{t('open')}</Button>
    </form>
  );
}
