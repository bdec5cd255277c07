import { join } from 'node:path';
import Libsql from 'libsql';
import { loadSettings } from '../../src/config/config.ts';
import type { Access, AccessKeyPair } from '../../src/domain/access/access.ts';
import { createLog } from '../../src/log.ts';
import { openAdministration } from '../../src/main.ts';
import { findRecords } from '../../src/store/audit/audit-log.contract.ts';
import type { AuditQuery, AuditReader, AuditRecord } from '../../src/store/audit/audit-log.ts';

type Place = { readonly dataDir: string };

type Administration = Awaited<ReturnType<typeof openAdministration>>;

/** Does what `respark keys …` does beside a running server. */
export async function administer<T>(place: Place, work: (access: Access) => Promise<T>): Promise<T> {
  return await withAdministration(place, ({ access }) => work(access));
}

/**
 * The records of operators' calls, or, with `isLocal`, of their changes by commands and starts. Those of the server's
 * own are left out, unless `cause` asks for them.
 */
export async function readAudit(
  place: Place,
  {
    cause = 'operator',
    isLocal = false,
    ...query
  }: Partial<AuditQuery> & Partial<Pick<AuditRecord, 'cause'>> & { readonly isLocal?: boolean } = {},
): Promise<readonly AuditRecord[]> {
  const all = await withAdministration(place, ({ auditLog }) =>
    findRecords(auditLog as AuditReader, { limit: 1_000, ...query }),
  );
  const isAsked = ({ sourceAddress }: AuditRecord) => cause !== 'operator' || isLocal === (sourceAddress === '');
  return all.filter((record) => record.cause === cause && isAsked(record));
}

async function withAdministration<T>({ dataDir }: Place, work: (parts: Administration) => Promise<T>): Promise<T> {
  const settings = loadSettings({ env: {}, flags: { dataDir } });
  const log = createLog({ level: 'error', destination: { write: () => {} } });
  const administration = await openAdministration({ settings, log });
  try {
    return await work(administration);
  } finally {
    await administration.close();
  }
}

export async function createKey(place: Place, statements: readonly object[]): Promise<AccessKeyPair> {
  const policy = JSON.stringify({ Version: '2012-10-17', Statement: statements });
  return await administer(place, (access) => access.createKey({ policy, description: '' }));
}

/** Changes the running server's database behind its back. */
export function alterDatabase({ dataDir }: Place, statement: string): void {
  const connection = new Libsql(join(dataDir, 'respark.sqlite'));
  try {
    connection.exec(`PRAGMA busy_timeout = 5000; ${statement}`);
  } finally {
    connection.close();
  }
}
