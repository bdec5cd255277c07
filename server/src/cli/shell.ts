/** Quotes a word so that the usual shell of the system reads it back unchanged; a word that needs no quotes gets none. */
export function quoteForShell(word: string, platform: NodeJS.Platform): string {
  if (platform === 'win32') return /^[\w:./\\-]+$/.test(word) ? word : `'${word.replaceAll("'", "''")}'`;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The line that runs in that shell what a command prints. */
export function evaluate(command: string, platform: NodeJS.Platform): string {
  return platform === 'win32' ? `${command} | Out-String | Invoke-Expression` : `eval "$(${command})"`;
}
