import { namedPlaces } from '../../domain/access/policy.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { gameName, playerId, stageName } from '../operations/shapes.ts';
import { list, query, string, structure } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

const action = string({ min: 1, max: 128 });
const REASONS = { explicit_deny: 'EXPLICIT_DENY', no_allow: 'NO_ALLOW' } as const;

export const listPermissions = ownOperation({
  name: 'ListPermissions',
  http: { method: 'GET', path: '/respark/permission' },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ GameName: query(gameName), PlayerId: query(playerId), StageName: query(stageName) }),
  output: structure(
    {
      Allowed: list(action),
      Denied: list(structure({ Action: action, Reason: string({ enum: Object.values(REASONS) }) })),
      Games: list(structure({ GameName: gameName, StageNames: list(stageName) }, ['GameName', 'StageNames'])),
      PrincipalArn: string({ min: 1, max: 2_048 }),
      PrincipalId: string({ min: 1, max: 128 }),
    },
    ['Allowed', 'Denied', 'Games', 'PrincipalArn', 'PrincipalId'],
  ),
  errors: COMMON_ERRORS,
  resource: () => [],
  decisions: [
    'Says who the caller is, and which actions the caller’s policies allow and deny: of all operations in the stage, when `GameName` and `StageName` are given; without the stage, of those that are about a game or none, and without either, of those that are about none. It changes nothing, and leaves no record.',
    'It is the evaluation that the calls themselves go through, from this address and now. Of conditions on tags, those of the game or the stage count, and the call is taken to add none. A policy that names players is asked about `PlayerId`, or without one about a player with an empty id.',
    '`Reason` is `EXPLICIT_DENY` when a statement denies the action, and `NO_ALLOW` when none allows it.',
    '`Games` are those that the caller’s policies allow something in and name, each with the stages that they name, whether or not they exist: so a page knows where somebody is at home who may not list games. What a policy means by wildcards is not among them.',
    'A game or stage that does not exist is one without tags: nobody learns from this call whether there is one.',
  ],
  async handler({ input, permissions }) {
    const place = { gameName: input.GameName, stageName: input.StageName, playerId: input.PlayerId };
    const { principal, decided } = await permissions(place);
    return {
      Allowed: decided.flatMap(({ action, denial }) => (denial === undefined ? [action] : [])),
      Denied: decided.flatMap(({ action, denial }) =>
        denial === undefined ? [] : [{ Action: action, Reason: REASONS[denial] }],
      ),
      Games: namedPlaces(principal.policies).map(({ game, stages }) => ({ GameName: game, StageNames: stages })),
      PrincipalArn: principal.arn,
      PrincipalId: principal.id,
    };
  },
});
