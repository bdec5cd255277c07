import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseJson } from '@respark/protocol';
import type { Command } from 'commander';
import type { Operation } from '../api/operation.ts';
import { type Input, requestOf } from '../api/operation-request.ts';
import { signRequest } from '../api/signature/sigv4.ts';
import type { Environment, Settings } from '../config/config.ts';
import type { ServerAddresses } from '../data-directory/local-files.ts';
import { ServiceError } from '../errors.ts';
import { printable, withoutCredentials } from '../text.ts';
import { findMeant } from './meant-names.ts';
import { addSettingOptions, settingsOf } from './options.ts';
import { valueAt } from './reply.ts';
import { assertFits, isTooDeep } from './reply-shape.ts';
import { describeSocketFault } from './socket-fault.ts';
import { CommandError, type World } from './world.ts';

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Whether they are the root key of the server itself, from its settings or its data directory. */
  readonly isOfServer?: boolean;
}

/** Longer than the longest DisconnectPlayer call by default, so that the command gets the server's own answer. */
const CALL_TIMEOUT_MS = 30_000;

/** The pauses before a call is repeated that a node refused because it is about to stop: the next one may reach another node. */
const DRAIN_PAUSES_MS = [200, 800];

/** Much more than any reply or file of a server has. */
const MAX_REPLY_BYTES = 134_217_728;

/**
 * The end of a URL by which a server gives a file. What is before it depends on where the server is reached: a proxy may
 * serve it under a path of its own.
 */
