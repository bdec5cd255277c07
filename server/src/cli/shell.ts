/** A word as a POSIX shell reads it back, left bare when nothing in it needs quoting. */
export function quoteForShell(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
