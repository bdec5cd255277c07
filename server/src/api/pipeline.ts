import type { Clock } from '../clock.ts';
import { endedMeanwhile } from '../domain/access/access.ts';
import type { Principal } from '../domain/access/principal.ts';
import type { Refusals } from '../domain/access/refusals.ts';
import type { Arns } from '../domain/arn.ts';
import type { Change } from '../domain/audit/audit.ts';
import type { LongWork } from '../domain/long-work.ts';
import { type ErrorCode, ServiceError } from '../errors.ts';
import type { HttpReply, HttpRequest } from '../http/exchange.ts';
import type { Log } from '../log.ts';
import { andThen, inSteps, type MaybePromise, orElse, type Steps, settled } from '../maybe-promise.ts';
import type { Metrics } from '../metrics.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import { createAuthorize, isDenial } from './authorize.ts';
import { type InputJobs, type InputSources, readLongInput } from './input.ts';
import { type Call, type Operation, type Services, StreamedOutput } from './operation.ts';
import { createPermissions } from './permissions.ts';
import {
  failureReply,
  internalErrorReply,
  optionsReply,
  Refusal,
  refusalReply,
  streamReply,
  successReply,
  wrongMethod,
} from './reply.ts';
import { createRouter } from './router.ts';
import { serialize } from './shape.ts';
import { createStreams } from './streams.ts';
import { createThrottle, type Excess, type Throttle, type ThrottleClass, type ThrottleSettings } from './throttle.ts';
import type { UrlFor } from './url-for.ts';
import { excerptOf } from './validation.ts';

/**
 * Identifies the caller, and reads the body of the request: the only step of the pipeline that depends on how callers
 * sign in. Throws a Refusal, or a `throttled` ServiceError.
 */
export type Authenticate = (
  request: HttpRequest,
  call: {
    readonly maxBodyBytes: number;
    /** The paths by which clients may have meant this very call, the one that came first. */
    readonly paths: readonly string[];
    readonly names: CallNames;
  },
) => MaybePromise<Authenticated>;

export interface Authenticated {
  readonly principal: Principal;
  readonly body: Uint8Array;
  /** The host that the caller meant, with its port unless that is the scheme's own. */
  readonly host: string;
}

/** How a call is named in the log. */
export interface CallNames {
  readonly requestId: string;
  readonly operation: string;
}

export interface PipelineParts {
  readonly operations: readonly Operation[];
  readonly services: Services;
  readonly authenticate: Authenticate;
  /** The principal as it may call now; undefined when it no longer may. */
  readonly renew: (principal: Principal) => MaybePromise<Principal | undefined>;
  /** Whether the node is about to stop and takes no more calls. */
  readonly isDraining: () => boolean;
  readonly urlFor: UrlFor;
  readonly refusals: Pick<Refusals, 'denied'>;
  readonly arns: Arns;
  readonly longWork: LongWork<InputJobs>;
  /** How many nodes share out what a caller may do; by default this one only. */
  readonly managementNodes?: () => number;
  readonly metrics: Pick<Metrics, 'called' | 'throttled'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly settings: ThrottleSettings & { readonly maxBodyBytes: number; readonly publicUrl: string | undefined };
}

/** When a caller that a draining node has refused should try again. */
const RETRY_AFTER_SECONDS = '5';

/** Never fails: a failure of any kind is a reply too. */
export type Pipeline = (request: HttpRequest) => MaybePromise<HttpReply>;

