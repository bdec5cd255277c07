/** What to do about an error of a Redis server or of the way to it, by the code or the words of the error. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /CERT|certificate|ERR_TLS/,
    'have RESPARK_REDIS_URL name the host that its certificate is for, and NODE_EXTRA_CA_CERTS the file of the authority that has signed it',
  ],
  [
    /EPROTO|wrong version number|ECONNRESET|[Cc]onnection timeout|no answer/,
    'use rediss:// if it speaks TLS, and redis:// if not',
  ],
  [/WRONGPASS|NOAUTH/, 'set RESPARK_REDIS_URL to redis://USER:PASSWORD@HOST:PORT, with its user and password'],
  [
    /NOPERM/,
    'give its user the rights that docs/deploying.md names, for the names that begin with RESPARK_REDIS_PREFIX',
  ],
  [/OOM command/, 'raise its maxmemory, which is reached, so that it takes no writes'],
];

/** A sentence of advice for the log, also for an error that was wrapped. */
export function adviceAgainst(error: unknown): string {
  const told: string[] = [];
  for (let each = error; each instanceof Error; each = each.cause) {
    told.push(`${(each as NodeJS.ErrnoException).code ?? ''} ${each.message}`);
  }
  const [, advice] = ADVICE.find(([pattern]) => pattern.test(told.join(' '))) ?? [];
  const general = 'see that Redis runs, and that RESPARK_REDIS_URL names it';
  return advice === undefined ? general : `${general}; ${advice}`;
}
