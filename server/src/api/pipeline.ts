import type { Clock } from '../clock.ts';
import type { Principal } from '../domain/access/principal.ts';
import type { Refusals } from '../domain/access/refusals.ts';
import type { Arns } from '../domain/arn.ts';
import type { Change } from '../domain/audit.ts';
import { ServiceError } from '../errors.ts';
import type { HttpReply, HttpRequest } from '../http/exchange.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import { createAuthorize } from './authorize.ts';
import { readInput } from './input.ts';
import type { Call, Operation, Services } from './operation.ts';
import { failureReply, internalErrorReply, Refusal, refusalReply, successReply } from './reply.ts';
import { createRouter } from './router.ts';
import { serialize } from './shape.ts';
import { createThrottle, type ThrottleSettings } from './throttle.ts';
import { excerptOf } from './validation.ts';

/**
 * Identifies the caller, and reads the body of the request: the only step of the pipeline that depends on how callers
 * sign in. Throws a Refusal, or a `throttled` ServiceError.
 */
export type Authenticate = (
  request: HttpRequest,
  maxBodyBytes: number,
  names: CallNames,
) => Promise<{ readonly principal: Principal; readonly body: Uint8Array }>;

/** How a call is named in the log. */
export interface CallNames {
  readonly requestId: string;
  readonly operation: string;
}

export interface PipelineParts {
  readonly operations: readonly Operation[];
  readonly services: Services;
  readonly authenticate: Authenticate;
  readonly refusals: Pick<Refusals, 'denied'>;
  readonly arns: Arns;
  readonly metrics: Pick<Metrics, 'called' | 'throttled'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly settings: ThrottleSettings & { readonly maxBodyBytes: number };
}

/** Always resolves: a failure of any kind is a reply too. */
export type Pipeline = (request: HttpRequest) => Promise<HttpReply>;

/** THE LIFE OF A REQUEST. Any step may end it, and a request with two faults is answered for the first. */
export function createPipeline(parts: PipelineParts): Pipeline {
  const { operations, services, authenticate, refusals, arns, clock, log, metrics, random, settings } = parts;
  const match = createRouter(operations);
  const throttle = createThrottle(parts);
  const authorize = createAuthorize(parts);

  async function answer(request: HttpRequest, trace: Trace): Promise<HttpReply> {
    const { requestId } = trace;

    // Match: 404 for a path that no operation has, 405 for a method that none has there, 400 for a malformed path.
    const { operation, labels } = matched(match(request.method, request.rawPath), request);
    trace.operation = operation.name;

    // Authenticate: 403 that names the fault of the signature, 413 or 408 for the body, 429 after too many failures.
    const maxBodyBytes = operation.maxBodyBytes ?? settings.maxBodyBytes;
    const { principal, body } = await authenticate(request, maxBodyBytes, { requestId, operation: operation.name });
    trace.principal = principal.id;

    // Throttle: 429 with the time to wait.
    const waitMs = throttle(principal.id, operation.throttleClass);
    if (waitMs > 0) {
      metrics.throttled(operation.throttleClass);
      throw rateExceeded(operation, waitMs);
    }

    // Validate: 400 that names the faults, or 400 for a body that is not a JSON object.
    const input = readInput(operation.input, { labels, rawQuery: request.rawQuery, body });

    // Authorize: 403 that names the action and the resource, and leaves a record too.
    const resources = operation.resource(input, arns);
    const change: Change = {
      requestId,
      cause: 'operator',
      actor: principal.id,
      sourceAddress: request.remoteAddress,
      operation: operation.name,
      resource: operation.auditResource?.(input, arns) ?? resources.at(-1) ?? '',
    };
    await authorize({ request, operation, principal, input, resources }).catch(async (error: unknown) => {
      if (isDenial(error)) await refusals.denied(change, operation.action);
      throw error;
    });

    // Handle: one of the errors that the operation models. A rule that changes something puts the change on record
    // first. When it cannot, nothing is done: 500.
    const output = await handle(operation, { input, services, arns, change });

    // Reply: 200.
    return successReply(requestId, serialize(operation.output, output));
  }

  return async function pipeline(request) {
    const startedAt = clock.monotonic();
    const trace: Trace = { requestId: uuidV7(random, clock.now()) };
    const reply = await answer(request, trace).catch((error: unknown) => explain(error, trace, log));
    const durationMs = clock.monotonic() - startedAt;
    metrics.called({ operation: trace.operation, status: reply.status, durationMs });
    log.debug({ ...trace, status: reply.status, durationMs }, 'request answered');
    return reply;
  };
}

/** What is known about a request so far, for the log. */
interface Trace {
  readonly requestId: string;
  operation?: string;
  /** The id of the principal. */
  principal?: string;
}

function isDenial(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'access_denied';
}

type Input = Readonly<Record<string, unknown>>;

type Matched = ReturnType<ReturnType<typeof createRouter<Operation>>>;

function matched(match: Matched, { method, rawPath }: HttpRequest): Matched & { kind: 'operation' } {
  switch (match.kind) {
    case 'operation':
      return match;
    case 'unknown_operation':
      throw new Refusal(
        match.kind,
        `There is no operation at '${excerptOf(rawPath)}': check the endpoint and the path`,
      );
    case 'method_not_allowed': {
      const allow = match.allowed.join(', ');
      throw new Refusal(match.kind, `The method here must be ${allow}, got '${excerptOf(method)}'`, { allow });
    }
    case 'malformed_uri':
      throw new Refusal(match.kind, `The path '${excerptOf(rawPath)}' must be percent-encoded UTF-8`);
  }
}

function rateExceeded({ throttleClass }: Operation, retryAfterMs: number): ServiceError {
  const message = `Rate exceeded for ${throttleClass} calls of this access key: try again in ${retryAfterMs} ms`;
  return new ServiceError('throttled', message, { retryAfterMs });
}

async function handle(operation: Operation, call: Call<Input>): Promise<unknown> {
  try {
    return await operation.handler(call);
  } catch (error) {
    throw modelled(operation, error);
  }
}

/** Typed clients would not know an error that the operation does not model, so it is a bug, and answered as one. */
function modelled(operation: Operation, error: unknown): unknown {
  if (!(error instanceof ServiceError) || operation.errors.includes(error.code)) return error;
  return new Error(`${operation.name} failed with ${error.code}, which it does not model`, { cause: error });
}

function explain(error: unknown, trace: Trace, log: Log): HttpReply {
  if (error instanceof Refusal) return refusalReply(trace.requestId, error);
  if (error instanceof ServiceError) {
    if (error.code === 'internal') log.warn({ ...trace, err: error }, 'request failed and may be tried again');
    return failureReply(trace.requestId, error);
  }
  log.error({ ...trace, err: error }, 'request failed because of a bug');
  return internalErrorReply(trace.requestId);
}
