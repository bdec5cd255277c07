import { sql } from 'kysely';
import type { Usage } from '../store.ts';
import type { Scope } from './scope.ts';

export function usageOf({ read, storedBytes }: Scope): Usage {
  return {
    async ofGame(gameId) {
      // The indexes of migration 4 have the same expressions.
      const { rows } = await sql<{ bytes: number }>`
        select coalesce((select sum(octet_length(sections)) from snapshots where game_id = ${gameId}), 0)
          + coalesce((select sum(octet_length(archive)) from generated_code_jobs where game_id = ${gameId}), 0) as bytes`.execute(
        read,
      );
      return rows[0]?.bytes ?? 0;
    },
    inAll: () => storedBytes(read),
  };
}
