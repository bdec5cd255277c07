import { ServiceError } from '../../errors.ts';
import { COMMON_ERRORS } from '../operation.ts';
import { gameName, playerId, stageName } from '../operations/shapes.ts';
import { boolean, list, string, structure } from '../shape.ts';
import { accessKeyId, policyText, warnings } from './access-keys.ts';
import { ownOperation } from './own-operation.ts';

const words = string({ min: 1, max: 2_048 });
const REASONS = { explicit_deny: 'EXPLICIT_DENY', no_allow: 'NO_ALLOW' } as const;

export const explainAccess = ownOperation({
  name: 'ExplainAccess',
  http: { method: 'POST', path: '/respark/access-explanation' },
  isIdempotent: true,
  throttleClass: 'read',
  // Reading a document takes milliseconds, as it does for CreateAccessKey.
  furtherClasses: ({ Policy }) => (Policy === undefined ? [] : ['write']),
  input: structure(
    {
      AccessKeyId: accessKeyId,
      Action: string({ min: 1, max: 128 }),
      GameName: gameName,
      PlayerId: playerId,
      Policy: policyText,
      SourceAddress: string({ min: 2, max: 45, pattern: '^[0-9a-fA-F.:]+$' }),
      StageName: stageName,
    },
    ['Action'],
  ),
  output: structure({
    Explanation: words,
    IsAllowed: boolean(),
    Reason: string({ enum: Object.values(REASONS) }),
    Resources: list(words),
    Statements: list(
      structure({
        Applies: boolean(),
        Effect: string({ enum: ['Allow', 'Deny'] }),
        Explanation: words,
        Path: words,
        Sid: string({ min: 0, max: 2_048 }),
      }),
    ),
    Warnings: warnings,
  }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: () => [],
  decisions: [
    'Says whether a call would be allowed to the key `AccessKeyId`, or to one with this `Policy`, which none need have yet, and why: what each statement has to do with it, and which have decided. It changes nothing, and leaves no record. With a `Policy` it counts as a write call too, since reading one takes long.',
    'The `Action` is that of an operation, such as `gamesparks:DisconnectPlayer`. What it would be called on is named as calls name it, by `GameName`, `StageName` and `PlayerId`; `Resources` has the ARNs that policies are matched against, and is empty where only `*` matches. A call of a player’s without `PlayerId` is one for a player with an empty id.',
    'It is the evaluation that calls go through, now, from `SourceAddress` or else from where this call comes. Of conditions on tags, those of the game or the stage count, and the call is taken to add none.',
    '`Reason` is as with ListPermissions, and there unless the call is allowed. `Path` is where the statement is in its document. The root key has one statement that allows everything.',
    'Faults of the `Policy` are a `ValidationException` that begins with “The policy is not valid.”, then names the place.',
  ],
  async handler({ input, services, explain }) {
    const { AccessKeyId, Policy, Action, GameName, StageName, PlayerId, SourceAddress } = input;
    const asked = {
      action: Action,
      place: { gameName: GameName, stageName: StageName, playerId: PlayerId },
      sourceAddress: SourceAddress,
    };
    const parsed = Policy === undefined ? undefined : services.accessKeys.parse(Policy);
    if ((AccessKeyId === undefined) === (parsed === undefined)) {
      throw new ServiceError('validation', 'give either an AccessKeyId or a Policy');
    }
    const policies = parsed === undefined ? await services.accessKeys.policiesOf(AccessKeyId ?? '') : [parsed];
    const { decision, words: explanation, statements, resources } = await explain(policies, asked);
    return {
      Explanation: explanation,
      IsAllowed: decision.isAllowed,
      Reason: decision.isAllowed ? undefined : REASONS[decision.reason],
      Resources: resources,
      Statements: statements.map(({ path, sid, effect, applies, words: said }) => ({
        ...{ Applies: applies, Effect: effect, Explanation: said, Path: path, Sid: sid },
      })),
      Warnings: parsed?.warnings ?? [],
    };
  },
});
