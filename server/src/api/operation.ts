import type { Arns } from '../domain/arn.ts';
import type { Change } from '../domain/audit.ts';
import type { AuditRecords } from '../domain/audit-records.ts';
import type { Configurations } from '../domain/configurations.ts';
import type { Deployments } from '../domain/deployments.ts';
import type { Extensions } from '../domain/extensions.ts';
import type { Games } from '../domain/games.ts';
import type { GeneratedCodeJobs } from '../domain/generated-code-jobs.ts';
import type { Players } from '../domain/players/players.ts';
import type { ServerInfo } from '../domain/server-info.ts';
import type { Snapshots } from '../domain/snapshots.ts';
import type { Stages } from '../domain/stages.ts';
import type { ResourceTags, Tags } from '../domain/tags.ts';
import type { ErrorCode } from '../errors.ts';
import type { Members, StructureShape, Value } from './shape.ts';
import type { ThrottleClass } from './throttle.ts';

/** What handlers may call. */
export interface Services {
  readonly games: Games;
  readonly stages: Stages;
  readonly players: Pick<Players, 'connections' | 'disconnect'>;
  readonly configurations: Configurations;
  readonly snapshots: Snapshots;
  readonly deployments: Pick<Deployments, 'start' | 'get' | 'list'>;
  readonly generatedCodeJobs: Pick<GeneratedCodeJobs, 'start' | 'get' | 'list'>;
  readonly extensions: Extensions;
  readonly resourceTags: ResourceTags;
  readonly auditRecords: AuditRecords;
  readonly serverInfo: () => ServerInfo;
}

export interface Call<Input> {
  readonly input: Input;
  readonly services: Services;
  readonly arns: Arns;
  /** What a rule that changes something puts on record, its caller and the request's id among it. */
  readonly change: Change;
}

/** What every operation may answer, whatever it does. */
export const COMMON_ERRORS = ['validation', 'access_denied', 'throttled', 'internal'] as const satisfies ErrorCode[];

/**
 * One operation of the API, whole: routing, authentication's limits, throttling, validation, authorization, the handler's
 * types, docs and the tests that run over all operations derive from this row.
 */
export interface OperationRow<Input, Output> {
  /** With the service before it, the IAM action. */
  readonly name: string;
  /** Success is always 200. */
  readonly http: { readonly method: string; readonly path: string };
  /** Whether repeating the call has the effect of making it once. */
  readonly isIdempotent: boolean;
  readonly throttleClass: ThrottleClass;
  /** Where the server's own limit does not fit. */
  readonly maxBodyBytes?: number;
  readonly input: StructureShape;
  readonly output: StructureShape;
  /** What the handler may throw; anything else is a bug and answered as one. */
  readonly errors: readonly ErrorCode[];
  /** The ARNs that policies are matched against; none for an operation that is about no resource in particular. */
  resource(input: Input, arns: Arns): readonly string[];
  /** Tags that the call would give to something. */
  requestTags?(input: Input): Tags | undefined;
  /** Keys of tags that the call is about, where they are not those of `requestTags`. */
  tagKeys?(input: Input): readonly string[];
  /** Tags of the resource, if it exists; asked for only when a policy of the caller depends on them. */
  resourceTags?(input: Input, services: Services): Promise<Tags | undefined>;
  /** What the audit log says that a change was about, where it is not the last of `resource`. */
  auditResource?(input: Input, arns: Arns): string;
  /** What was decided where neither the model nor the service's documentation says it: one sentence or more each. */
  readonly decisions?: readonly string[];
  handler(call: Call<Input>): Promise<Output>;
}

/** A row whose types have done their work. */
export type Operation = OperationRow<Readonly<Record<string, unknown>>, unknown> & {
  /** As policies name it: `gamesparks:DisconnectPlayer`. */
  readonly action: string;
};

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
