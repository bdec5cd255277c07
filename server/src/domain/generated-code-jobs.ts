import type { GeneratedCodeJobRecord } from '../store/store.ts';
import type { Page, PageRequest } from './pagination.ts';

/** Which code is asked for; what is absent has a default. */
export interface Generator {
  readonly targetPlatform?: string | undefined;
  readonly language?: string | undefined;
  readonly gameSdkVersion?: string | undefined;
}

export type GeneratedCodeJob = GeneratedCodeJobRecord & {
  /** Of a completed job: where its zip is, for this long at least. */
  readonly download: { readonly url: string; readonly expiresAt: number } | undefined;
};

/** Jobs that generate a snapshot's code. Every method throws `not_found` without the game or the snapshot. */
export interface GeneratedCodeJobs {
  /** The job's id. Throws `validation`, with what there is, for a platform, language or version that there is not. */
  start(gameName: string, snapshotId: string, generator: Generator): Promise<string>;
  /** Throws `not_found`. */
  get(gameName: string, snapshotId: string, id: string): Promise<GeneratedCodeJob>;
  /** Newest first. */
  list(gameName: string, snapshotId: string, request: PageRequest): Promise<Page<GeneratedCodeJob>>;
  resume(): Promise<void>;
  close(): Promise<void>;
}
