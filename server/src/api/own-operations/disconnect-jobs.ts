import type { FarewellWords } from '../../disconnect-order.ts';
import type { NewJob } from '../../domain/players/disconnect-jobs/disconnect-job-request.ts';
import type {
  DisconnectJob,
  DisconnectJobState,
  JobTarget,
} from '../../domain/players/disconnect-jobs/disconnect-jobs.ts';
import { type Call, COMMON_ERRORS } from '../operation.ts';
import { stageResource, stageTags } from '../operations/resources.ts';
import { clientToken, connectionId, dateTime, maxResults, nextToken, playerId } from '../operations/shapes.ts';
import { boolean, integer, label, list, query, string, structure } from '../shape.ts';
import { stageMembers } from './block-shapes.ts';
import {
  actionsOfFilter,
  filterMembers,
  MAX_SELECTOR_BODY_BYTES,
  node,
  runtime,
  SELECTORS,
  type SelectorInput,
  selectionOf,
  selector,
} from './connection-filters.ts';
import { ownOperation } from './own-operation.ts';
import { sharedTime } from './shared-time.ts';
import { farewellOf, MANY_ON_RECORD, recordedBytesOf, wordingMembers } from './wording.ts';

const JOBS = '/respark/game/{GameName}/stage/{StageName}/disconnect-job';
const IN_STAGE = ['GameName', 'StageName'] as const;
const OF_JOB = ['GameName', 'JobId', 'StageName'] as const;

const STATES = [
  'AWAITING_CONFIRMATION',
  'PENDING',
  'IN_PROGRESS',
  'PAUSING',
  'PAUSED',
  'CANCELLING',
  'CANCELLED',
  'COMPLETED',
  'FAILED',
] as const satisfies readonly DisconnectJobState[];

const count = integer({ min: 0 });
const ratePerSecond = integer({ min: 1, max: 10_000 });
const returnWithinSeconds = integer({ min: 1, max: 3_600 });
const confirmAbove = integer({ min: 0, max: 10_000_000 });
const jobId = string({ min: 1, max: 36, pattern: '^[0-9a-f-]+$' });

const shownSelector = structure({
  ...filterMembers,
  BeforeRuntimeId: runtime,
  Everybody: boolean(),
  NamedPlayers: count,
});

const job = structure({
  Closed: count,
  ConfirmAbove: confirmAbove,
  ConfirmedBy: string({ min: 0, max: 2_048 }),
  Connections: count,
  Created: dateTime,
  Failures: list(structure({ ConnectionId: connectionId, Node: node, PlayerId: playerId })),
  GoneAlready: count,
  InFlight: count,
  JobId: jobId,
  Message: wordingMembers.Message,
  Messages: wordingMembers.Messages,
  Players: count,
  RatePerSecond: ratePerSecond,
  Reason: wordingMembers.Reason,
  ReturnWithinSeconds: returnWithinSeconds,
  Selector: shownSelector,
  SilentNodes: list(node),
  Started: dateTime,
  StartedBy: string({ min: 0, max: 2_048 }),
  State: string({ enum: [...STATES] }),
  StartRequestId: string({ min: 0, max: 64 }),
  Unproven: count,
  Updated: dateTime,
});

const jobMembers = { ...stageMembers, JobId: label(jobId) };
const jobOutput = structure({ Job: job }, ['Job']);

const nameOf = ({ GameName, StageName }: { readonly GameName: string; readonly StageName: string }) => ({
  gameName: GameName,
  stageName: StageName,
});

interface StartInput {
  readonly Selector: SelectorInput;
  readonly Reason?: string | undefined;
  readonly Message?: string | undefined;
  readonly Messages?: Readonly<Record<string, string>> | undefined;
  readonly Evidence?: string | undefined;
  readonly RatePerSecond?: number | undefined;
  readonly ReturnWithinSeconds?: number | undefined;
  readonly ConfirmAbove?: number | undefined;
  readonly ClientToken?: string | undefined;
}

