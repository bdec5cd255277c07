import { excerpt } from '../../text.ts';
import { invalid, type SignatureRefusal } from './sigv4.ts';

export interface DestinationSettings {
  readonly publicUrl: string | undefined;
  readonly region: string;
  readonly signedHosts: readonly string[];
  readonly signedRegions: readonly string[];
}

/** What a signature, which has been verified, says about where the call was to go. */
export interface Destination {
  readonly host: string;
  readonly region: string;
}

/**
 * Makes the check of whether a call was meant for this server. Servers that share access keys can be told apart by it,
 * so that what one was asked cannot be repeated at another. Without the settings, every host and region will do.
 */
export function createDestinationCheck({
  publicUrl,
  region: ownRegion,
  signedHosts,
  signedRegions,
}: DestinationSettings): (destination: Destination) => SignatureRefusal | undefined {
  const publicHosts = publicUrl === undefined ? [] : [new URL(publicUrl).host];
  const hosts =
    signedHosts.length === 0 ? undefined : new Set([...signedHosts, ...publicHosts].map(withoutDefaultPort));
  const regions = signedRegions.length === 0 ? undefined : new Set([...signedRegions, ownRegion]);

  return function refuseDestination({ host, region }) {
    if (hosts !== undefined && !hosts.has(withoutDefaultPort(host))) {
      return invalid(
        `The call is signed for the host '${excerpt(host)}', but this server accepts only ${listed(hosts)}. Check the endpoint URL, or add the host to RESPARK_SIGNED_HOSTS.`,
      );
    }
    if (regions !== undefined && !regions.has(region)) {
      return invalid(
        `Credential should be scoped to a valid Region, got '${excerpt(region)}', but this server accepts only ${listed(regions)}. Set AWS_REGION, or add the region to RESPARK_SIGNED_REGIONS.`,
      );
    }
    return undefined;
  };
}

/** Some clients send the port of their scheme, others leave it out. */
function withoutDefaultPort(host: string): string {
  return host.toLowerCase().replace(/:(?:80|443)$/, '');
}

function listed(names: ReadonlySet<string>): string {
  return [...names].map((name) => `'${name}'`).join(', ');
}
