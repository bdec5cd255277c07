import { Component, type ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../texts/language.ts';
import type { Answer } from '../use-call.ts';
import { Failure } from './notice.tsx';

export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => ComponentChildren;
  /** Left out where there is little room. */
  readonly isMinor?: boolean;
  readonly isNumber?: boolean;
  /** Whether it has the actions of the row, which are always in sight: on a phone they have a line of their own. */
  readonly isAction?: boolean;
  /**
   * The width in rem; with a second value, which may be any width of CSS, the least and the most. If every column has
   * one, rows out of sight cost the browser nothing, because it need not look into them for their widths.
   */
  readonly width?: number | readonly [least: number, most: string];
}

export interface TableProps<T> {
  /** The name of the table, for those who do not see it. */
  readonly title: string;
  /** Where they are the same as before, only rows that have changed are drawn again, so no cell may show more than its row. */
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[] | undefined;
  readonly keyOf: (row: T) => string;
  readonly answer: Pick<Answer<unknown>, 'error' | 'isLoading'>;
  /** What is shown when there are no rows: why, and what to do next. */
  readonly empty: ComponentChildren;
  /** More about a row, which opens beneath it. */
  readonly detailsOf?: (row: T) => ComponentChildren;
}

export function Table<T>({ title, columns, rows: all, keyOf, answer, empty, detailsOf }: TableProps<T>) {
  const isLong = columns.every(({ width }) => width !== undefined);
  const isActing = columns.some(({ isAction }) => isAction) || detailsOf !== undefined;
  const isDrawn = isLong || isActing;
  const rows = useGradually(all, keyOf, isLong ? NEW_ROWS_IN_A_FRAME : Number.POSITIVE_INFINITY);
  return (
    <>
      <Failure error={answer.error} />
      {rows === undefined && answer.isLoading && <p class="muted">{t('loading')}</p>}
      {rows?.length === 0 && <div class="empty">{empty}</div>}
      {rows !== undefined && rows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        <section class="table" aria-label={title} tabIndex={0}>
          <table {...(isLong ? longOf(columns) : isActing && actingOf(columns))}>
            <thead role={roleIn(isDrawn, 'rowgroup')}>
              <tr role={roleIn(isDrawn, 'row')}>
                {columns.map((column) => (
                  <th key={column.head} scope="col" role={roleIn(isDrawn, 'columnheader')} class={classOf(column)}>
                    {column.head}
                  </th>
                ))}
                {detailsOf !== undefined && (
                  <th scope="col" role={roleIn(isDrawn, 'columnheader')} class="action">
                    {t('details')}
                  </th>
                )}
              </tr>
            </thead>
            <tbody role={roleIn(isDrawn, 'rowgroup')}>
              {rows.map((row) => (
                <Row key={keyOf(row)} row={row} columns={columns} isDrawn={isDrawn} detailsOf={detailsOf} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}

/** What is not laid out as a table needs the roles of one for screen readers. */
const roleIn = <R extends string>(isDrawn: boolean, role: R) => (isDrawn ? role : undefined);

const longOf = <T,>(columns: readonly Column<T>[]) =>
  ({ class: 'long', role: 'table', style: tracksOf(columns) }) as const;

/** On a phone, the actions stand beneath the columns that are left there. */
function actingOf<T>(columns: readonly Column<T>[]) {
  const narrow = columns.filter(({ isMinor, isAction }) => isMinor !== true && isAction !== true).length;
  return {
    class: 'acting',
    role: 'table',
    style: { '--narrow': `${narrow}` } as Record<`--${string}`, string>,
  } as const;
}

function tracksOf<T>(columns: readonly Column<T>[]): Record<`--${string}`, string> {
  const wide = columns.map(({ width = 0 }) => (typeof width === 'number' ? ([width, `${width}rem`] as const) : width));
  const narrow = wide.filter((_, index) => columns[index]?.isMinor !== true);
  const tracks = (those: typeof wide) => those.map(([least, most]) => `minmax(${least}rem, ${most})`).join(' ');
  const sum = (those: typeof wide) => `${those.reduce((total, [least]) => total + least, 0)}rem`;
  return {
    ...{ '--columns': tracks(wide), '--columns-narrow': tracks(narrow) },
    // What is not drawn while it cannot be seen is cut off where its row ends, so no row may be narrower than its columns.
    ...{ '--least': sum(wide), '--least-narrow': sum(narrow) },
  };
}

/** What a slow machine draws well within a frame of 16 ms. */
const NEW_ROWS_IN_A_FRAME = 5;

/** The rows, of which those that are new come a few in each frame: first those beside rows that are there already. */
function useGradually<T>(rows: readonly T[] | undefined, keyOf: (row: T) => string, atOnce: number) {
  const drawn = useRef<ReadonlySet<string>>(new Set());
  const [, drawMore] = useState(0);
  const keys = (rows ?? []).map(keyOf);
  const place = keys.findIndex((key) => drawn.current.has(key));
  const isNew = (key: string) => !drawn.current.has(key);
  const coming = [...keys.slice(0, Math.max(0, place)).reverse(), ...keys.slice(Math.max(0, place))].filter(isNew);
  const waiting = new Set(coming.slice(atOnce));
  drawn.current = new Set(keys.filter((key) => !waiting.has(key)));
  useEffect(() => {
    if (waiting.size === 0) return;
    const frame = requestAnimationFrame(() => drawMore((count) => count + 1));
    return () => cancelAnimationFrame(frame);
  });
  return waiting.size === 0 ? rows : rows?.filter((row) => !waiting.has(keyOf(row)));
}

interface RowProps<T> {
  readonly row: T;
  readonly columns: readonly Column<T>[];
  readonly isDrawn: boolean;
  readonly detailsOf: TableProps<T>['detailsOf'];
}

class Row<T> extends Component<RowProps<T>, { isOpen: boolean }> {
  override state = { isOpen: false };

  override shouldComponentUpdate({ row, columns }: RowProps<T>, { isOpen }: { isOpen: boolean }): boolean {
    if (columns !== this.props.columns || isOpen !== this.state.isOpen) return true;
    // Each look at the server brings new objects, most of which say the same as before.
    return row !== this.props.row && JSON.stringify(row) !== JSON.stringify(this.props.row);
  }

  override render() {
    const { row, columns, isDrawn, detailsOf } = this.props;
    const { isOpen } = this.state;
    return (
      <>
        <tr role={roleIn(isDrawn, 'row')}>
          {columns.map((column) => (
            <td key={column.head} role={roleIn(isDrawn, 'cell')} class={classOf(column)}>
              {column.cell(row)}
            </td>
          ))}
          {detailsOf !== undefined && (
            <td role={roleIn(isDrawn, 'cell')} class="action">
              <button
                type="button"
                class="link"
                aria-expanded={isOpen}
                onClick={() => this.setState({ isOpen: !isOpen })}
              >
                {isOpen ? t('hide') : t('show')}
              </button>
            </td>
          )}
        </tr>
        {isOpen && (
          <tr role={roleIn(isDrawn, 'row')} class="beneath">
            <td role={roleIn(isDrawn, 'cell')} colSpan={columns.length + 1}>
              {detailsOf?.(row)}
            </td>
          </tr>
        )}
      </>
    );
  }
}

const classOf = <T,>({ isMinor, isNumber, isAction }: Column<T>) =>
  [isMinor && 'minor', isNumber && 'number', isAction && 'action'].filter(Boolean).join(' ');
