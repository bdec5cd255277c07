import { ServiceError } from '../../../errors.ts';
import type { DisconnectJobChange, DisconnectJobRecord } from '../../../store/disconnect-jobs.ts';
import { isUnfinished } from '../../claimed-work.ts';

// What people may do with a job, by the state that it is in. All throw a `conflict` for a state that does not allow it.

/** Afterwards, the players whom the job was to hit have changed too much, and the server cancels it. */
export const CONFIRM_WITHIN_MS = 3_600_000;

/**
 * Throws `access_denied` for the person who has started the job. A person who has signed in is known again with each key that
 * a sign-in gives; the server does not know who uses a key that was made by a call.
 */
export function confirmed(
  job: DisconnectJobRecord,
  { startedBy, actor, subject }: { startedBy: string | undefined; actor: string; subject: string | undefined },
  now: number,
): DisconnectJobChange {
  if (job.state !== 'AWAITING_CONFIRMATION') throw conflict(job, 'only one that awaits it can be confirmed');
  if (job.actor === actor) {
    throw new ServiceError('access_denied', 'a job must be confirmed with another access key than it was started with');
  }
  if (startedBy !== undefined && startedBy === subject) {
    const message = 'you have started this job yourself, when you were signed in before: somebody else must confirm it';
    throw new ServiceError('access_denied', message);
  }
  if (isOverdue(job, now)) throw conflict(job, 'it was to be confirmed within an hour: start another one');
  return { state: 'PENDING', wish: 'RUN', confirmedBy: actor, updatedAt: now };
}

/** Whether the job has waited too long for its confirmation. */
export function isOverdue({ state, updatedAt }: DisconnectJobRecord, now: number): boolean {
  return state === 'AWAITING_CONFIRMATION' && updatedAt + CONFIRM_WITHIN_MS < now;
}

export function paused(job: DisconnectJobRecord, now: number): DisconnectJobChange {
  if (job.state === 'PAUSED') return { updatedAt: now };
  if (job.state === 'PENDING' && job.wish !== 'CANCEL' && isAtRest(job))
    return { state: 'PAUSED', wish: 'PAUSE', updatedAt: now };
  if (isUnfinished(job) && job.wish !== 'CANCEL') return { wish: 'PAUSE', updatedAt: now };
  throw conflict(job, 'only one that is at work can be paused');
}

export function resumed(job: DisconnectJobRecord, now: number): DisconnectJobChange {
  if (job.state === 'PAUSED') return { state: 'PENDING', wish: 'RUN', updatedAt: now };
  if (isUnfinished(job) && job.wish !== 'CANCEL') return { wish: 'RUN', updatedAt: now };
  throw conflict(job, 'only one that is paused can be resumed');
}

export function cancelled(job: DisconnectJobRecord, now: number): DisconnectJobChange {
  if (job.state === 'CANCELLED') return { updatedAt: now };
  const isWaiting = job.state === 'PAUSED' || job.state === 'AWAITING_CONFIRMATION';
  if ((isWaiting || job.state === 'PENDING') && isAtRest(job))
    return { state: 'CANCELLED', wish: 'CANCEL', updatedAt: now };
  if (isUnfinished(job)) return { wish: 'CANCEL', updatedAt: now };
  // A node finds out what becomes of the connections that are on their way to their ends.
  if (isWaiting) return { state: 'PENDING', wish: 'CANCEL', updatedAt: now };
  throw conflict(job, 'it has ended');
}

/**
 * Whether a job that no node works on is to be stopped by its record alone: it may have to wait for hours until a node has a
 * place for it, only to find out that there is nothing to do.
 */
function isAtRest({ inFlight }: DisconnectJobRecord): boolean {
  return inFlight.length === 0;
}

function conflict({ id, state, wish }: DisconnectJobRecord, why: string): ServiceError {
  const isCancelling = state !== 'CANCELLED' && wish === 'CANCEL';
  return new ServiceError('conflict', `job "${id}" is ${isCancelling ? 'CANCELLING' : state}: ${why}`);
}
