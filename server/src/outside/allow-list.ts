import { compileWildcard } from '../domain/wildcard.ts';
import { OutsideFault } from './outside-fault.ts';

/** Tells whether a name is one of those listed, which may have wildcards; nothing is listed by an empty list. */
export function createAllowList(patterns: readonly string[]): (name: string) => boolean {
  const listed = patterns.map(compileWildcard);
  return (name) => listed.some((matches) => matches(name));
}

/** `what` names the thing, `variable` the setting that would allow it. */
export function notAllowed(what: string, entry: string, variable: string): OutsideFault {
  return new OutsideFault('not_allowed', `this server does not let scripts use ${what}: add ${entry} to ${variable}`);
}
