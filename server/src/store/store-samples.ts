import type { TestContext } from 'node:test';
import { ServiceError } from '../errors.ts';
import type {
  AccessKeyRecord,
  DeploymentRecord,
  DeploymentState,
  GameRecord,
  GeneratedCodeJobRecord,
  NewStage,
  SnapshotRecord,
  Store,
} from './store.ts';

/** Returns an empty store, which the end of the test closes. */
export type OpenStore = (t: TestContext) => Promise<Store>;

export function sampleGame(name: string, change: Partial<GameRecord> = {}): GameRecord {
  return {
    id: `id of ${name}`,
    name,
    description: 'a game',
    state: 'ACTIVE',
    isTerminationProtected: false,
    tags: {},
    createdAt: 1_700_000_000_001,
    updatedAt: 1_700_000_000_002,
    ...change,
  };
}

export function sampleStage(game: GameRecord, name: string, change: Partial<NewStage> = {}): NewStage {
  return {
    id: `id of ${game.name}/${name}`,
    gameId: game.id,
    name,
    description: 'a stage',
    role: 'arn:aws:iam::123456789012:role/Example',
    gameKey: `key of ${game.name}/${name}`,
    logGroup: `/respark/${game.name}/${name}`,
    state: 'ACTIVE',
    tags: {},
    createdAt: 1_700_000_000_003,
    updatedAt: 1_700_000_000_004,
    ...change,
  };
}

export function sampleKey(id: string, change: Partial<AccessKeyRecord> = {}): AccessKeyRecord {
  return {
    id,
    description: 'a key',
    sealedSecret: Buffer.from([0, 1, 2, 0xff]),
    policy: '{"Version":"2012-10-17"}',
    isRoot: false,
    createdAt: 1_700_000_000_005,
    revokedAt: undefined,
    expiresAt: undefined,
    subject: undefined,
    ...change,
  };
}

export function sampleSnapshot(game: GameRecord, id: string, change: Partial<SnapshotRecord> = {}): SnapshotRecord {
  return {
    id,
    gameId: game.id,
    description: 'a snapshot',
    sections: '{"Example.Section":{}}',
    createdAt: 1_700_000_000_006,
    updatedAt: 1_700_000_000_007,
    ...change,
  };
}

export function sampleDeployment(
  stage: NewStage,
  id: string,
  change: Partial<DeploymentRecord> = {},
): DeploymentRecord {
  return {
    id,
    stageId: stage.id,
    gameId: stage.gameId,
    snapshotId: 'a snapshot',
    action: 'DEPLOY',
    state: 'PENDING',
    result: undefined,
    createdAt: 1_700_000_000_008,
    updatedAt: 1_700_000_000_009,
    claimedBy: undefined,
    claims: 0,
    ...change,
  };
}

export function sampleJob(
  snapshot: SnapshotRecord,
  id: string,
  change: Partial<GeneratedCodeJobRecord> = {},
): GeneratedCodeJobRecord {
  return {
    id,
    gameId: snapshot.gameId,
    snapshotId: snapshot.id,
    state: 'PENDING',
    description: '',
    generator: '{"targetPlatform":"Unity"}',
    createdAt: 1_700_000_000_010,
    updatedAt: 1_700_000_000_011,
    claimedBy: undefined,
    claims: 0,
    ...change,
  };
}

export function isConflict(error: unknown): boolean {
  return error instanceof ServiceError && error.code === 'conflict';
}

export const ZOO = sampleGame('Zoo');
export const OTHER = sampleGame('Other');
export const DEV = sampleStage(ZOO, 'Dev');
export const LIVE = sampleStage(ZOO, 'Live');
export const SNAPSHOT = sampleSnapshot(ZOO, 'a snapshot');
export const SECOND_SNAPSHOT = sampleSnapshot(ZOO, 'another snapshot');

export const STATES: readonly DeploymentState[] = ['PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED'];

/** Two games, of which one has two stages and two snapshots. */
export async function openZoo(open: OpenStore, t: TestContext) {
  const store = await open(t);
  await store.transaction(async ({ games, stages, snapshots }) => {
    for (const game of [ZOO, OTHER]) await games.insert(game);
    for (const stage of [DEV, LIVE]) await stages.insert(stage);
    for (const snapshot of [SNAPSHOT, SECOND_SNAPSHOT]) await snapshots.insert(snapshot);
  });
  return store;
}

export const idsOf = async (records: Promise<readonly { readonly id: string }[]>) =>
  (await records).map(({ id }) => id);

export const FOREIGN_KEY_FAILURE = /foreign key/i;
