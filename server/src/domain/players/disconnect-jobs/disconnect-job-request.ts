import type { ConnectionSelector } from '../../../connection-selector.ts';
import type { FarewellWords } from '../../../disconnect-order.ts';
import { onRecordOf, type Selection } from '../connection-filter.ts';
import { detailsOf } from '../disconnect-request.ts';

/** What a call asks of a job. */
export interface NewJob {
  readonly selection: Selection;
  readonly farewell?: FarewellWords | undefined;
  /** For the audit record alone. */
  readonly evidence?: string | undefined;
  /** Connections a second, on all nodes together. */
  readonly ratePerSecond?: number | undefined;
  /** If given, the players are asked to come back, each after a random time within this one. */
  readonly returnWithinMs?: number | undefined;
  /** How many connections the job may end without a second key. */
  readonly confirmAbove?: number | undefined;
  /** Makes the call repeatable: see `createOnce`. */
  readonly clientToken?: string | undefined;
}

/** What a job keeps of it, as JSON. */
export interface JobRequest extends Pick<NewJob, 'farewell' | 'returnWithinMs'> {
  readonly isEverybody: boolean;
  /** Without the list of players, which is kept beside it. */
  readonly selector: ConnectionSelector;
  readonly ratePerSecond: number;
  readonly confirmAbove: number;
  /** Who has signed in to start it; undefined for a key that somebody has made. It stays when the key is forgotten. */
  readonly startedBy?: string | undefined;
}

/** What the audit record says of the call. */
export function onRecordOfJob(
  { selection, farewell, evidence, clientToken: _, ...job }: NewJob,
  { isDryRun }: { readonly isDryRun: boolean },
): Readonly<Record<string, string>> {
  const numbers = Object.entries(job).filter(([, value]) => value !== undefined);
  return {
    ...onRecordOf(selection),
    ...Object.fromEntries(numbers.map(([name, value]) => [name, String(value)])),
    ...detailsOf({ farewell, evidence, isDryRun }),
  };
}
