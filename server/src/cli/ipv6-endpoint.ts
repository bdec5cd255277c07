/**
 * What to do about an endpoint that is an IPv6 address; undefined for any other. The AWS CLI 2.9 takes it for an invalid
 * endpoint (aws-cli#8863), and the AWS SDK for JavaScript 3.431.0 looks the address up as if it were a name.
 */
export function wayRoundAddress(endpoint: string): string | undefined {
  if (!URL.canParse(endpoint)) return undefined;
  const url = new URL(endpoint);
  if (!url.hostname.startsWith('[')) return undefined;
  if (url.hostname !== '[::1]') {
    return `The AWS CLI 2.9 and the AWS SDK for JavaScript cannot call ${endpoint}: give them a host name of this address`;
  }
  url.hostname = 'localhost';
  return `The AWS CLI 2.9 and the AWS SDK for JavaScript cannot call ${endpoint}: give them ${url.origin}, if localhost is ::1 on their machine, or another name of it`;
}
