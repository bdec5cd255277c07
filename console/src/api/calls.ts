import { type Inputs, OPERATIONS, type OperationName, type Outputs, type Row } from './operations.ts';
import { type AccessKey, signatureOf } from './signature.ts';

/** A call that the server has refused, or that it has not answered. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly operation: OperationName;
  /** As the API names it; undefined when there was no answer. */
  readonly code: string | undefined;
  readonly status: number;
  readonly requestId: string | undefined;
  /** Whether the call only asked what would happen, and so has changed nothing, whatever became of it. */
  readonly isPreview: boolean;

  constructor(
    operation: OperationName,
    { message, code, status = 0, requestId, isPreview = false }: Partial<CallError>,
  ) {
    super(message);
    this.isPreview = isPreview;
    this.operation = operation;
    this.code = code;
    this.status = status;
    this.requestId = requestId;
  }
}

export type Call = <N extends OperationName>(name: N, input: Inputs[N], signal?: AbortSignal) => Promise<Outputs[N]>;

/** A clock that is much further off than this makes signatures that the server refuses. */
const NOTICED_SKEW_MS = 60_000;
/** How often a call that the server asks to repeat later is repeated, and how long it is waited for. */
const MAX_REPEATS = 3;
const MAX_WAIT_MS = 5_000;

/** A server or a network that has been silent for this long counts as dead. A long text takes its time on a slow line. */
const MAX_SILENCE_MS = 60_000;

export interface Caller {
  readonly call: Call;
  /** What the server's clock says, as far as its answers have told. */
  now(): number;
  /** How far the browser's clock is behind that. It stays the same until answers tell otherwise. */
  behindMs(): number;
}

/** Signs every call in the browser, so that there is no session on the server that could be stolen. */
export function createCaller({ key, base }: { key: AccessKey; base: URL }): Caller {
  let skewMs = 0;
  const now = () => Date.now() + skewMs;

  async function attempt(name: OperationName, input: Inputs[OperationName], signal: AbortSignal): Promise<Response> {
    const [method] = OPERATIONS[name];
    const { url, body } = requestOf(name, input, base);
    const headers = signatureOf(key, { method, url, body, at: new Date(now()) });
    const abort = new AbortController();
    const giveUp = () => abort.abort();
    const timer = setTimeout(giveUp, MAX_SILENCE_MS);
    signal.addEventListener('abort', giveUp);
    try {
      return await fetch(url, {
        method,
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body }),
        signal: abort.signal,
        cache: 'no-store',
        credentials: 'omit',
      });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new CallError(name, { message: '' });
    } finally {
      clearTimeout(timer);
    }
  }

  async function call<N extends OperationName>(name: N, input: Inputs[N], given?: AbortSignal): Promise<Outputs[N]> {
    // The given signal lives for as long as a page, which makes many calls.
    const ended = new AbortController();
    const end = () => ended.abort();
    given?.addEventListener('abort', end);
    if (given?.aborted) end();
    try {
      return await attempts(name, input, ended.signal);
    } catch (error) {
      if (ended.signal.aborted || !isPreview(name, input)) throw error;
      const {
        message,
        code,
        status = 0,
        requestId,
      }: Partial<CallError> = error instanceof CallError ? error : { message: String(error) };
      throw new CallError(name, {
        message,
        status,
        isPreview: true,
        ...(code && { code }),
        ...(requestId && { requestId }),
      });
    } finally {
      given?.removeEventListener('abort', end);
    }
  }

  async function attempts<N extends OperationName>(
    name: N,
    input: Inputs[N],
    signal: AbortSignal,
  ): Promise<Outputs[N]> {
    for (let repeats = 0; ; repeats += 1) {
      signal.throwIfAborted();
      const response = await attempt(name, input, signal);
      const late = Date.parse(response.headers.get('date') ?? '') - now();
      const isSkewed = Math.abs(late) > NOTICED_SKEW_MS;
      // Also an answer to what was signed well enough says when a key really expires.
      if (isSkewed) skewMs += late;
      if (response.ok) return (await response.json()) as Outputs[N];
      if (response.status === 403 && isSkewed && repeats === 0) continue;
      const waitMs = Number(response.headers.get('retry-after') ?? Number.NaN) * 1000;
      if (response.status === 429 && repeats < MAX_REPEATS && waitMs <= MAX_WAIT_MS) {
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        continue;
      }
      throw await errorOf(name, response);
    }
  }

  return { call, now, behindMs: () => skewMs };
}

/** Whether a call that is not a GET only says what would happen. */
function isPreview(name: OperationName, input: object): boolean {
  return name === 'ExplainAccess' || name === 'CheckPlayerToken' || ('DryRun' in input && input.DryRun === true);
}

async function errorOf(name: OperationName, response: Response): Promise<CallError> {
  const { headers, status } = response;
  const said = (await response.json().catch(() => ({}))) as { Message?: unknown };
  return new CallError(name, {
    message: typeof said.Message === 'string' ? said.Message : response.statusText,
    code: headers.get('x-amzn-errortype') ?? undefined,
    requestId: headers.get('x-amzn-requestid') ?? undefined,
    status,
  });
}

/** Where a call goes and what it carries: what is neither in the path nor in the query is in the body. */
function requestOf(operation: OperationName, input: object, base: URL) {
  const [, template, query, sendsBody]: Row = OPERATIONS[operation];
  const rest = new Map(Object.entries(input).filter(([, value]) => value !== undefined && value !== ''));
  const take = (name: string) => {
    const value = rest.get(name);
    rest.delete(name);
    return value as unknown;
  };
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(take(name) ?? '');
    // The browser takes these for steps in the path, even percent-encoded, and the call would be another one. They come
    // from the page's address, which somebody else may have written. What is empty names nobody.
    if (['', '.', '..'].includes(value))
      throw new CallError(operation, {
        message: `${name} must not be '${value}'`,
        code: 'ValidationException',
        status: 400,
      });
    return encodeURIComponent(value);
  });
  const pairs = query.split(' ').flatMap((name) => {
    const value = take(name);
    // A list has its name before each of its values.
    return value === undefined ? [] : [value].flat().map((each) => `${name}=${encodeURIComponent(String(each))}`);
  });
  const url = new URL(`.${path}${pairs.length === 0 ? '' : '?'}${pairs.join('&')}`, base);
  const hasBody = sendsBody || rest.size > 0;
  return { url, body: hasBody ? JSON.stringify(Object.fromEntries(rest)) : undefined };
}

/** The service in front of a policy's action is that of the operation's path. */
export function actionOf(name: OperationName): string {
  return `${OPERATIONS[name][1].startsWith('/respark/') ? 'respark' : 'gamesparks'}:${name}`;
}
