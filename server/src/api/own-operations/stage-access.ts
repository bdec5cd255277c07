import { COMMON_ERRORS } from '../operation.ts';
import { stageResource, stageTags } from '../operations/resources.ts';
import { boolean, structure } from '../shape.ts';
import { block, durationMembers, durationOf, listedBlock, stageMembers, toBlock } from './block-shapes.ts';
import { ownOperation } from './own-operation.ts';
import { MANY_ON_RECORD, recordedBytesOf, wordingMembers, wordingOf } from './wording.ts';

const PATH = '/respark/game/{GameName}/stage/{StageName}/closure';
const REQUIRED = ['GameName', 'StageName'] as const;

export const closeStageToPlayers = ownOperation({
  name: 'CloseStageToPlayers',
  http: { method: 'POST', path: PATH },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ ...stageMembers, ...wordingMembers, ...durationMembers, SendAway: boolean() }, REQUIRED),
  output: structure({ Closure: block }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  recordedBytes: (input) => recordedBytesOf(input),
  decisions: [
    'Closes a stage to newcomers, for maintenance: once the call has returned, nobody who comes is welcomed, on any node. They are closed with 4007, whose reason has `Message` as far as it fits and, while an end is known, `until` and `retryAfterMs`; their clients come back by themselves.',
    'Those who are connected may stay, and are told nothing. With `SendAway` they are closed with 4000 and the same hint, on every node; the call fails, and is gone on with, when a node does not say that it has done so. Those who are there are sent away also when the closure ends by itself before the call does, and stay when somebody has opened the stage again by then.',
    '`Reason`, `Message`, `Messages` and `Evidence` have the form that they have for DisconnectPlayer. The stage opens again at `Until`, after `Seconds`, or with OpenStageToPlayers. The game, its operations and its deployments go on as before.',
    MANY_ON_RECORD,
  ],
  async handler({ input, services, change }) {
    const stage = { gameName: input.GameName, stageName: input.StageName };
    const asked = { ...wordingOf(input), ...durationOf(input), sendsAway: input.SendAway ?? false };
    return {
      Closure: toBlock({ ...(await services.stageAccess.close(stage, asked, change)), stageName: input.StageName }),
    };
  },
});

export const openStageToPlayers = ownOperation({
  name: 'OpenStageToPlayers',
  http: { method: 'DELETE', path: PATH },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure(stageMembers, REQUIRED),
  output: structure({ WasClosed: boolean() }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Opens a stage that CloseStageToPlayers has closed: once it has returned, newcomers are let in on every node.',
  ],
  async handler({ input, services, change }) {
    const stage = { gameName: input.GameName, stageName: input.StageName };
    return { WasClosed: await services.stageAccess.open(stage, change) };
  },
});

export const getStageAccess = ownOperation({
  name: 'GetStageAccess',
  http: { method: 'GET', path: PATH },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(stageMembers, REQUIRED),
  output: structure({ Closure: listedBlock, IsOpen: boolean() }),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Says whether newcomers are let into a stage, and otherwise why not; `Closure` is missing while they are. `Evidence` is not in it: the audit record of CloseStageToPlayers has it.',
  ],
  async handler({ input, services }) {
    const stage = { gameName: input.GameName, stageName: input.StageName };
    const closure = await services.stageAccess.findClosure(stage);
    if (closure === undefined) return { IsOpen: true };
    const { evidence: _, ...shown } = closure;
    return { Closure: toBlock({ ...shown, stageName: input.StageName }), IsOpen: false };
  },
});