const DOWNLOAD_PATH = /\/download\/[^/?#]+\/[^/?#]+(?:\?[^#]*)?$/;

const [ID, SECRET] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

/**
 * The credentials of the environment, else the configured root key, else the data directory's. Throws a CommandError.
 */
export async function getCredentials({
  localFiles,
  settings,
  env,
}: {
  localFiles: World['localFiles'];
  settings: Settings;
  env: Environment;
}): Promise<Credentials> {
  const { [ID]: accessKeyId, [SECRET]: secretAccessKey } = env;
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey };
  // A person who has set one of them means a key of their own, and must not act as the root key unawares.
  if (accessKeyId || secretAccessKey) {
    const [set, missing] = accessKeyId ? [ID, SECRET] : [SECRET, ID];
    throw new CommandError(
      `${set} is set, and ${missing} is not: set both, or unset ${set} to use the root key of the data directory`,
      { exitCode: 2 },
    );
  }
  if (settings.rootAccessKeyId !== undefined && settings.rootSecretAccessKey !== undefined) {
    const { rootAccessKeyId, rootSecretAccessKey } = settings;
    return { accessKeyId: rootAccessKeyId, secretAccessKey: rootSecretAccessKey, isOfServer: true };
  }
  const stored = await localFiles.rootCredentials(settings.dataDir);
  if (stored !== undefined) return { ...stored, isOfServer: true };
  throw new CommandError(
    `there is no root key in the data directory ${resolve(settings.dataDir)}; start a server there ("respark serve"), name another directory with --data-dir, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
  );
}

/**
 * URL of the management API: the one that AWS clients would use, else that of the server running on the data directory.
 */
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

/**
 * The server that runs on the data directory. Throws a CommandError when none does, because another program may be listening on
 * its port by then, or on the usual one: it could answer as it likes, keep the call to send it again, or take a player's token.
 */
export async function getRunning(
  localFiles: World['localFiles'],
  { dataDir }: Pick<Settings, 'dataDir'>,
  urlOption = '--endpoint-url',
): Promise<ServerAddresses> {
  const running = await localFiles.running(dataDir);
  if (running !== undefined) return running;
  throw new Unreachable(
    `no server is running on the data directory ${resolve(dataDir)}: start one with "respark serve", or name its data directory with --data-dir, or its URL with ${urlOption}`,
  );
}

/** Whether the command line or the environment names a management API, on this machine or another. */
export function hasOwnEndpoint({ env }: Pick<World, 'env'>, command: Command): boolean {
  const { endpointUrl } = command.opts<{ endpointUrl?: string }>();
  return Boolean(endpointUrl || env.AWS_ENDPOINT_URL_GAMESPARKS || env.AWS_ENDPOINT_URL);
}

/** The options that `createClient` reads. */
export function addClientOptions(command: Command): Command {
  command.option(
    '--endpoint-url <url>',
    'URL of the management API (default: AWS_ENDPOINT_URL, else the local server)',
  );
  return addSettingOptions(command, ['dataDir', 'region']);
}

/** A client for the server that the command line and environment name. Throws a CommandError. */
export async function createClient(world: World, command: Command): Promise<ManagementClient> {
  const settings = settingsOf(world, command);
  const { env, localFiles } = world;
  const { endpointUrl } = command.opts<{ endpointUrl?: string }>();
  const credentials = await getCredentials({ localFiles, settings, env });
  const isFound = !hasOwnEndpoint(world, command) && credentials.isOfServer;
  const found = isFound ? (await getRunning(localFiles, settings)).url : undefined;
  const endpoint = endpointUrl || found || (await findEndpoint({ localFiles, settings, env }));
  const assertStillThere = async () => {
    const { url } = await getRunning(localFiles, settings);
    if (url !== endpoint) throw new Unreachable(`the server is at ${url} by now, no longer at ${endpoint}`);
  };
  return new ManagementClient({ endpoint, credentials, region: settings.region, ...(isFound && { assertStillThere }) });
}

/** An error that the server answered with. */
export class ServiceRefusal extends CommandError {
  /** The name that AWS clients know, such as `ResourceNotFoundException`. */
  readonly errorName: string;

  constructor(errorName: string, message: string) {
    super(message);
    this.errorName = errorName;
  }
}

/** A call that got no answer, or none in time; the server may have carried it out all the same. */
class Unreachable extends CommandError {}

function isRefusedBecauseOfDrain(error: unknown): boolean {
  return error instanceof ServiceRefusal && error.errorName === 'ServiceUnavailableException';
}

/** Whether the server, or the node that was asked, is gone or about to go. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof Unreachable || isRefusedBecauseOfDrain(error);
}

/** Whether the same call may succeed if it is made again a little later. */
export function mayPass(error: unknown): boolean {
  if (isUnreachable(error)) return true;
  return (
    error instanceof ServiceRefusal && ['ThrottlingException', 'InternalServerException'].includes(error.errorName)
  );
}

/** Signs calls to the management API like any AWS client. */
export class ManagementClient {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly #credentials: Credentials;
  readonly #region: string;
  readonly #assertStillThere: () => Promise<void>;

  constructor({
    endpoint,
    credentials,
    region,
    assertStillThere = async () => {},
  }: {
    endpoint: string;
    credentials: Credentials;
    region: string;
    /** Throws when the server has left the endpoint. Asked before each call: a command may wait for hours. */
    assertStillThere?: () => Promise<void>;
  }) {
    if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
      const got = printable(withoutCredentials(endpoint));
      throw new CommandError(`the endpoint must be an http or https URL, got "${got}"`, { exitCode: 2 });
    }
    const { username, password } = new URL(endpoint);
    if (username !== '' || password !== '') {
      const message = `the endpoint must have no user name or password, got "${printable(withoutCredentials(endpoint))}": calls are signed with ${ID} and ${SECRET}`;
      throw new CommandError(message, { exitCode: 2 });
    }
    this.endpoint = endpoint.replace(/\/+$/, '');
    this.#credentials = credentials;
    this.#region = region;
    this.#assertStillThere = assertStillThere;
  }

  /**
   * Resolves to the reply's JSON. Throws a CommandError (exit code 2) for an input that the operation would refuse, a
   * ServiceRefusal with the server's own message, and a CommandError if no Respark server answers, or with what no such
   * server does. An answer may take `timeoutMs`, and never more than half a minute.
   */
  async call(operation: Operation, input: Input, timeoutMs = CALL_TIMEOUT_MS): Promise<unknown> {
    try {
      return await this.#call(operation, input, Math.min(timeoutMs, CALL_TIMEOUT_MS));
    } catch (error) {
      if (!(error instanceof ServiceRefusal) || error.errorName !== 'ResourceNotFoundException') throw error;
      const meant = await findMeant(error.message, input, (...asked) => this.#call(...asked));
      if (meant === undefined) throw error;
      throw new ServiceRefusal(error.errorName, `${error.message}; did you mean "${printable(meant)}"?`);
    }
  }

  /** Repeats a call that a node has refused because it drains, as AWS clients do: nothing was done for it. */
  async #call(operation: Operation, input: Input, timeoutMs = CALL_TIMEOUT_MS): Promise<unknown> {
    for (const pauseMs of DRAIN_PAUSES_MS) {
      try {
        return await this.#ask(operation, input, timeoutMs);
      } catch (error) {
        if (!isRefusedBecauseOfDrain(error)) throw error;
        await sleep(pauseMs);
      }
    }
    return this.#ask(operation, input, timeoutMs);
  }

  async #ask(operation: Operation, input: Input, timeoutMs: number): Promise<unknown> {
    const { method } = operation.http;
    const { path, body: text } = toRequest(operation, input);
    const body = text === undefined ? undefined : Buffer.from(text);
    await this.#assertStillThere();
    const url = new URL(`${this.endpoint}${path}`);
    const content = body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body };
    const nowMs = Date.now();
    const signature = signRequest({ method, url, ...content, ...this.#credentials, region: this.#region, nowMs });
    const headers = { ...content.headers, ...signature };
    const { response, bytes } = await fetchWhole(url, { ...content, method, headers }, this.endpoint, timeoutMs);
    const json = findJson(bytes);
    if (response.ok && json !== undefined) {
      assertFits(operation.output, json);
      return json;
    }
    throw failureOf(response, json, this.endpoint);
  }

  /** The bytes of a reply that goes on, as they come. Rejects as `call` does when it does not begin. */
  async stream(operation: Operation, input: Input): Promise<AsyncIterable<Uint8Array>> {
    const { method } = operation.http;
    const url = new URL(`${this.endpoint}${toRequest(operation, input).path}`);
    await this.#assertStillThere();
    const headers = signRequest({ method, url, ...this.#credentials, region: this.#region, nowMs: Date.now() });
    let response: Response;
    // Once it has begun, it may be silent for as long as nothing happens.
    const beginning = new AbortController();
    const late = () => beginning.abort(new DOMException('no answer in time', 'TimeoutError'));
    const timer = setTimeout(late, CALL_TIMEOUT_MS);
    try {
      response = await fetch(url, { method, headers, redirect: 'error', signal: beginning.signal });
    } catch (error) {
      throw new Unreachable(`cannot reach ${this.endpoint}: ${describeCause(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    if (response.ok && response.body !== null) return bytesOf(response.body, this.endpoint);
    const bytes = await readWhole(response, AbortSignal.timeout(CALL_TIMEOUT_MS), this.endpoint);
    throw failureOf(response, findJson(bytes), this.endpoint);
  }

  /**
   * The file behind a URL that the server has returned, from where the calls go too: this machine need not reach the
   * server's public URL. The path is a secret, so messages show only the host.
   */
  async download(url: string): Promise<Uint8Array> {
    const ofServer = URL.canParse(url) ? DOWNLOAD_PATH.exec(url)?.[0] : undefined;
    if (ofServer === undefined) throw new CommandError('the reply names no URL of a server to download from');
    const source = new URL(`${this.endpoint}${ofServer}`);
    await this.#assertStillThere();
    const { response, bytes } = await fetchWhole(source, {}, source.origin);
    if (response.ok) return bytes;
    const { status } = response;
    const hint = status === 429 ? 'try again in a second' : 'its URL may have expired';
    throw new CommandError(`cannot download the file from ${source.origin} (status ${status}); ${hint}`);
  }
}

/** Points to the operation's help when it would refuse the input. */
function toRequest(operation: Operation, input: Input): ReturnType<typeof requestOf> {
  try {
    return requestOf(operation, input);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    const [first = '', ...faults] = error.message.split('\n');
    const message = [first.replace(/:$/, ` (respark api ${operation.name} --help):`), ...faults].join('\n');
    throw new CommandError(message, { exitCode: 2, cause: error });
  }
}

/** Follows no redirect: a signature, or a secret URL, is meant for one server. Throws Unreachable without an answer. */
async function fetchWhole(
  url: URL,
  init: RequestInit,
  shownAs: string,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<{ response: Response; bytes: Uint8Array }> {
  const signal = AbortSignal.timeout(timeoutMs);
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal, redirect: 'error' });
  } catch (error) {
    throw new Unreachable(`cannot reach ${shownAs}: ${describeCause(error)}`, { cause: error });
  }
  return { response, bytes: await readWhole(response, signal, shownAs) };
}