/** THE LIFE OF A REQUEST. Any step may end it, and a request with two faults is answered for the first. */
export function createPipeline(parts: PipelineParts): Pipeline {
  const { operations, services, authenticate, refusals, arns, clock, log, metrics, random, settings } = parts;
  const match = createRouter(operations);
  const pathsOf = createPathsOf({ match, settings });
  const throttle = createThrottle(parts);
  const count = createCount(throttle, metrics);
  const read = createRead(parts);
  const authorize = createAuthorize(parts);
  const asking = createPermissions(parts);
  const streamOf = createStreams({ throttle, authorize, renew: parts.renew });

  const answer = inSteps(function* (request: HttpRequest, trace: Trace): Steps<HttpReply> {
    const { requestId } = trace;
    // Drain: 503, so that the caller's next attempt reaches another node.
    if (parts.isDraining()) throw shuttingDown();

    // Match: 404 for a path that no operation has, 405 for a method that none has there, 400 for a malformed path.
    // OPTIONS, which no operation has, is answered with the methods that there are.
    const route = match(request.method, request.rawPath);
    if (route.kind === 'method_not_allowed' && request.method === 'OPTIONS')
      return methodsReply(requestId, route.allowed);
    const { operation, labels, spelledPath } = matched(route, request);
    trace.operation = operation.name;

    // Authenticate: 403 that names the fault of the signature, 413 or 408 for the body, 429 after too many failures.
    const authenticated = yield* settled(
      authenticate(request, {
        maxBodyBytes: operation.maxBodyBytes ?? settings.maxBodyBytes,
        paths: pathsOf(request, spelledPath),
        names: { requestId, operation: operation.name },
      }),
    );
    const { principal: caller, body, host } = authenticated;
    trace.principal = caller.id;

    // Throttle: 429 with the time to wait.
    count(caller, operation.throttleClass);

    // Validate: 400 that names the faults, or 400 for a body that is not a JSON object; 403 for a key that has ended.
    const form: Form = body.length === 0 ? operation : (operation.additions ?? operation);
    const { input, principal } = yield* settled(read(caller, form, { labels, rawQuery: request.rawQuery, body }));

    // Throttle again, what the input asks for beside the operation's own work: nothing has been done yet.
    count.further(principal, operation, form, input);

    // Authorize: 403 that names the action and the resource, and leaves a record too.
    const resources = operation.resource(input, arns);
    const resource = operation.auditResource?.(input, arns) ?? resources.at(-1) ?? '';
    const change = changeBy(principal.id, request, { requestId, operation: operation.name, resource });
    for (const action of [operation.action, ...(form.furtherActions?.(input) ?? [])]) {
      try {
        yield* settled(authorize({ request, operation, action, principal, input, resources }));
      } catch (error) {
        if (isDenial(error)) yield* settled(refusals.denied(change, action));
        throw error;
      }
    }

    // Handle: one of the errors that the operation models. A rule that changes something puts the change on record
    // first. When it cannot, nothing is done: 500.
    const output = yield* settled(
      handle(operation, form, {
        ...{ input, services, arns, change, header: (name: string) => request.headers.get(name)?.[0] },
        absoluteUrl: (relative) => parts.urlFor({ host, isSecure: request.isSecure }, relative),
        ...asking(principal, request),
      }),
    );

    // Reply: 200.
    if (output instanceof StreamedOutput) {
      const asked = { request, operation, action: operation.action, principal, input, resources };
      return streamReply(requestId, streamOf(output, asked));
    }
    return charged(throttle, principal.holder, successReply(requestId, serialize(form.output, output)));
  });

  return function pipeline(request) {
    const startedAt = clock.monotonic();
    const trace: Trace = { requestId: uuidV7(random, clock.now()) };
    const answered = orElse(
      () => answer(request, trace),
      (error) => explain(error, trace, log),
    );
    return andThen(answered, (reply) => {
      const durationMs = clock.monotonic() - startedAt;
      metrics.called({ operation: trace.operation, status: reply.status, durationMs });
      log.debug(() => ({ ...trace, status: reply.status, durationMs }), 'request answered');
      return reply;
    });
  };
}

/** Reads the input of a call, and looks the caller up again where that has taken a while. */
function createRead({ longWork, renew }: Pick<PipelineParts, 'longWork' | 'renew'>) {
  return inSteps(function* (caller: Principal, form: Form, sources: InputSources): Steps<ReadCall> {
    const reading = readLongInput(longWork, caller.holder, form.input, sources);
    const input = yield* settled(reading);
    const principal = reading instanceof Promise ? yield* settled(renew(caller)) : caller;
    if (principal === undefined) throw endedMeanwhile(caller.id);
    return { input, principal };
  });
}

interface ReadCall {
  readonly input: Input;
  /** The caller, with the policies that it has by now. */
  readonly principal: Principal;
}

/** Counts the bytes of a reply against those that the caller may have. */
function charged(
  throttle: Pick<Throttle, 'replied'>,
  principal: string,
  reply: ReturnType<typeof successReply>,
): HttpReply {
  throttle.replied(principal, reply.body.length);
  return reply;
}

function shuttingDown(): Refusal {
  return new Refusal('draining', 'This node is shutting down: try again', { 'retry-after': RETRY_AFTER_SECONDS });
}

