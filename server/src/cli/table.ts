import { printable } from '../text.ts';

/**
 * Columns as wide as their widest cell, two spaces apart; the last one is not padded. Cells are made printable. One that is
 * missing, because a reply has no such member, is a dash.
 */
export function formatTable(cells: readonly (readonly (string | undefined)[])[]): string {
  const rows = cells.map((row) => row.map((cell = '-') => printable(cell)));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** Indented JSON and a line feed, for people and for scripts; printable as `escapeJson` promises. */
export function formatJson(value: unknown): string {
  return `${escapeJson(JSON.stringify(value, null, 2))}\n`;
}

/** The same in one line, for scripts that read a stream of values. */
export function formatJsonLine(value: unknown): string {
  return `${escapeJson(JSON.stringify(value))}\n`;
}

/**
 * The same JSON, with all characters that a terminal would act on, or that hide or reorder text, as JSON escapes. Where a
 * server has sent anything else instead of JSON, that does no more harm.
 */
export function escapeJson(json: string): string {
  return json.replace(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
