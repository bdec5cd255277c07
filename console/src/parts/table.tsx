import { Component, type ComponentChildren } from 'preact';
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
   * How wide it is, as a track of a grid. Where all columns say so, rows that cannot be seen cost the browser nothing, because
   * it need not look into them to find out.
   */
  readonly width?: string;
}

interface Props<T> {
  /** What the table is of, for those who do not see it. */
  readonly title: string;
  /** Where they are the same as before, only rows that have changed are drawn again. */
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[] | undefined;
  readonly keyOf: (row: T) => string;
  readonly answer: Pick<Answer<unknown>, 'error' | 'isLoading'>;
  /** What stands there when there is nothing: why, and what to do next. */
  readonly empty: ComponentChildren;
}

export function Table<T>({ title, columns, rows, keyOf, answer, empty }: Props<T>) {
  const isLong = columns.every(({ width }) => width !== undefined);
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
  const tracks = (those: readonly Column<T>[]) => those.map(({ width }) => width).join(' ');
  return { '--columns': tracks(columns), '--columns-narrow': tracks(columns.filter(({ isMinor }) => !isMinor)) };
}

interface RowProps<T> {
  readonly row: T;
  readonly columns: readonly Column<T>[];
  readonly isLong: boolean;
}

class Row<T> extends Component<RowProps<T>> {
  override shouldComponentUpdate({ row, columns }: RowProps<T>): boolean {
    return row !== this.props.row || columns !== this.props.columns;
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
