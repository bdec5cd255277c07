import type { ClientTokenTable } from '../store.ts';
import { insertUnique, type Scope } from './scope.ts';

export function clientTokenTable(scope: Scope): ClientTokenTable {
  const { read, write } = scope;
  return {
    async find(principal, operation, token) {
      const row = await read
        .selectFrom('client_tokens')
        .selectAll()
        .where('principal', '=', principal)
        .where('operation', '=', operation)
        .where('token', '=', token)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const { parameters_digest: parametersDigest, resource_id: resourceId, created_at: createdAt } = row;
      return { principal, operation, token, parametersDigest, resourceId, createdAt };
    },
    async insert(record) {
      const row = {
        principal: record.principal,
        operation: record.operation,
        token: record.token,
        parameters_digest: record.parametersDigest,
        resource_id: record.resourceId,
        created_at: record.createdAt,
      };
      const message = `the client token "${record.token}" was already used for ${record.operation}: choose another token`;
      await insertUnique(scope, 'client_tokens', row, message);
    },
    async remove(principal, operation, token) {
      await write((query) =>
        query
          .deleteFrom('client_tokens')
          .where('principal', '=', principal)
          .where('operation', '=', operation)
          .where('token', '=', token)
          .execute(),
      );
    },
    async removeOlderThan(createdAt, limit) {
      await write((query) => {
        const names = ['principal', 'operation', 'token'] as const;
        const old = query.selectFrom('client_tokens').select(names).where('created_at', '<', createdAt);
        return query
          .deleteFrom('client_tokens')
          .where(({ eb, refTuple }) =>
            eb(
              refTuple(...names),
              'in',
              old
                .orderBy('created_at')
                .limit(limit)
                .$asTuple(...names),
            ),
          )
          .execute();
      });
    },
  };
}