/**
 * The body of a reply. The signal that was given to fetch need not end a body: once a garbage collection has taken the
 * request, fetch does not hear of it any more. Throws Unreachable for one that breaks off or takes too long, and a
 * CommandError for one without an end.
 */
async function readWhole({ body }: Response, signal: AbortSignal, shownAs: string): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const reader = body.getReader();
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  late.catch(() => {});
  const chunks: Uint8Array[] = [];
  let count = 0;
  try {
    signal.throwIfAborted();
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) return Buffer.concat(chunks);
      chunks.push(value);
      count += value.length;
      if (count > MAX_REPLY_BYTES) break;
    }
  } catch (error) {
    throw new Unreachable(`cannot reach ${shownAs}: ${describeCause(error)}`, { cause: error });
  } finally {
    reader.cancel().catch(() => {});
  }
  throw new CommandError(
    `the reply of ${shownAs} has more than ${MAX_REPLY_BYTES} bytes; is the endpoint a Respark server?`,
  );
}

/** A stream that breaks off, because its server is gone, ends like one that could not begin. */
async function* bytesOf(body: ReadableStream<Uint8Array>, shownAs: string): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw new Unreachable(`lost the connection to ${shownAs}: ${describeCause(error)}`, { cause: error });
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** The cause of a failed fetch; the message of fetch's own error only says that it failed. */
export function describeCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const cause = error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused; is the server running ("respark serve")?';
  return describeSocketFault(cause.message || code || error.message);
}

/** The error that a reply stands for. Without the header `x-amzn-errortype` some other server has answered. */
function failureOf(response: Response, body: unknown, endpoint: string): CommandError {
  const name = response.headers.get('x-amzn-errortype')?.split(':')[0];
  const requestId = response.headers.get('x-amzn-requestid');
  if (!name) {
    const text = `${endpoint} does not answer like a Respark server (status ${response.status})`;
    // So a proxy answers while the server behind it is restarted.
    return [502, 503, 504].includes(response.status) ? new Unreachable(text) : new CommandError(text);
  }
  const given = valueAt(body, ['Message']);
  const message = typeof given === 'string' ? given : 'no message';
  const { status } = response;
  const text = printable(`${name}: ${message} (status ${status}, request id ${requestId ?? 'unknown'})`);
  return new ServiceRefusal(name, text);
}

function findJson(bytes: Uint8Array): unknown {
  try {
    const text = new TextDecoder().decode(bytes);
    return isTooDeep(text) ? undefined : parseJson(text);
  } catch {
    return undefined;
  }
}
