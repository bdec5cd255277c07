import type { Outputs } from '../api/operations.ts';

type AuditRecord = NonNullable<Outputs['ListAuditRecords']['AuditRecords']>[number];

/** The stage in the resource of a record, if it is about one. */
export function stageOf({ Resource = '' }: Pick<AuditRecord, 'Resource'>) {
  const [, game, stage] = /:game\/([^/]+)\/stage\/([^/]+)$/.exec(Resource) ?? [];
  return game === undefined || stage === undefined ? undefined : { game, stage };
}

/** The ids of deployments are UUIDs of version 7, which begin with the milliseconds at which they were made. */
const madeAt = (deploymentId: string) => Number.parseInt(deploymentId.replace('-', '').slice(0, 12), 16);

/**
 * The record of the call that made a deployment to a stage: the latest from before it was made that did not fail. A
 * record does not have the id of its deployment, because it is begun before there is one.
 */
export function recordOf<R extends AuditRecord>(
  deploymentId: string,
  { game, stage }: { readonly game: string; readonly stage: string },
  records: readonly R[],
): R | undefined {
  const end = `:game/${game}/stage/${stage}`;
  const before = records.filter(
    ({ Resource = '', Operation, Time = '', Outcome }) =>
      Operation === 'StartStageDeployment' &&
      Outcome?.Error === undefined &&
      Resource.endsWith(end) &&
      Date.parse(Time) <= madeAt(deploymentId),
  );
  return before.reduce<R | undefined>(
    (latest, each) => ((latest?.Time ?? '') > (each.Time ?? '') ? latest : each),
    undefined,
  );
}
