import type { SnapshotSummary } from '../store/store.ts';
import type { Sections } from './configurations.ts';
import type { Page, PageRequest } from './pagination.ts';

export interface Snapshot extends SnapshotSummary {
  readonly sections: Sections;
}

/** The rules of snapshots: immutable copies of a game's configuration. Every method throws `not_found` without the game. */
export interface Snapshots {
  /** Throws `conflict` beyond `maxSnapshots`: nothing removes a snapshot but the deletion of its game. */
  create(gameName: string, description?: string): Promise<Snapshot>;
  /** Throws `not_found` without the snapshot, as do the following. Sections as in a configuration's `get`. */
  get(gameName: string, id: string, sections?: readonly string[]): Promise<Snapshot>;
  /** Newest first. */
  list(gameName: string, request: PageRequest): Promise<Page<SnapshotSummary>>;
  update(gameName: string, id: string, change: { readonly description?: string | undefined }): Promise<Snapshot>;
  /** A URL of this server where the snapshot can be had as a document to import, for ten minutes, by whoever knows it. */
  exportUrl(gameName: string, id: string): Promise<string>;
}
