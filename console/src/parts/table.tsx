import type { ComponentChildren } from 'preact';
import { t } from '../texts/language.ts';
import type { Answer } from '../use-call.ts';
import { Failure } from './notice.tsx';

interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => ComponentChildren;
  /** Left out where there is little room. */
  readonly isMinor?: boolean;
  readonly isNumber?: boolean;
}

interface Props<T> {
  /** What the table is of, for those who do not see it. */
  readonly title: string;
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
                <tr key={keyOf(row)}>
                  {columns.map(({ head, cell, isMinor, isNumber }) => (
                    <td key={head} class={classOf(isMinor, isNumber)}>
                      {cell(row)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}

const classOf = (isMinor = false, isNumber = false) => `${isMinor ? 'minor ' : ''}${isNumber ? 'number' : ''}`;
