import type { Clock } from '../clock.ts';
import { explain } from '../domain/access/explanation.ts';
import { evaluate, type Policy, type PolicyRequest, usesResourceTags } from '../domain/access/policy.ts';
import type { Principal } from '../domain/access/principal.ts';
import type { Arns } from '../domain/arn.ts';
import { ServiceError } from '../errors.ts';
import type { HttpRequest } from '../http/exchange.ts';
import { shown } from '../text.ts';
import type { Call, Operation, Permission, PermissionPlace, Services } from './operation.ts';

/** Says which calls may be made at a place, by the same evaluation that lets the calls themselves through. */
export function createPermissions({
  operations,
  services,
  arns,
  clock,
}: {
  operations: readonly Operation[];
  services: Services;
  arns: Arns;
  clock: Clock;
}) {
  /** Calls at a place as policies see them. Tags cost a look at the store, and most operations there have the same ones. */
  function createRequestOf(place: PermissionPlace, { policies, request }: Caller) {
    const input = inputAt(place, arns);
    const readsTags = usesResourceTags(policies);
    // One time for all: lines about the time are then looked at once.
    const currentTimeMs = clock.now();
    const tags = new Map<Operation['resourceTags'], ReturnType<NonNullable<Operation['resourceTags']>>>();
    const tagsOf = ({ resourceTags: read }: Operation) => {
      if (!readsTags || read === undefined) return undefined;
      const found = tags.get(read) ?? read(input, services);
      tags.set(read, found);
      return found;
    };
    return async (operation: Operation): Promise<PolicyRequest> => ({
      action: operation.action,
      resources: operation.resource(input, arns),
      context: {
        sourceIp: request.remoteAddress,
        isSecure: request.isSecure,
        currentTimeMs,
        requestTags: {},
        resourceTags: (await tagsOf(operation)) ?? {},
        tagKeys: [],
      },
    });
  }

  return (principal: Principal, request: Caller['request']): Asking => ({
    principal,

    async permissions(place) {
      const policies = principal.policies.map(comparedOnce);
      const requestOf = createRequestOf(place, { policies, request });
      const decided: Permission[] = [];
      for (const operation of operations) {
        if (missingAt(operation, place).length > 0) continue;
        const decision = evaluate(policies, await requestOf(operation));
        decided.push({ action: operation.action, denial: decision.isAllowed ? undefined : decision.reason });
      }
      return { principal, decided };
    },

    async explain(policies, { action, place, sourceAddress }) {
      const operation = operations.find((each) => each.action === action);
      if (operation === undefined) {
        const message = `no operation has the action ${shown(action)}: write one as "gamesparks:DisconnectPlayer" or "respark:BlockPlayer"`;
        throw new ServiceError('validation', message);
      }
      const missing = missingAt(operation, place).map((name) => (name === 'ResourceArn' ? 'GameName' : name));
      if (missing.length > 0)
        throw new ServiceError('validation', `${action} is about a place: say where by ${missing.join(' and ')}`);
      const caller = { policies, request: { ...request, remoteAddress: sourceAddress ?? request.remoteAddress } };
      const asked = await createRequestOf(place, caller)(operation);
      return { ...explain(policies, asked), resources: asked.resources };
    },
  });
}

/**
 * The same policy, which compares resources with its patterns only once. It has room for hundreds of patterns, and dozens of
 * operations have the same resources at a place.
 */
function comparedOnce({ statements }: Policy): Policy {
  return {
    statements: statements.map((statement) => {
      const known = new Map<string, boolean>();
      const coversResources = (resources: readonly string[]) => {
        const names = resources.join();
        const isCovered = known.get(names) ?? statement.coversResources(resources);
        known.set(names, isCovered);
        return isCovered;
      };
      return { ...statement, coversResources };
    }),
  };
}

/** What a handler may ask about the caller and about policies. */
type Asking = Pick<Call<never>, 'principal' | 'permissions' | 'explain'>;

interface Caller {
  readonly policies: readonly Policy[];
  readonly request: Pick<HttpRequest, 'remoteAddress' | 'isSecure'>;
}

/** What an operation's resources and tags are found by. No policy can tell what else an input has. */
function inputAt({ gameName, stageName, playerId }: PermissionPlace, arns: Arns): Readonly<Record<string, unknown>> {
  const game = gameName ?? '';
  return {
    GameName: game,
    StageName: stageName,
    PlayerId: playerId ?? '',
    ResourceArn: stageName === undefined ? arns.game(game) : arns.stage(game, stageName),
  };
}

const PLACES = { GameName: 'gameName', StageName: 'stageName', ResourceArn: 'gameName' } as const;

/** What of a place the operation needs and is not given. */
function missingAt({ input: { required } }: Operation, place: PermissionPlace): readonly string[] {
  return required.filter(
    (name) => Object.hasOwn(PLACES, name) && place[PLACES[name as keyof typeof PLACES]] === undefined,
  );
}
