import { COMMON_ERRORS } from '../operation.ts';
import { gameResource, gameTags, snapshotAudited } from '../operations/resources.ts';
import { gameName, snapshotId } from '../operations/shapes.ts';
import { label, structure } from '../shape.ts';
import { ownOperation } from './own-operation.ts';

export const deleteSnapshot = ownOperation({
  name: 'DeleteSnapshot',
  http: { method: 'DELETE', path: '/respark/game/{GameName}/snapshot/{SnapshotId}' },
  isIdempotent: true,
  throttleClass: 'write',
  input: structure({ GameName: label(gameName), SnapshotId: label(snapshotId) }, ['GameName', 'SnapshotId']),
  output: structure({}),
  errors: [...COMMON_ERRORS, 'conflict', 'not_found'],
  resource: gameResource,
  resourceTags: gameTags,
  auditResource: snapshotAudited,
  decisions: [
    'Removes the snapshot for good, with its jobs of generated code and their files. URLs of its downloads stop working; deployments of it stay in the history of their stage, with its id.',
    'It is a `ConflictException` while a stage runs the snapshot, while a deployment or a job of generated code is at work on it, and while a player may still be on it, which is until about an hour after it was replaced on the stage and the last player who connected before has left. So is deleting the newest snapshot of a game, because later ids must be greater than all earlier ones.',
    'Deleting a snapshot that does not exist is a `ResourceNotFoundException`.',
  ],
  async handler({ input, services, change }) {
    await services.snapshots.delete(input.GameName, input.SnapshotId, change);
    return {};
  },
});
