import { ServiceError } from '../errors.ts';
import type { Audit } from './audit.ts';

/** Changes that end something: they are urgent, need little room, or give some back. */
const ENDING = /^(?:Disconnect|Delete|Ban|Block|Revoke)/;

/** Whether the disk has room, as far as the rules must know. */
export interface RoomForChanges {
  isShort(): boolean;
}

/** While the disk is full, refuses every change that does not end something, with a retryable `internal`. */
export function createAuditWithinRoom({ audit, room }: { audit: Audit; room: RoomForChanges }): Audit {
  return {
    async around(change, rule, detailsOf) {
      if (!ENDING.test(change.operation) && room.isShort()) {
        throw new ServiceError(
          'internal',
          'The disk of the server is full, so nothing was done: until there is room, players can be disconnected, and games and stages deleted. Make room, and try again.',
        );
      }
      return await audit.around(change, rule, detailsOf);
    },
  };
}
