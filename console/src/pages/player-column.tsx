import type { Column } from '../parts/table.tsx';
import { Id } from '../parts/untrusted.tsx';
import type { Place } from '../place.ts';
import { linkTo } from '../route.ts';
import { t } from '../texts/language.ts';

/** Shows the player whom a row is about, if there is one, with a link to the player's page on the stage of the row. */
export function playerColumn<T extends { readonly PlayerId?: string }>(
  placeOf: (row: T) => Place,
  isShort?: 'middle',
): Column<T> {
  return {
    head: t('player'),
    isMinor: true,
    // A guest's id has a line of its own where there is room.
    width: [11, '15.5rem'],
    cell: (row) =>
      row.PlayerId === undefined ? (
        '–'
      ) : (
        <a href={linkTo('player', { ...placeOf(row), player: row.PlayerId })}>
          <Id id={row.PlayerId} isShort={isShort} />
        </a>
      ),
  };
}
