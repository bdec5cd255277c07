import type { Clock } from '../clock.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import type { Audit, Change } from './audit/audit.ts';

/** What an operator changes on the server's own machine, by a command or by other settings, instead of by a call. */
export const LOCAL_OPERATIONS = [
  'CreateRootAccessKey',
  'ChangeRootAccessKey',
  'RotateRootAccessKey',
  'CreateAccessKey',
  'RevokeAccessKey',
  'RotateSecretKey',
  'CreateConsoleLink',
  'RestoreBackup',
  'CopyStore',
] as const;

export interface LocalChange extends Pick<Change, 'details'> {
  readonly operation: (typeof LOCAL_OPERATIONS)[number];
  /** The ARN of what is changed; without it the change is about the whole server. */
  readonly resource?: string;
  /** By default `operator`. */
  readonly cause?: Change['cause'];
}

/**
 * Calls `rule`, which makes the change, with a record before and after, as `Audit.around` does. The record names the
 * user of the operating system, because there is no caller who has signed.
 */
export type RecordLocally = <T>(change: LocalChange, rule: () => Promise<T>) => Promise<T>;

export function createRecordLocally({
  audit,
  actor,
  clock,
  random,
}: {
  audit: Audit;
  /** The user of the operating system whose process this is. */
  actor: string;
  clock: Pick<Clock, 'now'>;
  random: RandomBytes;
}): RecordLocally {
  return ({ operation, resource = '', cause = 'operator', details }, rule) => {
    const requestId = uuidV7(random, clock.now());
    return audit.around({ requestId, cause, actor, sourceAddress: '', operation, resource, details }, rule);
  };
}
