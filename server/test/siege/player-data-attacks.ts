import { request as requestHttp } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import Libsql from 'libsql';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import { DATABASE_FILE } from '../../src/data-directory/server-files.ts';
import { PLAYER_DATA_FILE } from '../../src/store/player-data/sqlite.ts';
import { asStaff } from './staff-attacks.ts';
import { LARGE, LARGE_STAGE, type Target } from './target.ts';

type Attack = (target: Target) => Promise<void>;

/** Players with as much as the settings let one have at most: in many keys, and in the longest of values. */
const FULL = { many: { keys: 10_000, bytes: 1_600 }, long: { keys: 16, bytes: 1_048_000 } } as const;

const pathOf = (player: string) => `/respark/game/${LARGE}/stage/${LARGE_STAGE}/player/${player}/data`;

export function fillPlayerData({ dataDir }: { readonly dataDir: string }): void {
  const database = new Libsql(join(dataDir, DATABASE_FILE));
  const data = new Libsql(join(dataDir, PLAYER_DATA_FILE));
  try {
    const { id } = database.prepare('SELECT id FROM stages WHERE name = ?').get(LARGE_STAGE) as { id: string };
    data.exec('PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE; UPDATE last_version SET version = version + 2');
    for (const [at, [name, { keys, bytes }]] of Object.entries(FULL).entries()) {
      const version = `(SELECT version - ${at} FROM last_version)`;
      data.exec(`
        INSERT INTO players SELECT '${id}', '${name}', ${version}, ${version}, ${keys}, ${keys * bytes};
        INSERT INTO entries
          WITH RECURSIVE more (place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM more WHERE place < ${keys})
          SELECT ${version}, printf('key-%08d', place), ${bytes}, '"' || printf('%*c', ${bytes - 14}, 'x') || '"' FROM more;
        INSERT INTO stage_bytes VALUES ('${id}', ${keys * (bytes + 128)})
          ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes`);
    }
    data.exec('COMMIT');
  } finally {
    database.close();
    data.close();
  }
}

/** What a caller asks of what scripts keep, with the key of the staff. */
export const PLAYER_DATA_ATTACKS: Readonly<Record<string, Attack>> = {
  'reads of the data of a player with 10,000 keys': readers(8, 'many'),
  'reads of the data of a player with values of 1 MB': readers(8, 'long'),
  'deletions of the data of players': asStaff(8, (_, number) => ({
    ...{ method: 'DELETE', path: pathOf(`n${number % 50}`) },
  })),
};

/** Read all pages, again and again. */
function readers(count: number, player: keyof typeof FULL): Attack {
  return async (target) => {
    const read = async (): Promise<never> => {
      for (let token = ''; ; ) {
        const query = token === '' ? '' : `?NextToken=${encodeURIComponent(token)}`;
        const { NextToken = '', Message } = await get(target, `${pathOf(player)}${query}`);
        if (Message === undefined) token = NextToken;
        else await wait(20);
      }
    };
    await Promise.all(Array.from({ length: count }, read));
  };
}

/** The reply, or nothing of one that does not come. */
async function get(target: Target, path: string): Promise<{ NextToken?: string; Message?: string }> {
  const url = new URL(path, target.url);
  const headers = signRequest({
    ...{ method: 'GET', url, body: Buffer.from(''), ...target.staffKey },
    ...{ region: 'us-east-1', nowMs: Date.now() },
  });
  try {
    const json = await new Promise<string>((resolve, reject) => {
      const sent = requestHttp(url, { headers, localAddress: target.address }, (reply) => {
        text(reply).then(resolve, reject);
      });
      sent.on('error', reject).end();
    });
    return JSON.parse(json);
  } catch {
    return { Message: 'there is no reply' };
  }
}
