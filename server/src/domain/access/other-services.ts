const OWN_SERVICES = ['gamesparks', 'respark'];
const MAX_SLIPS = 3;

/**
 * Whether this is the name of another service, as in the action `logs:PutLogEvents`, and not one of ours with a slip of
 * the pen: a mistyped Deny must not be taken for one that means another service.
 */
export function isOtherService(name: string): boolean {
  if (!/^[a-z0-9-]{2,40}$/.test(name)) return false;
  return !OWN_SERVICES.some((own) => isLike(own, name));
}

function isLike(own: string, name: string): boolean {
  const isPart = name.length >= 4 && (own.includes(name) || name.includes(own));
  // Short names of services differ little from anything.
  return isPart || distanceBetween(own, name) <= Math.min(MAX_SLIPS, name.length - 4);
}

/** How many letters must be put in, left out or changed to make one of the other. */
function distanceBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const changed = (row[j] ?? 0) + Number(letter !== other);
      next.push(Math.min(changed, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
