import type { DeploymentRecord } from '../store/store.ts';
import type { Page, PageRequest } from './pagination.ts';

export type Deployment = DeploymentRecord;

/**
 * The rules of deployments: a snapshot put on a stage, in the background, one at a time a stage. A completed one makes a
 * new runtime: existing connections stay on theirs, new ones open on the newest. Every method throws `not_found` without
 * the stage.
 */
export interface Deployments {
  /** Throws `not_found` without the snapshot and `conflict` while another one is under way. */
  start(
    asked: { readonly gameName: string; readonly stageName: string; readonly snapshotId: string },
    caller: { principal: string; clientToken?: string | undefined },
  ): Promise<Deployment>;
  /** Without an id the latest. Throws `not_found` when there is none. */
  get(gameName: string, stageName: string, id?: string): Promise<Deployment>;
  /** Newest first. */
  list(gameName: string, stageName: string, request: PageRequest): Promise<Page<Deployment>>;
  /** Goes on, in the background, with what a stop of the process has interrupted. */
  resume(): Promise<void>;
  /** Starts nothing more and resolves when what is under way has stopped; `resume` of the next process goes on with it. */
  close(): Promise<void>;
}