function jobOf(input: StartInput): NewJob {
  const { Evidence: evidence, RatePerSecond: ratePerSecond, ConfirmAbove: confirmAbove } = input;
  const { ReturnWithinSeconds: seconds, ClientToken: clientToken } = input;
  return {
    selection: selectionOf(input.Selector),
    farewell: farewellOf(input),
    returnWithinMs: seconds === undefined ? undefined : seconds * 1_000,
    ...{ evidence, ratePerSecond, confirmAbove, clientToken },
  };
}

/** Shows jobs to a caller: addresses are for callers who may list connections. */
async function viewOf(
  {
    input,
    permissions,
  }: Pick<Call<{ readonly GameName: string; readonly StageName: string }>, 'input' | 'permissions'>,
  jobs: readonly DisconnectJob[],
): Promise<typeof toJob> {
  if (jobs.every(({ asked }) => asked.selector.addresses === undefined)) return toJob;
  const { decided } = await permissions(nameOf(input));
  const allowed = decided.flatMap(({ action, denial }) => (denial === undefined ? [action] : []));
  if (actionsOfFilter({ Address: '' }).every((action) => allowed.includes(action))) return toJob;
  return (job) => toJob({ ...job, asked: { ...job.asked, selector: { ...job.asked.selector, addresses: undefined } } });
}

function toJob(job: DisconnectJob) {
  const { asked, failures, silentNodes, inFlight } = job;
  const { selector: meant, isEverybody, farewell, returnWithinMs, ratePerSecond, confirmAbove } = asked;
  return {
    Closed: job.closed,
    ConfirmAbove: confirmAbove,
    ConfirmedBy: job.confirmedBy,
    Connections: job.connections,
    Created: job.createdAt,
    Failures: failures.map(toFailure),
    GoneAlready: job.gone,
    InFlight: inFlight.length,
    JobId: job.id,
    ...toTexts(farewell),
    Players: job.players,
    RatePerSecond: ratePerSecond,
    Reason: farewell?.reason,
    ReturnWithinSeconds: returnWithinMs === undefined ? undefined : returnWithinMs / 1_000,
    Selector: {
      Address: meant.addresses,
      BeforeRuntimeId: meant.beforeRuntimeId,
      ConnectedBefore: meant.connectedBefore,
      ConnectedSince: meant.connectedSince,
      Everybody: isEverybody || undefined,
      NamedPlayers: job.namedPlayers,
      Node: meant.node,
      PlayerIdPrefix: meant.playerIdPrefix,
      RuntimeId: meant.runtimeId,
    },
    SilentNodes: silentNodes,
    Started: job.begunAt,
    StartedBy: job.actor,
    StartRequestId: job.requestId,
    State: job.state,
    Unproven: job.unproven,
    Updated: job.updatedAt,
  };
}

/** What the players are told. It cannot be taken back, so the person who confirms a job sees all of it. */
function toTexts({ message, messages }: FarewellWords = {}) {
  const { und = message, ...others } = messages ?? {};
  return { Message: und, Messages: Object.keys(others).length === 0 ? undefined : others };
}

function toFailure({ connectionId, node, playerId }: JobTarget) {
  return { ConnectionId: connectionId, Node: node, PlayerId: playerId };
}

/** Without what may be long. */
function listed(job: ReturnType<typeof toJob>): ReturnType<typeof toJob> {
  return { ...job, Failures: [], Message: undefined, Messages: undefined };
}

