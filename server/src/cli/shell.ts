/** Quotes a word so that a POSIX shell reads it back unchanged; a word that needs no quotes gets none. */
export function quoteForShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
