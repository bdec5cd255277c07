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
  return (
    <>
      <Failure error={answer.error} />
      {rows === undefined && answer.isLoading && <p class="muted">{t('loading')}</p>}
      {rows?.length === 0 && <div class="empty">{empty}</div>}
      {rows !== undefined && rows.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        <section class="table" aria-label={title} tabIndex={0}>
          <table>
            <thead>
              <tr>
                {columns.map(({ head, isMinor, isNumber }) => (
                  <th key={head} scope="col" class={classOf(isMinor, isNumber)}>
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={keyOf(row)} row={row} columns={columns} />
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}

class Row<T> extends Component<{ row: T; columns: readonly Column<T>[] }> {
  override shouldComponentUpdate({ row, columns }: { row: T; columns: readonly Column<T>[] }): boolean {
    return row !== this.props.row || columns !== this.props.columns;
  }

  override render() {
    const { row, columns } = this.props;
    return (
      <tr>
        {columns.map(({ head, cell, isMinor, isNumber }) => (
          <td key={head} class={classOf(isMinor, isNumber)}>
            {cell(row)}
          </td>
        ))}
      </tr>
    );
  }
}

const classOf = (isMinor = false, isNumber = false) => `${isMinor ? 'minor ' : ''}${isNumber ? 'number' : ''}`;
