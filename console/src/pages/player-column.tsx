import type { Column } from '../parts/table.tsx';
import { Id } from '../parts/untrusted.tsx';
import type { Place } from '../place.ts';
import { linkTo } from '../route.ts';
import { t } from '../texts/language.ts';

/** Whom a row is about, if anybody, with the way to that player's page. */
export function playerColumn<T extends { readonly PlayerId?: string }>(of: Place, isShort?: 'middle'): Column<T> {
  return {
    head: t('player'),
    isMinor: true,
    // A guest's id has a line of its own where there is room.
    width: [11, '15.5rem'],
    cell: ({ PlayerId }) =>
      PlayerId === undefined ? (
        '–'
      ) : (
        <a href={linkTo('player', { ...of, player: PlayerId })}>
          <Id id={PlayerId} isShort={isShort} />
        </a>
      ),
  };
}
