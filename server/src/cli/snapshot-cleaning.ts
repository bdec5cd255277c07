import { listSnapshots } from '../api/operations/snapshots.ts';
import { deleteSnapshot } from '../api/own-operations/snapshots.ts';
import { systemClock } from '../clock.ts';
import { type ManagementClient, mayPass, ServiceRefusal } from './management-client.ts';
import { listAt, nextTokenIn } from './reply.ts';
import { CommandError } from './world.ts';

/** Deleted at once, so that the next deployment need not wait for long. */
const MAX_AT_ONCE = 20;
/** When a snapshot that is still needed is tried again. Most are for an hour, because players may be on them. */
const RETRY_MS = 600_000;
/** What is younger when it is found may belong to a command elsewhere that is about to deploy it. */
const FOREIGN_MS = 60_000;

interface Listed {
  readonly Id: string;
  readonly Description?: string;
  readonly Created: string;
}

/** Deletes the snapshots that a command has made for itself, as soon as nothing needs them any more. */
export interface SnapshotCleaning {
  /** From now on the snapshot is the newest of the command, and earlier ones may go. */
  made(id: string): void;
  /** Deletes some. Throws only for what may pass; when it may not delete, it says so once and does nothing more. */
  clean(client: Pick<ManagementClient, 'call'>): Promise<void>;
}

export function createSnapshotCleaning({
  game: GameName,
  description,
  tell,
}: {
  game: string;
  /** By this the snapshots of earlier runs of the command are known. */
  description: string;
  tell: (text: string) => void;
}): SnapshotCleaning {
  /** Id → when it may be tried, oldest first. */
  const waiting = new Map<string, number>();
  let newest: string | undefined;
  let isListed = false;
  let isOff = false;

  async function listEarlier(client: Pick<ManagementClient, 'call'>): Promise<void> {
    const found: Listed[] = [];
    let NextToken: unknown;
    do {
      const page = await client.call(listSnapshots, { GameName, NextToken });
      for (const snapshot of listAt<Listed>(page, 'Snapshots')) found.push(snapshot);
      NextToken = nextTokenIn(page, NextToken);
    } while (NextToken !== undefined);
    isListed = true;
    const since = Date.parse(found[0]?.Created ?? '') - FOREIGN_MS;
    const own = [...waiting];
    waiting.clear();
    for (const { Id, Description, Created } of found.reverse()) {
      if (Description === description && Date.parse(Created) < since) waiting.set(Id, 0);
    }
    for (const [id, at] of own) waiting.set(id, at);
  }

  async function tryDelete(client: Pick<ManagementClient, 'call'>, SnapshotId: string): Promise<void> {
    try {
      await client.call(deleteSnapshot, { GameName, SnapshotId });
    } catch (error) {
      const name = error instanceof ServiceRefusal ? error.errorName : undefined;
      if (name === 'ConflictException') {
        waiting.set(SnapshotId, systemClock.monotonic() + RETRY_MS);
        return;
      }
      // Somebody else has deleted it.
      if (name !== 'ResourceNotFoundException') throw error;
    }
    waiting.delete(SnapshotId);
  }

  return {
    made(id) {
      newest = id;
      waiting.set(id, 0);
    },
    async clean(client) {
      if (isOff) return;
      try {
        if (!isListed) await listEarlier(client);
        const now = systemClock.monotonic();
        const due = [...waiting].filter(([id, at]) => id !== newest && at <= now);
        for (const [id] of due.slice(0, MAX_AT_ONCE)) await tryDelete(client, id);
      } catch (error) {
        if (mayPass(error) || !(error instanceof CommandError)) throw error;
        isOff = true;
        tell(`earlier snapshots "${description}" stay: ${error.message}`);
      }
    },
  };
}
