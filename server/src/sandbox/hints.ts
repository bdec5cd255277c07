const LOG = 'GameSparks().Logging().Info(…) writes to the log of the stage';
const NO_TIMERS = 'scripts have no timers, and are gone when they have returned';
const NO_MODULES = 'scripts have no modules';
const HTTP = 'GameSparks().Http().Fetch(…) asks other servers, and waits for the answer by itself';

/** What authors look for that scripts do not have, and what there is instead. */
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

/** The text of an error, and what to do if it is about a name that is misspelled, or that other places have. */
export function withHint(text: string): string {
  const name = /^ReferenceError: '?(\w{1,20})'? is not defined$/.exec(text)?.[1] ?? '';
  // The engine does not say of a call which name is none of a function.
  const ofCall = text === 'TypeError: not a function' ? NO_FUNCTION : undefined;
  const hint = name.toLowerCase() === 'gamesparks' ? 'it is spelled GameSparks()' : (HINTS.get(name) ?? ofCall);
  return hint === undefined ? text : `${text}: ${hint}`;
}
