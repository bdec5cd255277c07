import type { Clock } from '../clock.ts';
import { evaluate, usesResourceTags } from '../domain/access/policy.ts';
import type { Principal } from '../domain/access/principal.ts';
import type { Arns } from '../domain/arn.ts';
import type { HttpRequest } from '../http/exchange.ts';
import type { Operation, Permission, PermissionPlace, Services } from './operation.ts';

/** Says which calls a caller may make at a place, by the same evaluation that lets the calls themselves through. */
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
  async function permissionOf(
    operation: Operation,
    input: Readonly<Record<string, unknown>>,
    { principal, request }: Caller,
  ): Promise<Permission> {
    const readsTags = usesResourceTags(principal.policies);
    const decision = evaluate(principal.policies, {
      action: operation.action,
      resources: operation.resource(input, arns),
      context: {
        sourceIp: request.remoteAddress,
        isSecure: request.isSecure,
        currentTimeMs: clock.now(),
        requestTags: {},
        resourceTags: (readsTags ? await operation.resourceTags?.(input, services) : undefined) ?? {},
        tagKeys: [],
      },
    });
    return { action: operation.action, denial: decision.isAllowed ? undefined : decision.reason };
  }

  return async function permissions(place: PermissionPlace, caller: Caller): Promise<Permission[]> {
    const input = inputAt(place, arns);
    const asked = operations.filter(({ input: { required } }) => required.every((name) => isGiven(name, place)));
    const answered: Permission[] = [];
    for (const operation of asked) answered.push(await permissionOf(operation, input, caller));
    return answered;
  };
}

interface Caller {
  readonly principal: Principal;
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

function isGiven(member: string, place: PermissionPlace): boolean {
  return !Object.hasOwn(PLACES, member) || place[PLACES[member as keyof typeof PLACES]] !== undefined;
}
