import type { DataDirectory } from '../data-directory/data-directory.ts';
import type { Room } from '../data-directory/reserve.ts';
import type { Installation } from '../domain/installation.ts';
import type { Keyring } from '../keyring.ts';
import type { AuditLog } from '../store/audit/audit-log.ts';
import type { EventLog } from '../store/events/event-log.ts';
import type { PlayerData } from '../store/player-data/player-data.ts';
import type { StageLogs } from '../store/stage-logs/stage-logs.ts';
import type { Store } from '../store/store.ts';

/** What a server stores, as contracts. */
export interface StoredBackends extends Partial<SharedDatabase> {
  readonly directory: DataDirectory;
  /** The one that the store's secrets are sealed with. */
  readonly keyring: Keyring;
  /** Signs receipts, and names itself in the chain of the audit log. */
  readonly installation: Installation;
  readonly room: Room;
  readonly store: Store;
  readonly auditLog: AuditLog;
  readonly playerData: PlayerData;
  readonly stageLogs: StageLogs;
  readonly eventLog: EventLog;
}

/** What there is only where the settings name a database, which several servers may use. */
export interface SharedDatabase {
  /** How many servers use the database. */
  readonly countServers: () => Promise<number>;
  /** Resolves, with advice, when another server has taken the database. */
  readonly displaced: Promise<string>;
  /** What the clock of the database says, milliseconds since 1970. */
  readonly databaseTime: () => Promise<number>;
  /** Tells the database from copies of it, and from what it was before something of it was lost. */
  readonly databaseLineage: () => Promise<string>;
  /** How long the database has taken no writes. */
  readonly unwritableMs: () => number;
}
