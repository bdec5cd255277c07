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
  /**
   * How wide it is in rem; with a second value, which is any of CSS, at least and at most. Where all columns say so, rows that
   * cannot be seen cost the browser nothing, because it need not look into them to find out.
   */
  readonly width?: number | readonly [least: number, most: string];
}

interface Props<T> {
  /** What the table is of, for those who do not see it. */
  readonly title: string;
  /** Where they are the same as before, only rows that have changed are drawn again, so no cell may show more than its row. */
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[] | undefined;
  readonly keyOf: (row: T) => string;
  readonly answer: Pick<Answer<unknown>, 'error' | 'isLoading'>;
  /** What stands there when there is nothing: why, and what to do next. */
  readonly empty: ComponentChildren;
}

export function Table<T>({ title, columns, rows: all, keyOf, answer, empty }: Props<T>) {
  const isLong = columns.every(({ width }) => width !== undefined);
  const rows = useGradually(all, keyOf, isLong ? NEW_ROWS_IN_A_FRAME : Number.POSITIVE_INFINITY);
  return (
    <>
      <Failure error={answer.error} />
      {rows === undefined && answer.isLoading && <p class="muted">{t('loading')}</p>}
      {rows?.length === 0 && <div class="empty">{empty}</div>}
      {rows !== undefined && rows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        <section class="table" aria-label={title} tabIndex={0}>
          <table {...(isLong && { class: 'long', role: 'table', style: tracksOf(columns) })}>
            <thead role={roleIn(isLong, 'rowgroup')}>
              <tr role={roleIn(isLong, 'row')}>
                {columns.map(({ head, isMinor, isNumber }) => (
                  <th key={head} scope="col" role={roleIn(isLong, 'columnheader')} class={classOf(isMinor, isNumber)}>
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody role={roleIn(isLong, 'rowgroup')}>
              {rows.map((row) => (
                <Row key={keyOf(row)} row={row} columns={columns} isLong={isLong} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}

/** What is no table for the eye must be told that it is one for the ear. */
const roleIn = <R extends string>(isLong: boolean, role: R) => (isLong ? role : undefined);

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
  readonly isLong: boolean;
}

class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate({ row, columns }: RowProps<T>): boolean {
    if (columns !== this.props.columns) return true;
    // Each look at the server brings rows that are new objects, most of which say the same as before.
    return row !== this.props.row && JSON.stringify(row) !== JSON.stringify(this.props.row);
  }

  override render() {
    const { row, columns, isLong } = this.props;
    return (
      <tr role={roleIn(isLong, 'row')}>
        {columns.map(({ head, cell, isMinor, isNumber }) => (
          <td key={head} role={roleIn(isLong, 'cell')} class={classOf(isMinor, isNumber)}>
            {cell(row)}
          </td>
        ))}
      </tr>
    );
  }
}

const classOf = (isMinor = false, isNumber = false) => `${isMinor ? 'minor ' : ''}${isNumber ? 'number' : ''}`;
