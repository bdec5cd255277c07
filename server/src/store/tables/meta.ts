import type { MetaTable } from '../store.ts';
import type { Scope } from './scope.ts';

export function metaTable({ read, write }: Scope): MetaTable {
  return {
    async get(key) {
      return (await read.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst())?.value;
    },
    async set(key, value) {
      await write((query) =>
        query
          .insertInto('meta')
          .values({ key, value })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
          .execute(),
      );
    },
  };
}
