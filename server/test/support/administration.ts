import { join } from 'node:path';
import Libsql from 'libsql';
import { loadSettings } from '../../src/config.ts';
import type { Access, AccessKeyPair } from '../../src/domain/access.ts';
import { createLog } from '../../src/log.ts';
import { openAdministration } from '../../src/main.ts';

type Place = { readonly dataDir: string };

/** What `respark keys …` does beside a running server. */
export async function administer<T>({ dataDir }: Place, work: (access: Access) => Promise<T>): Promise<T> {
  const settings = loadSettings({ env: {}, flags: { dataDir } });
  const log = createLog({ level: 'error', destination: { write: () => {} } });
  const { access, close } = await openAdministration({ settings, log });
  try {
    return await work(access);
  } finally {
    await close();
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
