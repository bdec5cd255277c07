import { setImmediate } from 'node:timers/promises';
import type { Schema } from '../schema.ts';
import type { WebhookRecord, WebhookTable } from '../webhooks.ts';
import { insertUnique, type Scope } from './scope.ts';

/** To read this many, of which each may have six kilobytes, takes two milliseconds. */
const READ_AT_ONCE = 100;

export function webhookTable(scope: Scope): WebhookTable {
  const { read, write } = scope;
  const webhooks = read
    .selectFrom('webhooks')
    .innerJoin('games', 'games.id', 'webhooks.game_id')
    .selectAll('webhooks')
    .select('games.name as game_name');
  // A node asks for all of them each second, and to make the text of the statement takes longer than to run it.
  const some = webhooks.where('webhooks.id', '>', '').orderBy('webhooks.id').limit(READ_AT_ONCE).compile();
  return {
    async find(gameId, id) {
      const row = await webhooks.where('game_id', '=', gameId).where('webhooks.id', '=', id).executeTakeFirst();
      return row && toWebhook(row);
    },
    async list(gameId) {
      return (await webhooks.where('game_id', '=', gameId).orderBy('webhooks.id').execute()).map(toWebhook);
    },
    async listAll() {
      const found: WebhookRecord[] = [];
      for (;;) {
        const after = found.at(-1)?.id ?? '';
        const page: typeof some = { ...some, parameters: [after, READ_AT_ONCE] };
        const { rows } = await read.executeQuery(page);
        found.push(...rows.map(toWebhook));
        if (rows.length < READ_AT_ONCE) return found;
        await setImmediate();
      }
    },
    async insert(webhook) {
      const row = {
        ...{ id: webhook.id, game_id: webhook.gameId, created_at: webhook.createdAt },
        ...toColumns(webhook),
        updated_at: webhook.updatedAt,
      } as Schema['webhooks'];
      await insertUnique(scope, 'webhooks', row, `there is already a webhook ${webhook.id}: try again`);
    },
    async update(id, change) {
      const row = { ...toColumns(change), updated_at: change.updatedAt };
      await write((query) => query.updateTable('webhooks').set(row).where('id', '=', id).execute());
    },
    async remove(id) {
      await write((query) => query.deleteFrom('webhooks').where('id', '=', id).execute());
    },
  };
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

/** The columns of what is given. */
function toColumns(change: Partial<WebhookRecord>): Partial<Schema['webhooks']> {
  const { url, description, stages, types, state, reason, sealedSecret } = change;
  return {
    ...(url === undefined ? {} : { url }),
    ...(description === undefined ? {} : { description }),
    ...(stages === undefined ? {} : { stages: JSON.stringify(stages) }),
    ...(types === undefined ? {} : { types: JSON.stringify(types) }),
    ...(state === undefined ? {} : { state }),
    ...(reason === undefined ? {} : { reason }),
    ...(sealedSecret === undefined ? {} : { sealed_secret: base64(sealedSecret) }),
    ...('sealedFormerSecret' in change
      ? { sealed_former_secret: change.sealedFormerSecret === undefined ? null : base64(change.sealedFormerSecret) }
      : {}),
    ...('formerUntil' in change ? { former_until: change.formerUntil ?? null } : {}),
  };
}

function toWebhook(row: Schema['webhooks'] & { game_name: string }): WebhookRecord {
  const { sealed_former_secret: former } = row;
  return {
    id: row.id,
    gameId: row.game_id,
    gameName: row.game_name,
    url: row.url,
    description: row.description,
    stages: JSON.parse(row.stages),
    types: JSON.parse(row.types),
    state: row.state,
    reason: row.reason,
    sealedSecret: Buffer.from(row.sealed_secret, 'base64'),
    sealedFormerSecret: former === null ? undefined : Buffer.from(former, 'base64'),
    formerUntil: row.former_until ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