/** Counts a call, and throws `throttled` when it is one too many. */
function createCount(
  throttle: Pick<Throttle, 'take' | 'isMuchOnRecord' | 'takeLongRecord'>,
  metrics: Pick<Metrics, 'throttled'>,
) {
  function refuse(excess: Excess | undefined, principal: Principal, throttleClass: ThrottleClass): void {
    if (excess === undefined) return;
    metrics.throttled(throttleClass);
    throw rateExceeded(excess, principal);
  }
  const count = (principal: Principal, throttleClass: ThrottleClass): void =>
    refuse(throttle.take(principal.holder, throttleClass), principal, throttleClass);
  return Object.assign(count, {
    /** The same for what the input asks for beside the operation's own work, and for what it puts on record. */
    further(principal: Principal, operation: Operation, form: Form, input: Input): void {
      const recorded = form.recordedBytes?.(input) ?? 0;
      for (const further of form.furtherClasses?.(input) ?? []) count(principal, further);
      const isMuch = operation.throttleClass !== 'write' && throttle.isMuchOnRecord(principal.holder, recorded);
      if (isMuch) count(principal, 'write');
      refuse(throttle.takeLongRecord(principal.holder, recorded), principal, 'write');
    },
  });
}

/** What is known about a request so far, for the log. */
interface Trace {
  readonly requestId: string;
  operation?: string;
  /** The id of the principal. */
  principal?: string;
}

function changeBy(
  actor: string,
  { remoteAddress }: HttpRequest,
  { requestId, operation, resource }: Pick<Change, 'requestId' | 'operation' | 'resource'>,
): Change {
  const sourceAddress = remoteAddress ?? 'unknown';
  return { requestId, cause: 'operator', actor, sourceAddress, operation, resource };
}

type Input = Readonly<Record<string, unknown>>;

/** What a call of an operation takes and answers: as the model has it, or with what is beyond. */
type Form = Pick<Operation, 'input' | 'output' | 'handler'> & {
  readonly furtherErrors?: readonly ErrorCode[];
  furtherActions?(input: Input): readonly string[];
  furtherClasses?(input: Input): readonly ThrottleClass[];
  recordedBytes?(input: Input): number;
};

/**
 * Between client and server a proxy may have decoded the path, and taken off the path of the public URL. With that path
 * in front, a path counts only if no operation has it: otherwise one signature could be used for two different calls.
 */
function createPathsOf({
  match,
  settings: { publicUrl },
}: {
  match: ReturnType<typeof createRouter<Operation>>;
  settings: { readonly publicUrl: string | undefined };
}): (request: HttpRequest, spelledPath: string) => readonly string[] {
  const prefix = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/$/, '');
  return ({ method, rawPath }, spelledPath) => {
    const paths = [rawPath, spelledPath];
    if (prefix === '') return paths;
    const prefixed = paths.map((path) => `${prefix}${path}`);
    return [...paths, ...prefixed.filter((path) => match(method, path).kind !== 'operation')];
  };
}

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
    case 'method_not_allowed':
      throw wrongMethod(match.allowed, method);
    case 'malformed_uri':
      throw new Refusal(match.kind, `The path '${excerptOf(rawPath)}' must be percent-encoded UTF-8`);
  }
}

function methodsReply(requestId: string, allowed: readonly string[]): HttpReply {
  const reply = optionsReply([...allowed, 'OPTIONS'].join(', '));
  return { ...reply, headers: { ...reply.headers, 'x-amzn-requestid': requestId } };
}

function rateExceeded({ of, waitMs }: Excess, { id, holder }: Principal): ServiceError {
  const whose = holder === id ? 'this access key' : 'this person, whose access keys share their limits';
  const message = `Rate exceeded for ${of} of ${whose}: try again in ${waitMs} ms`;
  return new ServiceError('throttled', message, { retryAfterMs: waitMs });
}

function handle(operation: Operation, form: Form, call: Call<Input>): MaybePromise<unknown> {
  return orElse(
    () => form.handler(call),
    (error) => {
      throw modelled(operation, form, error);
    },
  );
}

/** Typed clients would not know an error that the operation does not model, so it is a bug, and answered as one. */
function modelled(operation: Operation, { furtherErrors = [] }: Form, error: unknown): unknown {
  if (!(error instanceof ServiceError)) return error;
  if (operation.errors.includes(error.code) || furtherErrors.includes(error.code)) return error;
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
