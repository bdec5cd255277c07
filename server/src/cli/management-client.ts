import { signRequest } from '../api/sigv4.ts';
import type { Environment, Settings } from '../config.ts';
import { printable } from '../printable.ts';
import { CommandError, type World } from './world.ts';

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Longer than a DisconnectPlayer call may take by default, so that its honest answer is heard. */
const CALL_TIMEOUT_MS = 30_000;

/** The variables' credentials, else the configured root key, else the data directory's. Throws a CommandError. */
export async function getCredentials({
  localFiles,
  settings,
  env,
}: {
  localFiles: World['localFiles'];
  settings: Settings;
  env: Environment;
}): Promise<Credentials> {
  const accessKeyId = env.AWS_ACCESS_KEY_ID;
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY;
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
  if (settings.rootAccessKeyId !== undefined && settings.rootSecretAccessKey !== undefined) {
    return { accessKeyId: settings.rootAccessKeyId, secretAccessKey: settings.rootSecretAccessKey };
  }
  const stored = await localFiles.rootCredentials(settings.dataDir);
  if (stored !== undefined) return stored;
  throw new CommandError(
    `no root key in the data directory ${settings.dataDir}; start a server there ("respark serve"), name another with --data-dir, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
  );
}

/** Where the management API is: what AWS clients would take, else the server running on the data directory. */
export async function findEndpoint({
  localFiles,
  settings,
  env,
}: {
  localFiles: World['localFiles'];
  settings: Settings;
  env: Environment;
}): Promise<string> {
  const given = env.AWS_ENDPOINT_URL_GAMESPARKS || env.AWS_ENDPOINT_URL;
  return given || (await localFiles.running(settings.dataDir))?.url || 'http://127.0.0.1:8080';
}

/** Signs calls to the management API like any AWS client. */
export class ManagementClient {
  readonly #endpoint: string;
  readonly #credentials: Credentials;
  readonly #region: string;

  constructor({
    endpoint,
    credentials,
    region,
  }: {
    endpoint: string;
    credentials: Credentials;
    region: string;
  }) {
    if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
      throw new CommandError(`the endpoint must be an http or https URL, got "${endpoint}"`, { exitCode: 2 });
    }
    this.#endpoint = endpoint.replace(/\/+$/, '');
    this.#credentials = credentials;
    this.#region = region;
  }

  /** The reply's JSON. Throws a CommandError with the service's own words when the call is refused or fails. */
  async call(method: 'GET' | 'POST', path: `/${string}`): Promise<unknown> {
    const url = new URL(`${this.#endpoint}${path}`);
    const nowMs = Date.now();
    const headers = signRequest({ method, url, ...this.#credentials, region: this.#region, nowMs });
    const { response, text } = await this.#fetch(url, { method, headers });
    const body = parseJson(text);
    if (response.ok && body !== undefined) return body;
    throw new CommandError(describeFailure(response, body, this.#endpoint));
  }

  async #fetch(url: URL, init: RequestInit): Promise<{ response: Response; text: string }> {
    try {
      const signal = AbortSignal.timeout(CALL_TIMEOUT_MS);
      const response = await fetch(url, { ...init, signal, redirect: 'error' });
      return { response, text: await response.text() };
    } catch (error) {
      throw new CommandError(`cannot reach ${this.#endpoint}: ${describeCause(error)}`, { cause: error });
    }
  }
}

/** What a failed fetch came down to; fetch itself only says that it failed. */
export function describeCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused; is the server running ("respark serve")?';
  return cause.message || code || error.message;
}

function describeFailure(response: Response, body: unknown, endpoint: string): string {
  const name = response.headers.get('x-amzn-errortype')?.split(':')[0];
  const requestId = response.headers.get('x-amzn-requestid');
  if (!name) return `${endpoint} does not answer like a Respark server (status ${response.status})`;
  const { Message: message = 'no message' } = (body ?? {}) as { Message?: string };
  return printable(`${name}: ${message} (status ${response.status}, request id ${requestId ?? 'unknown'})`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
