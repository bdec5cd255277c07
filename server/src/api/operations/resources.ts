import type { Arns } from '../../domain/arn.ts';
import type { Tags } from '../../domain/tags.ts';
import type { Services } from '../operation.ts';

interface GameInput {
  readonly GameName: string;
}

interface StageInput extends GameInput {
  readonly StageName: string;
}

interface SnapshotInput extends GameInput {
  readonly SnapshotId: string;
}

export function gameResource({ GameName }: GameInput, arns: Arns): readonly string[] {
  return [arns.game(GameName)];
}

/** The tags of the game, which policies may name in conditions; undefined if it does not exist. */
export async function gameTags({ GameName }: GameInput, { games }: Services): Promise<Tags | undefined> {
  return (await games.find(GameName))?.tags;
}

export function stageResource({ GameName, StageName }: StageInput, arns: Arns): readonly string[] {
  return [arns.stage(GameName, StageName)];
}

/** The tags of the stage; undefined if it does not exist. */
export async function stageTags({ GameName, StageName }: StageInput, { stages }: Services): Promise<Tags | undefined> {
  return (await stages.find(GameName, StageName))?.tags;
}

/** Policies cannot name a snapshot, only its game; the audit log names the snapshot. */
export function snapshotAudited({ GameName, SnapshotId }: SnapshotInput, arns: Arns): string {
  return arns.snapshot(GameName, SnapshotId);
}
