import { useCall } from '../use-call.ts';

/** What new players play on: the newest deployment to the stage that succeeded, and its snapshot. */
export function useDeployed(
  of: { readonly game: string; readonly stage: string } | undefined,
  { everyMs, sections }: { everyMs?: number; sections?: readonly string[] } = {},
) {
  const input = of && { GameName: of.game, StageName: of.stage, MaxResults: 50 };
  const deployments = useCall('ListStageDeployments', input, everyMs === undefined ? {} : { everyMs });
  const deployed = deployments.data?.StageDeployments?.find(
    ({ DeploymentState: state, DeploymentAction: action }) => state === 'COMPLETED' && action !== 'UNDEPLOY',
  );
  const SnapshotId = deployed?.SnapshotId;
  const snapshot = useCall(
    'GetSnapshot',
    of === undefined || SnapshotId === undefined ? undefined : { GameName: of.game, SnapshotId, Sections: sections },
  );
  return {
    deployed,
    sections: snapshot.data?.Snapshot?.Sections,
    isKnown: deployments.data !== undefined,
    isLoading: deployments.isLoading,
    error: deployments.error ?? snapshot.error,
  };
}
