const LOG = 'GameSparks().Logging().Info(…) writes to the log of the stage';
const NO_TIMERS = 'scripts have no timers, and are gone when they have returned';
const NO_MODULES = 'scripts have no modules';
const HTTP = 'GameSparks().Http().Fetch(…) asks other servers, and waits for the answer by itself';

/** Names that authors know from elsewhere and scripts do not have, with what to use instead. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['console', LOG],
  ['print', LOG],
  ['alert', LOG],
  ['setTimeout', NO_TIMERS],
  ['setInterval', NO_TIMERS],
  ['setImmediate', NO_TIMERS],
  ['require', NO_MODULES],
  ['module', NO_MODULES],
  ['exports', NO_MODULES],
  ['await', 'calls wait by themselves, so leave the await out'],
  ['fetch', HTTP],
  ['XMLHttpRequest', HTTP],
  ['process', 'scripts reach nothing but GameSparks()'],
  ['window', 'scripts do not run in a browser'],
]);

const NO_FUNCTION =
  'what is called there does not exist; is a name misspelled, such as that of a call of GameSparks()?';

/** Adds advice to an error about a name that is misspelled, or that scripts do not have. */
export function withHint(text: string): string {
  const name = /^ReferenceError: '?(\w{1,20})'? is not defined$/.exec(text)?.[1] ?? '';
  // When what is called is not a function, the engine does not say its name.
  const ofCall = text === 'TypeError: not a function' ? NO_FUNCTION : undefined;
  const hint = name.toLowerCase() === 'gamesparks' ? 'it is spelled GameSparks()' : (HINTS.get(name) ?? ofCall);
  return hint === undefined ? text : `${text}: ${hint}`;
}
