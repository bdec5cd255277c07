import { sql } from 'kysely';
import type { Schema } from '../schema.ts';
import type { AccessKeyRecord, AccessKeyTable } from '../store.ts';
import { batchedLookUp } from './batched-look-up.ts';
import { insertUnique, type Scope } from './scope.ts';

/** When a key ended or will: it may have been revoked, expire, or both. Null for one that does neither. */
const END = sql<number | null>`case
  when revoked_at is null or expires_at < revoked_at then expires_at
  else revoked_at
end`;

export function accessKeyTable(scope: Scope): AccessKeyTable {
  return { ...accessKeyReads(scope), ...accessKeyWrites(scope) };
}

function accessKeyReads({
  read,
}: Scope): Pick<AccessKeyTable, 'find' | 'list' | 'listPage' | 'findRoot' | 'listLiveOf' | 'countLive' | 'findEnd'> {
  return {
    find: batchedLookUp(
      async (ids) =>
        (await read.selectFrom('access_keys').selectAll().where('id', 'in', ids).execute()).map(toAccessKey),
      ({ id }) => id,
    ),
    async list() {
      return (await read.selectFrom('access_keys').selectAll().orderBy('id').execute()).map(toAccessKey);
    },
    async listPage({ after = '', limit }) {
      const rows = read.selectFrom('access_keys').selectAll().where('id', '>', after).orderBy('id').limit(limit);
      return (await rows.execute()).map(toAccessKey);
    },
    async findRoot() {
      const live = read.selectFrom('access_keys').selectAll().where('is_root', '=', 1).where('revoked_at', 'is', null);
      const row = await live.executeTakeFirst();
      return row && toAccessKey(row);
    },
    async listLiveOf(subject, at) {
      const rows = read
        .selectFrom('access_keys')
        .selectAll()
        .where('subject', '=', subject)
        .where('revoked_at', 'is', null)
        .where(({ or, eb }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
        .orderBy('created_at', 'desc');
      return (await rows.execute()).map(toAccessKey);
    },
    async countLive(at) {
      const rows = read
        .selectFrom('access_keys')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('is_root', '=', 0)
        .where('revoked_at', 'is', null)
        .where(({ or, eb }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]));
      return (await rows.executeTakeFirstOrThrow()).count;
    },
    async findEnd(place, { by, ofSignIns }) {
      const ends = read
        .selectFrom('access_keys')
        .select(END.as('end'))
        .where('subject', ofSignIns ? 'is not' : 'is', null)
        .where(END, '<=', by)
        .orderBy('end', 'desc')
        .limit(1)
        .offset(place - 1);
      return (await ends.executeTakeFirst())?.end ?? undefined;
    },
  };
}

function accessKeyWrites(
  scope: Scope,
): Pick<AccessKeyTable, 'insert' | 'revoke' | 'setSealedSecret' | 'removeEndedBefore'> {
  const { write } = scope;
  return {
    async insert(key) {
      const row = {
        id: key.id,
        description: key.description,
        sealed_secret: Buffer.from(key.sealedSecret).toString('base64'),
        policy: key.policy,
        is_root: Number(key.isRoot),
        created_at: key.createdAt,
        revoked_at: key.revokedAt ?? null,
        expires_at: key.expiresAt ?? null,
        subject: key.subject ?? null,
      };
      const message = key.isRoot
        ? 'there is already a root access key, which can only be replaced'
        : `there is already an access key ${key.id}: try again`;
      await insertUnique(scope, 'access_keys', row, message);
    },
    async revoke(id, revokedAt) {
      const result = await write((query, changed) => {
        changed(id);
        return query
          .updateTable('access_keys')
          .set({ revoked_at: revokedAt })
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .executeTakeFirst();
      });
      return result.numUpdatedRows > 0n;
    },
    async setSealedSecret(id, sealedSecret) {
      await write((query, changed) => {
        changed(id);
        return query
          .updateTable('access_keys')
          .set({ sealed_secret: Buffer.from(sealedSecret).toString('base64') })
          .where('id', '=', id)
          .execute();
      });
    },
    async removeEndedBefore(at, { ofSignIns }) {
      await write(async (query, changed) => {
        const removed = query
          .deleteFrom('access_keys')
          .where(({ or, eb }) => or([eb('revoked_at', '<', at), eb('expires_at', '<', at)]))
          .where('subject', ofSignIns ? 'is not' : 'is', null)
          .returning('id');
        for (const { id } of await removed.execute()) changed(id);
      });
    },
  };
}

function toAccessKey(row: Schema['access_keys']): AccessKeyRecord {
  return {
    id: row.id,
    description: row.description,
    sealedSecret: Buffer.from(row.sealed_secret, 'base64'),
    policy: row.policy,
    isRoot: row.is_root === 1,
    createdAt: row.created_at,
    revokedAt: row.revoked_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    subject: row.subject ?? undefined,
  };
}
