import type { AccessKeys } from '../domain/access/access-keys.ts';
import type { DecisionExplained } from '../domain/access/explanation.ts';
import type { Policy } from '../domain/access/policy.ts';
import type { Principal } from '../domain/access/principal.ts';
import type { Activity } from '../domain/activity.ts';
import type { Arns } from '../domain/arn.ts';
import type { Change } from '../domain/audit/audit.ts';
import type { AuditChains } from '../domain/audit/chains.ts';
import type { Receipts } from '../domain/audit/receipts.ts';
import type { AuditRecords } from '../domain/audit/records.ts';
import type { Configurations } from '../domain/configurations.ts';
import type { Deployments } from '../domain/deployments.ts';
import type { EventRecords } from '../domain/events/event-records.ts';
import type { Webhooks } from '../domain/events/webhooks.ts';
import type { Extensions } from '../domain/extensions.ts';
import type { Games } from '../domain/games.ts';
import type { GeneratedCodeJobs } from '../domain/generated-code-jobs.ts';
import type { Nodes } from '../domain/nodes.ts';
import type { Blocks } from '../domain/players/bars/blocks.ts';
import type { StageAccess } from '../domain/players/bars/stage-access.ts';
import type { DisconnectJobs } from '../domain/players/disconnect-jobs/disconnect-jobs.ts';
import type { KeptData } from '../domain/players/kept-data.ts';
import type { Online } from '../domain/players/online.ts';
import type { Players } from '../domain/players/players.ts';
import type { Rehearsals } from '../domain/players/rehearsals.ts';
import type { Notifications } from '../domain/runtime/notifications.ts';
import type { ServerInfo } from '../domain/server-info.ts';
import type { Snapshots } from '../domain/snapshots.ts';
import type { StageIdentities } from '../domain/stage-identities.ts';
import type { StageLogLines } from '../domain/stage-log-lines.ts';
import type { Stages } from '../domain/stages.ts';
import type { ResourceTags, Tags } from '../domain/tags.ts';
import type { ErrorCode } from '../errors.ts';
import type { ReplySink } from '../http/exchange.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { Members, StructureShape, Value } from './shape.ts';
import type { ThrottleClass } from './throttle.ts';

/** What handlers may call. */
export interface Services {
  readonly accessKeys: AccessKeys;
  readonly games: Games;
  readonly stages: Stages;
  readonly stageIdentities: StageIdentities;
  readonly players: Pick<Players, 'connections' | 'createToken' | 'disconnect'>;
  readonly online: Online;
  readonly keptData: KeptData;
  readonly blocks: Blocks;
  readonly disconnectJobs: DisconnectJobs;
  readonly stageAccess: StageAccess;
  readonly notifications: Notifications;
  readonly rehearsals: Rehearsals;
  readonly configurations: Configurations;
  readonly snapshots: Snapshots;
  readonly deployments: Pick<Deployments, 'start' | 'get' | 'list'>;
  readonly generatedCodeJobs: Pick<GeneratedCodeJobs, 'start' | 'get' | 'list'>;
  readonly extensions: Extensions;
  readonly resourceTags: ResourceTags;
  readonly auditRecords: AuditRecords;
  readonly auditChains: AuditChains;
  readonly receipts: Receipts;
  readonly stageLogLines: StageLogLines;
  readonly eventRecords: Pick<EventRecords, 'list' | 'watch'>;
  readonly webhooks: Webhooks;
  readonly clusterActivity: Activity;
  readonly clusterNodes: Nodes;
  readonly serverInfo: () => ServerInfo;
}

/** Where calls would be made. An operation that needs more of a place than is given is not asked about. */
export interface PermissionPlace {
  readonly gameName?: string | undefined;
  readonly stageName?: string | undefined;
  readonly playerId?: string | undefined;
}

export interface Permission {
  readonly action: string;
  /** Why not; undefined when the caller may make the call. */
  readonly denial: 'explicit_deny' | 'no_allow' | undefined;
}

/** A call that somebody could make. */
export interface AskedCall {
  readonly action: string;
  readonly place: PermissionPlace;
  /** By default the address of the caller. */
  readonly sourceAddress?: string | undefined;
}

/** One call of an operation, as its handler gets it. */
export interface Call<Input> {
  readonly input: Input;
  readonly services: Services;
  readonly arns: Arns;
  /** What a rule that changes something puts on record, with the caller and the request id. */
  readonly change: Change;
  /** The first value of a header of the request, by its name in lower case; it need not be signed. */
  header(name: string): string | undefined;
  /** Makes an absolute URL, which the caller can reach, of a relative one of this server. */
  absoluteUrl(relative: string): string;
  readonly principal: Principal;
  /**
   * What these policies make of a call, by the evaluation that calls go through. Throws `validation` for an action that
   * no operation has, and for a place that does not say enough.
   */
  explain(
    policies: readonly Policy[],
    asked: AskedCall,
  ): Promise<DecisionExplained & { readonly resources: readonly string[] }>;
  /** Who the caller is, and what the caller may do at a place. */
  permissions(place: PermissionPlace): Promise<{ principal: Principal; decided: readonly Permission[] }>;
}

/** Where a stream is written to. What it writes counts as bytes of replies to its caller. */
export interface StreamSink extends ReplySink {
  /** How long no more should be written, in milliseconds, so that the caller may go on with other calls meanwhile. */
  waitMs(): number;
  /** Whether the caller may still make the call: its key may have been revoked, or may do less by now. */
  isAllowed(): MaybePromise<boolean>;
}

