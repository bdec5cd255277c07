import { ServiceError } from '../../errors.ts';
import type { Policy, Statement } from './policy.ts';
import type { Principal } from './principal.ts';

/** How many of the actions that may not be granted a refusal names. */
const MAX_NAMED = 5;

const RULE =
  'a key gives away only what its own policy allows on the resource "*", without a condition, and denies nowhere';

/**
 * Throws `access_denied` unless a key with this policy could do nothing that its maker may not do, now or later. It does
 * not compare resources or conditions: what the maker may do everywhere and always, a new key may do anywhere and at
 * any time. What a policy denies takes nothing away from what it allows, so that no clever Deny needs to be understood.
 */
export function assertMayGrant(maker: Pick<Principal, 'arn' | 'policies'>, wanted: Policy, actions: readonly string[]) {
  const own = maker.policies.flatMap(({ statements }) => statements);
  const allowing = own.filter((statement) => statement.effect === 'Allow' && isUnlimited(statement));
  const denying = own.filter(({ effect }) => effect === 'Deny');
  const holds = (action: string) =>
    allowing.some((statement) => statement.actions.has(action)) &&
    !denying.some((statement) => statement.actions.has(action));
  const asked = wanted.statements.filter(({ effect }) => effect === 'Allow');
  const beyond = actions.filter((action) => asked.some((each) => each.actions.has(action)) && !holds(action));
  if (beyond.length > 0) {
    const more = beyond.length > MAX_NAMED ? ` and ${beyond.length - MAX_NAMED} more` : '';
    throw refusal(maker, `${beyond.slice(0, MAX_NAMED).join(', ')}${more}`, 'Leave them out');
  }
  // A stored policy is read again by each later version, whose actions its wildcards then name too.
  const holdsLater = allowing.some(({ later }) => later === 'all') && denying.length === 0;
  if (!holdsLater && asked.some(({ later }) => later !== 'named')) {
    const what = 'actions of later versions, which wildcards and NotAction include';
    throw refusal(maker, what, 'Name each action, or use a key that is allowed "*" and denied nothing');
  }
}

function isUnlimited({ isEverywhere, conditions }: Statement): boolean {
  return isEverywhere && conditions.length === 0;
}

function refusal({ arn }: Pick<Principal, 'arn'>, what: string, advice: string): ServiceError {
  return new ServiceError(
    'access_denied',
    `User: ${arn} is not authorized to grant: ${what}, because ${RULE}. ${advice}.`,
  );
}
