import { type RandomBytes, randomAlphanumeric } from '../random.ts';
import type { Store } from '../store/store.ts';

const DATABASE_ID = 'database id';

/** The name of this database, by which nodes notice that another one has none of their players. The first node to ask makes it. */
export async function identifyDatabase({
  store,
  random,
}: {
  store: Pick<Store, 'meta' | 'transaction'>;
  random: RandomBytes;
}): Promise<string> {
  const known = await store.meta.get(DATABASE_ID);
  if (known !== undefined) return known;
  return await store.transaction(async ({ meta }) => {
    const id = (await meta.get(DATABASE_ID)) ?? randomAlphanumeric(random, 16);
    await meta.set(DATABASE_ID, id);
    return id;
  });
}
