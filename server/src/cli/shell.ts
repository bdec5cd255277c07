/** Quotes a word so that the usual shell of the system reads it back unchanged; a word that needs no quotes gets none. */
export function quoteForShell(word: string, platform: NodeJS.Platform): string {
  if (platform === 'win32') return /^[\w:./\\-]+$/.test(word) ? word : quoteForPowerShell(word);
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** PowerShell ends a text in single quotes also at each of the marks that word processors put in their place. */
export function quoteForPowerShell(word: string): string {
  return `'${word.replace(/['\u2018-\u201b]/g, '$&$&')}'`;
}

/** The line that runs in that shell what a command prints. */
export function evaluate(command: string, platform: NodeJS.Platform): string {
  return platform === 'win32' ? `${command} | Out-String | Invoke-Expression` : `eval "$(${command})"`;
}