/** An output that goes on after the reply has begun, as server-sent events, instead of one in the row's shape. */
export class StreamedOutput {
  readonly start: (sink: StreamSink) => () => void;
  constructor(start: StreamedOutput['start']) {
    this.start = start;
  }
}

/** The errors that every operation may answer. */
export const COMMON_ERRORS = ['validation', 'access_denied', 'throttled', 'internal'] as const satisfies ErrorCode[];

/**
 * Everything about one operation of the API. Routing, the limit of the body, throttling, validation, authorization, the
 * handler's types, the documentation and the tests over all operations derive from this row.
 */
export interface OperationRow<Input, Output> {
  /** Also the IAM action, behind the prefix of the service. */
  readonly name: string;
  /** The status of a success is always 200. */
  readonly http: { readonly method: string; readonly path: string };
  /**
   * Whether the label at the end of the path takes what is left of a path, with its slashes. AWS clients send them as
   * `%2F`, but some proxies decode that.
   */
  readonly isLastLabelGreedy?: boolean;
  /** Whether repeating the call has the effect of making it once. */
  readonly isIdempotent: boolean;
  readonly throttleClass: ThrottleClass;
  /** Replaces the server's general limit for this operation. */
  readonly maxBodyBytes?: number;
  readonly input: StructureShape;
  readonly output: StructureShape;
  /** What the handler may throw. Anything else is a bug, and is answered as one. */
  readonly errors: readonly ErrorCode[];
  /** The ARNs that policies are matched against; none for an operation without a particular resource. */
  resource(input: Input, arns: Arns): readonly string[];
  /** Tags that the call would add. */
  requestTags?(input: Input): Tags | undefined;
  /** The tag keys of the call, where they are not those of `requestTags`. */
  tagKeys?(input: Input): readonly string[];
  /** Tags of the resource, if it exists. Called only when a policy of the caller depends on them. */
  resourceTags?(input: Input, services: Services): Promise<Tags | undefined>;
  /** Actions that a policy must allow too, on the same resources, for what this call asks. */
  furtherActions?(input: Input): readonly string[];
  /** Classes that the call counts in beside the operation's own, for what it asks. */
  furtherClasses?(input: Input): readonly ThrottleClass[];
  /** Bytes that the audit record keeps of the caller's own words, where they may be many. */
  recordedBytes?(input: Input): number;
  /** The resource that the audit log names for a change, where it is not the last one of `resource`. */
  auditResource?(input: Input, arns: Arns): string;
  /** What this server does where neither the model nor the service's documentation says: each in whole sentences. */
  readonly decisions?: readonly string[];
  handler(call: Call<Input>): MaybePromise<Output | StreamedOutput>;
  /** What calls with a body get beyond the model, where an operation of Amazon's has such a thing. */
  readonly additions?: Additions;
}

/**
 * What this server takes and answers of an operation beyond the published model. Only a call with a body gets it; all others
 * go by the model alone, and cost what they would cost without.
 */
export interface Additions<Input = never, Output = unknown> {
  /** The model's input with the members that are ours, which are in the body, and none of them required. */
  readonly input: StructureShape;
  /** The model's output with the members that are ours. */
  readonly output: StructureShape;
  /** What the documentation says of them: each in whole sentences. */
  readonly decisions: readonly string[];
  /** What the handler may throw beyond the errors of the operation. */
  readonly furtherErrors?: readonly ErrorCode[];
  /** Actions that a policy must allow too, on the same resources, for what this call asks. */
  furtherActions?(input: Input): readonly string[];
  /** Classes that the call counts in beside the operation's own, for what it asks. */
  furtherClasses?(input: Input): readonly ThrottleClass[];
  /** Bytes that the audit record keeps of the caller's own words, where they may be many. */
  recordedBytes?(input: Input): number;
  /** Answers as the operation's own handler does when none of the members that are ours are given. */
  handler(call: Call<Input>): MaybePromise<Output>;
}

/** A row without the types of its input and output, so that all rows fit in one list. */
export type Operation = OperationRow<Readonly<Record<string, unknown>>, unknown> & {
  /** The name that policies use, such as `gamesparks:DisconnectPlayer`. */
  readonly action: string;
};

/** Makes a row of Amazon's service, with the types of its handler checked against its shapes. */
export function operation<
  const I extends Members,
  const RI extends keyof I & string,
  const O extends Members,
  const RO extends keyof O & string,
>(
  row: OperationRow<Value<StructureShape<I, RI>>, Value<StructureShape<O, RO>>> & {
    readonly input: StructureShape<I, RI>;
    readonly output: StructureShape<O, RO>;
  },
): Operation {
  return withAction('gamesparks', row);
}

export function withAction<Input, Output>(service: string, row: OperationRow<Input, Output>): Operation {
  return { ...(row as OperationRow<never, unknown>), action: `${service}:${row.name}` };
}

/** Makes the additions of a row, with the types of their handler checked against their shapes. */
export function additions<
  const I extends Members,
  const RI extends keyof I & string,
  const O extends Members,
  const RO extends keyof O & string,
>(
  row: Additions<Value<StructureShape<I, RI>>, Value<StructureShape<O, RO>>> & {
    readonly input: StructureShape<I, RI>;
    readonly output: StructureShape<O, RO>;
  },
): Additions {
  return row as Additions;
}

/** The input of an operation with everything that this server takes. */
export function wholeInput({ input, additions }: Pick<Operation, 'input' | 'additions'>): StructureShape {
  return additions?.input ?? input;
}
