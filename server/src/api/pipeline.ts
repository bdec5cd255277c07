import type { Audit, Recorded } from '../domain/audit.ts';
import { ServiceError } from '../errors.ts';
import type { HttpReply, HttpRequest } from '../http/exchange.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import { createAuthorize } from './authorize.ts';
import { readInput } from './input.ts';
import type { Call, Operation, Services } from './operation.ts';
import { failureReply, internalErrorReply, Refusal, refusalReply, successReply, WIRE_ERRORS } from './reply.ts';
import { createRouter } from './router.ts';
import { serialize } from './shape.ts';
import { type AuthenticationParts, createAuthenticate } from './signature/authenticate.ts';
import { createThrottle, type ThrottleSettings } from './throttle.ts';
import { excerptOf } from './validation.ts';

export interface PipelineParts extends AuthenticationParts {
  readonly operations: readonly Operation[];
  readonly services: Services;
  readonly audit: Pick<Audit, 'record'>;
  readonly metrics: Pick<Metrics, 'called' | 'throttled' | 'authFailed'>;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly settings: AuthenticationParts['settings'] & ThrottleSettings & { readonly maxBodyBytes: number };
}

/** Always resolves: a failure of whatever kind is a reply too. */
export type Pipeline = (request: HttpRequest) => Promise<HttpReply>;

/** THE LIFE OF A REQUEST. Each step may be its last; a request with two faults is answered for the first. */
export function createPipeline(parts: PipelineParts): Pipeline {
  const { operations, services, arns, audit, clock, log, metrics, random, settings } = parts;
  const match = createRouter(operations);
  const authenticate = createAuthenticate(parts);
  const throttle = createThrottle(parts);
  const authorize = createAuthorize(parts);

  async function answer(request: HttpRequest, trace: Trace): Promise<HttpReply> {
    const { requestId } = trace;

    // Match: 404 for a path, 405 for a method that no operation has, 400 for a malformed one.
    const { operation, labels } = matched(match(request.method, request.rawPath), request);
    trace.operation = operation.name;

    // Authenticate: 403 under the name of what is wrong with the signature, 413 or 408 for the body, 429 after too many.
    const { principal, body } = await authenticate(request, operation.maxBodyBytes ?? settings.maxBodyBytes);
    trace.accessKeyId = principal.accessKeyId;

    // Throttle: 429 with the time to wait.
    const waitMs = throttle(principal.accessKeyId, operation.throttleClass);
    if (waitMs > 0) {
      metrics.throttled(operation.throttleClass);
      throw rateExceeded(operation, waitMs);
    }

    // Validate: 400 that names every fault, or 400 for a body that is no JSON object.
    const input = readInput(operation.input, { labels, rawQuery: request.rawQuery, body });

    // Authorize: 403 that names the action and the resource.
    await authorize({ request, operation, principal, input });

    // Record: 500, and nothing is done, when a change cannot be put on record first.
    const record = isChange(operation)
      ? await recordIntent(operation, { request, principal, input, requestId })
      : undefined;

    // Handle: one of the errors that the operation models.
    const output = await handle(operation, { input, services, principal, arns, requestId }, record);

    // Reply: 200.
    return successReply(requestId, serialize(operation.output, output));
  }

  function recordIntent(
    operation: Operation,
    {
      request,
      principal,
      input,
      requestId,
    }: Pick<Call<Input>, 'principal' | 'input' | 'requestId'> & { request: HttpRequest },
  ): Promise<Recorded> {
    const { PlayerId: playerId } = input;
    return audit.record({
      requestId,
      accessKeyId: principal.accessKeyId,
      sourceAddress: request.remoteAddress,
      operation: operation.name,
      resource: operation.auditResource?.(input, arns) ?? operation.resource(input, arns).at(-1) ?? '',
      playerId: typeof playerId === 'string' ? playerId : undefined,
    });
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

/** What is known of a request so far, for the log. */
interface Trace {
  readonly requestId: string;
  operation?: string;
  accessKeyId?: string;
}

type Input = Readonly<Record<string, unknown>>;

type Matched = ReturnType<ReturnType<typeof createRouter<Operation>>>;

function matched(match: Matched, { method, rawPath }: HttpRequest): Matched & { kind: 'operation' } {
  switch (match.kind) {
    case 'operation':
      return match;
    case 'unknown_operation':
      throw new Refusal(match.kind, `No operation is at '${excerptOf(rawPath)}': check the endpoint and the path`);
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

function isChange(operation: Operation): boolean {
  return operation.throttleClass !== 'read';
}

/** Whatever comes of the call is on record before its caller hears it. */
async function handle(operation: Operation, call: Call<Input>, record: Recorded | undefined): Promise<unknown> {
  try {
    const output = await operation.handler(call);
    await record?.finish({ status: 200, error: undefined, ...operation.auditOutput?.(output) });
    return output;
  } catch (error) {
    const failure = modelled(operation, error);
    const { status, name } = WIRE_ERRORS[failure instanceof ServiceError ? failure.code : 'internal'];
    await record?.finish({ status, error: name });
    throw failure;
  }
}

/** An error outside the model would reach typed clients as an unknown one, so it is a bug and answered as such. */
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
  log.error({ ...trace, err: error }, 'request failed on a bug');
  return internalErrorReply(trace.requestId);
}
