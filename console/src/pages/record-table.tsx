import { useMemo } from 'preact/hooks';
import { type Column, Table, type TableProps } from '../parts/table.tsx';
import { Id } from '../parts/untrusted.tsx';
import { type Place, place } from '../place.ts';
import { linkTo } from '../route.ts';
import { useSignal } from '../store.ts';
import { t } from '../texts/language.ts';

interface OfPlayer {
  readonly PlayerId?: string;
}

export interface RecordTableProps<T> extends Pick<TableProps<T>, 'rows' | 'answer' | 'empty'> {
  /** Whether all rows are about one player, who needs no column then. */
  readonly hidesPlayer?: boolean;
}

interface Props<T> extends RecordTableProps<T>, Pick<TableProps<T>, 'title' | 'keyOf' | 'detailsOf'> {
  /** The columns in front of the player's. */
  readonly columnsOf: () => readonly Column<T>[];
  /** Where the player of a row is, when `at` is the chosen place. */
  readonly placeOf: (row: T, at: Place) => Place;
  readonly isIdShort?: 'middle';
}

/** What was recorded about players, with a link to the player of each row. */
export function RecordTable<T extends OfPlayer>({
  hidesPlayer = false,
  columnsOf,
  placeOf,
  isIdShort,
  ...table
}: Props<T>) {
  const { game, stage } = useSignal(place);
  const columns = useMemo(() => {
    const placeOfRow = (row: T) => placeOf(row, { game, stage });
    return hidesPlayer ? columnsOf() : [...columnsOf(), playerColumn(placeOfRow, isIdShort)];
  }, [game, stage, hidesPlayer, columnsOf, placeOf, isIdShort]);
  return <Table {...table} columns={columns} />;
}

function playerColumn<T extends OfPlayer>(placeOf: (row: T) => Place, isShort: 'middle' | undefined): Column<T> {
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