export const startDisconnectJob = ownOperation({
  name: 'StartDisconnectJob',
  http: { method: 'POST', path: JOBS },
  isIdempotent: false,
  throttleClass: 'write',
  maxBodyBytes: MAX_SELECTOR_BODY_BYTES,
  input: structure(
    {
      ...stageMembers,
      ...wordingMembers,
      ClientToken: clientToken,
      ConfirmAbove: confirmAbove,
      DryRun: boolean(),
      RatePerSecond: ratePerSecond,
      ReturnWithinSeconds: returnWithinSeconds,
      Selector: selector,
    },
    ['GameName', 'Selector', 'StageName'],
  ),
  output: structure({
    Connections: count,
    Job: job,
    Nodes: list(structure({ Connections: count, Node: node, Players: count })),
    Players: count,
  }),
  errors: [...COMMON_ERRORS, 'not_found', 'conflict', 'quota_exceeded'],
  resource: stageResource,
  resourceTags: stageTags,
  furtherActions: ({ Selector }) => actionsOfFilter(Selector),
  recordedBytes: (input) => recordedBytesOf(input),
  decisions: [
    'Ends many connections of a stage, on all nodes, a part at a time. It ends those that are there when the job begins and that `Selector` means; players who connect later are left alone, also when the job has sent them away. Each node tells by its own clock what is later, so the nodes’ clocks need not agree. Each node is asked for its own connections, and nothing looks through the directory.',
    SELECTORS,
    '`DryRun` ends nothing and starts nothing: the reply has how many `Connections` of how many `Players` are meant now, and at which `Nodes`; a player who is connected to several nodes counts at each. It is on record as well.',
    '`RatePerSecond`, 500 by default, is for all nodes together. Players are closed with 4500 and do not come back by themselves. With `ReturnWithinSeconds` they are closed with 4000, and their clients come back, each after a random time within this one. `Reason`, `Message`, `Messages` and `Evidence` are what they are for DisconnectPlayer; the close frame has the request id of this call.',
    MANY_ON_RECORD,
    'When more than `ConfirmAbove` connections are meant, the job waits for ConfirmDisconnectJob with another access key; so it does when it comes to more of them than it has counted. `ConfirmAbove` may not exceed `RESPARK_JOB_CONFIRM_ABOVE`, which it is by default.',
    'A `ClientToken` is valid for 24 hours and belongs to one access key. Repeating the call with it returns the job that the first call started, as it is now, so a call whose answer was lost is safe to repeat. Using it with other parameters, or after its job has left the list, is a `ConflictException`.',
    `Each node has ten seconds to count, for a job as for a dry run. ${sharedTime('the counts of jobs')} Dry runs take turns with jobs, too, so they keep none waiting.`,
    'It is a retryable `InternalServerException`, and nothing has begun, while a node does not say how many it has, or the directory of the cluster is away or recovering: a job that is at work then goes on as soon as all nodes are known again. A stage may have five jobs that have not ended, and a node works on three of them at once, and on twenty of a game.',
  ],
  async handler({ input, services, change }) {
    const asked = jobOf(input);
    if (!input.DryRun) return { Job: toJob(await services.disconnectJobs.start(nameOf(input), asked, change)) };
    const { connections, players, byNode } = await services.disconnectJobs.count(nameOf(input), asked, change);
    const nodes = byNode.map((one) => ({ Connections: one.connections, Node: one.node, Players: one.players }));
    return { Connections: connections, Nodes: nodes, Players: players };
  },
});

/** A call that decides about one job. */
function decision(
  name: 'ConfirmDisconnectJob' | 'PauseDisconnectJob' | 'ResumeDisconnectJob' | 'CancelDisconnectJob',
  verb: 'confirm' | 'pause' | 'resume' | 'cancel',
  decisions: readonly string[],
) {
  return ownOperation({
    name,
    http: { method: 'POST', path: `${JOBS}/{JobId}/${verb}` },
    isIdempotent: verb !== 'confirm',
    throttleClass: 'write',
    input: structure(jobMembers, OF_JOB),
    output: jobOutput,
    errors: [...COMMON_ERRORS, 'not_found', 'conflict'],
    resource: stageResource,
    resourceTags: stageTags,
    decisions,
    async handler({ input, services, change, permissions }) {
      const decided = await services.disconnectJobs[verb](nameOf(input), input.JobId, change);
      const view = await viewOf({ input, permissions }, [decided]);
      return { Job: view(decided) };
    },
  });
}

