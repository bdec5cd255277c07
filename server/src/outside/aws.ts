import type { WarnRarely } from '../rare-warnings.ts';
import { excerpt, MAX_SENTENCE_CHARACTERS } from '../text.ts';
import { readReply } from './bounded-reply.ts';
import { connectionFault, OutsideFault } from './outside-fault.ts';

/** An attempt that reached no server, or was throttled, is repeated once by the AWS SDK. */
const MAX_ATTEMPTS = 2;

/** The settings of a client of the AWS SDK, which finds its credentials by itself. */
export function clientSettings({ endpoint, region }: { endpoint: string | undefined; region: string }) {
  const retries = { maxAttempts: MAX_ATTEMPTS, retryMode: 'standard' };
  return endpoint === undefined ? { region, ...retries } : { region, ...retries, endpoint };
}

/** Reads a reply before the SDK does, which would read any length of it. */
export async function boundReply<Reply extends { readonly response: unknown }>(
  reply: Reply,
  maxBytes: number,
  whose: string,
): Promise<Reply> {
  const response = reply.response as { body?: unknown };
  if (isReadable(response.body)) response.body = await readReply(response.body, maxBytes, whose);
  return reply;
}

function isReadable(body: unknown): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

export interface AwsService {
  /** As messages name it. */
  readonly title: string;
  /** Errors of the service about what the script asked, whose own words help and tell nothing of the server. */
  readonly plainErrors: ReadonlySet<string>;
  /** Whether the script gets the error's own name as the code. */
  readonly hasOwnCodes: boolean;
}

/** The members of the SDK's errors that are used here. */
interface AwsError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  /** Only what the service has said of itself has it, not an answer that the SDK could not read. */
  readonly $fault?: 'client' | 'server';
  readonly $retryable?: { readonly throttling?: boolean };
}

const THROTTLED = new Set([
  ...['LimitExceededException', 'ProvisionedThroughputExceededException', 'RequestLimitExceeded'],
  ...['ThrottledException', 'Throttling', 'ThrottlingException', 'TooManyRequestsException'],
]);

/** No credentials could be found, or those that were found could not be used. */
const NO_CREDENTIALS = new Set(['CredentialsProviderError', 'ProviderError', 'TokenProviderError']);

/**
 * What an error of the SDK means to the script. The text of most is kept from it, and from the log: that of a wrong
 * signature, for one, has the request's headers in it, a session token included.
 */
export function faultOfAws(error: unknown, service: AwsService, warn: WarnRarely): unknown {
  if (!(error instanceof Error) || error instanceof OutsideFault || error.name === 'AbortError') return error;
  const { title } = service;
  const { name, message, $metadata, $fault, $retryable } = error as AwsError;
  if (NO_CREDENTIALS.has(name)) {
    warn(title, { service: title }, 'the AWS SDK finds no credentials for the calls of scripts');
    return new OutsideFault('failed', `the server has no AWS credentials with which it could call ${title}`);
  }
  const status = $metadata?.httpStatusCode;
  if (status === undefined) {
    const fault = connectionFault(error, title);
    if (fault !== undefined) return fault;
    // What was sent had been checked, so this is an answer with which the SDK cannot go on.
    warn(
      `${title} ${nameOf(name)}`,
      { service: title, error: nameOf(name) },
      'AWS answers scripts with what it should not',
    );
    return new OutsideFault('failed', `${title} answered with what it should not`, { cause: error });
  }
  if (status === 429 || status >= 500 || THROTTLED.has(name) || $retryable?.throttling === true) {
    return new OutsideFault('unavailable', `${title} cannot answer at the moment (${nameOf(name)}, status ${status})`);
  }
  if ($fault === undefined || status < 300) {
    return new OutsideFault('failed', `${title} answered with what it should not`);
  }
  const code = service.hasOwnCodes ? nameOf(name) : 'failed';
  if (service.plainErrors.has(name)) {
    return new OutsideFault(code, `${name}: ${excerpt(message, MAX_SENTENCE_CHARACTERS)}`);
  }
  warn(`${title} ${nameOf(name)}`, { service: title, error: nameOf(name), status }, 'AWS refuses calls of scripts');
  return new OutsideFault(code, `${title} refused the call (${nameOf(name)}, status ${status})`);
}

/** The name of an error, which an endpoint that is not Amazon's may have chosen. */
function nameOf(name: string): string {
  return /^[A-Za-z][A-Za-z0-9.]{0,63}$/.test(name) && name !== 'Error' ? name : 'failed';
}
