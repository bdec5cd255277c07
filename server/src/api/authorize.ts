import type { Clock } from '../clock.ts';
import { type Decision, evaluate, usesResourceTags } from '../domain/access/policy.ts';
import type { Principal } from '../domain/access/principal.ts';
import type { Tags } from '../domain/tags.ts';
import { ServiceError } from '../errors.ts';
import type { HttpRequest } from '../http/exchange.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import type { Operation, Services } from './operation.ts';

type Input = Readonly<Record<string, unknown>>;

export type Authorize = (call: {
  readonly request: Pick<HttpRequest, 'remoteAddress' | 'isSecure'>;
  readonly operation: Operation;
  /** The operation's own, or another one that the call asks for. */
  readonly action: string;
  readonly principal: Principal;
  readonly input: Input;
  /** The ARNs that `operation.resource` gives for the input. */
  readonly resources: readonly string[];
}) => MaybePromise<void>;

/** The returned function throws `access_denied` unless the principal's policies allow the action. */
export function createAuthorize({ services, clock }: { services: Services; clock: Clock }): Authorize {
  return function authorize({ request, operation, action, principal, input, resources }) {
    const requestTags = operation.requestTags?.(input) ?? {};
    // Reading the resource's tags costs a look at the store, which most policies do not need.
    const readsTags = usesResourceTags(principal.policies);
    const tagsOfResource = readsTags ? operation.resourceTags?.(input, services) : undefined;
    return andThen<Tags | undefined, void>(tagsOfResource, (resourceTags = {}) => {
      const decision = evaluate(principal.policies, {
        action,
        resources,
        context: {
          sourceIp: request.remoteAddress,
          isSecure: request.isSecure,
          currentTimeMs: clock.now(),
          requestTags,
          resourceTags,
          tagKeys: operation.tagKeys?.(input) ?? Object.keys(requestTags),
        },
      });
      if (decision.isAllowed) return;
      const call = `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resources.at(-1) ?? '*'}`;
      const unknown = request.remoteAddress === undefined ? UNKNOWN_ADDRESS : '';
      throw new ServiceError('access_denied', `${call} ${reasonOf(decision, action)}${unknown}`);
    });
  };
}

/** Whether an error is that a policy does not allow a call. */
export function isDenial(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'access_denied';
}

/** A condition on the address may be why, and the caller could not tell. */
const UNKNOWN_ADDRESS = ' (the address of the caller is not known: its proxy sent none in X-Forwarded-For)';

/** The words are those of AWS services, because scripts look for them. */
function reasonOf(decision: Decision & { isAllowed: false }, action: string): string {
  switch (decision.reason) {
    case 'explicit_deny':
      return 'with an explicit deny in an identity-based policy';
    case 'no_allow':
      return `because no identity-based policy allows the ${action} action`;
  }
}