export const confirmDisconnectJob = decision('ConfirmDisconnectJob', 'confirm', [
  'Lets a job go on that awaits it. The person who has started the job cannot confirm it, neither with the same access key nor with another one that they have got by a sign-in at the same identity provider: that is an `AccessDeniedException`. What is meant is counted anew, for the reply, in the time that StartDisconnectJob has for that. A job can be confirmed for an hour, and is then `CANCELLED` by the server, within a minute; later, or in another state, it is a `ConflictException`.',
  'A job that is confirmed ends as many connections as are meant.',
]);

export const pauseDisconnectJob = decision('PauseDisconnectJob', 'pause', [
  'Has a job stop until ResumeDisconnectJob. It is `PAUSING` until the connections that are just being ended have been counted, which takes moments, and then `PAUSED`.',
]);

export const resumeDisconnectJob = decision('ResumeDisconnectJob', 'resume', [
  'Has a job go on that PauseDisconnectJob has stopped. It still means those connections that were there when it began.',
]);

export const cancelDisconnectJob = decision('CancelDisconnectJob', 'cancel', [
  'Ends a job for good. It is `CANCELLING` until it is known what has become of the connections that were just being ended, and then `CANCELLED`; those that it has closed stay closed. One that no node works on is `CANCELLED` at once, as it is `PAUSED` at once by PauseDisconnectJob.',
]);

export const getDisconnectJob = ownOperation({
  name: 'GetDisconnectJob',
  http: { method: 'GET', path: `${JOBS}/{JobId}` },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure(jobMembers, OF_JOB),
  output: jobOutput,
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Describes a job. `Address` is missing in the `Selector` for callers whose policies do not allow `respark:ListConnections`. `Message` and `Messages` are what its players are told. `Connections` and `Players` are what it meant when it was counted last. `Closed` are proven by the nodes that owned them; `GoneAlready` were named by their nodes, and had ended before the job came to them, or with their node; a connection that has ended by itself after the count, or with its node before that named it, is in none of these numbers; `InFlight` are being ended; `Unproven` are not proven, and `Failures` has the first 100 of them: ask for those players with DisconnectPlayer. `SilentNodes` did not answer for a minute, though they are not proven dead, or have unproven connections beyond those in `Failures`: they are asked for no more.',
    'A job is `COMPLETED` when the end of all that it meant is proven, and `FAILED` otherwise. It goes on after a restart, and on another node when the one that does the work dies. Its end is on record under its id, as `DisconnectJob`, and is the event `job.finished`; of one that was not confirmed in time, the record has `why`. Both come also when the node that has ended the job dies before it can tell, and twice when it dies as it does. The 50 newest that have ended are kept.',
  ],
  async handler({ input, services, permissions }) {
    const found = await services.disconnectJobs.get(nameOf(input), input.JobId);
    const view = await viewOf({ input, permissions }, [found]);
    return { Job: view(found) };
  },
});

export const listDisconnectJobs = ownOperation({
  name: 'ListDisconnectJobs',
  http: { method: 'GET', path: JOBS },
  isIdempotent: true,
  throttleClass: 'read',
  input: structure({ ...stageMembers, MaxResults: query(maxResults), NextToken: query(nextToken) }, IN_STAGE),
  output: structure({ Jobs: list(job), NextToken: nextToken }, ['Jobs']),
  errors: [...COMMON_ERRORS, 'not_found'],
  resource: stageResource,
  resourceTags: stageTags,
  decisions: [
    'Lists the jobs of a stage, newest first, without `Failures`, `Message` and `Messages`, which GetDisconnectJob has.',
    sharedTime('such lists'),
  ],
  async handler({ input, services, permissions }) {
    const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
    const page = await services.disconnectJobs.list(nameOf(input), request);
    const view = await viewOf({ input, permissions }, page.items);
    return { Jobs: page.items.map((job) => listed(view(job))), NextToken: page.nextToken };
  },
});
