import { useState } from 'preact/hooks';
import type { CallError } from '../api/calls.ts';
import type { Place } from '../place.ts';
import { session } from '../session.ts';
import { useSignal } from '../store.ts';
import { asCallError } from '../use-call.ts';
import { useIsGone } from '../use-is-gone.ts';

const LOOK_MS = 500;
/** Longer than the server needs for the largest configuration. */
const MAX_WAIT_MS = 120_000;

interface State {
  readonly isBusy: boolean;
  readonly outcome?: { readonly isDone: boolean; readonly message: string };
  readonly error?: CallError;
}

/**
 * Makes a snapshot of the configuration, deploys it to the stage, and says how that ended. The stage and the key are
 * those of when the button was pressed: while what comes before is saved, the person may look at another stage, and if
 * another person signs in, nothing is done in their name.
 */
export function useDeployment({ game, stage }: Place) {
  const [state, setState] = useState<State>({ isBusy: false });
  const signedIn = useSignal(session);
  const isGone = useIsGone();

  async function run(): Promise<void> {
    const hasLeft = () => session.get() !== signedIn;
    if (signedIn === undefined || hasLeft()) return;
    const { call } = signedIn;
    setState({ isBusy: true });
    try {
      const { Snapshot } = await call('CreateSnapshot', { GameName: game });
      if (hasLeft()) return;
      const on = { GameName: game, StageName: stage };
      const started = await call('StartStageDeployment', { ...on, SnapshotId: Snapshot?.Id ?? '' });
      const DeploymentId = started.StageDeployment?.DeploymentId;
      const until = performance.now() + MAX_WAIT_MS;
      while (!isGone() && performance.now() < until) {
        const { StageDeployment } = await call('GetStageDeployment', { ...on, DeploymentId });
        const { DeploymentState, DeploymentResult } = StageDeployment ?? {};
        if (DeploymentState === 'COMPLETED' || DeploymentState === 'FAILED') {
          const isDone = DeploymentState === 'COMPLETED';
          setState({ isBusy: false, outcome: { isDone, message: DeploymentResult?.Message ?? '' } });
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      setState({ isBusy: false });
    } catch (error) {
      setState({ isBusy: false, error: asCallError('StartStageDeployment', error) });
    }
  }

  return { ...state, run, reset: () => setState({ isBusy: false }) };
}
