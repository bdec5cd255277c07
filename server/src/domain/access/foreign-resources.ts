import { shown } from '../../text.ts';
import { compileWildcard } from '../wildcard.ts';

type Patterns = string | readonly string[] | undefined;

/**
 * Warns of resources in a valid policy that are those of another region or account, as in one that was written for another
 * server: here they allow nothing, and protect nothing.
 */
export function warnOfForeign(
  policy: string,
  { region, accountId }: { readonly region: string; readonly accountId: string },
): readonly string[] {
  const { Statement = [] } = JSON.parse(policy) as { Statement?: object };
  const statements = [Statement].flat() as readonly { readonly Resource?: Patterns; readonly NotResource?: Patterns }[];
  const patterns = statements.flatMap(({ Resource = [], NotResource = [] }) => [Resource, NotResource].flat());
  const isForeign = (pattern: string) => {
    const [, , service, itsRegion = '', itsAccount = ''] = pattern.split(':');
    if (service !== 'gamesparks') return false;
    return !compileWildcard(itsRegion)(region) || !compileWildcard(itsAccount)(accountId);
  };
  const why = `no resource of a server with the region ${region} (RESPARK_REGION) and the account ${accountId} (RESPARK_ACCOUNT_ID)`;
  return [...new Set(patterns)].filter(isForeign).map((pattern) => `${shown(pattern)} means ${why}`);
}
