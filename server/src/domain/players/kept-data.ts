import type { Clock } from '../../clock.ts';
import { ServiceError } from '../../errors.ts';
import type { PlayerKey } from '../../player-key.ts';
import {
  chargeFor,
  type PlayerData,
  type PlayerDataPosition,
  type PlayerDataSize,
} from '../../store/player-data/player-data.ts';
import { shown } from '../../text.ts';
import type { Audit, Change } from '../audit/audit.ts';
import { createListShare, type ListTurn, MAX_PAGE_BYTES } from '../list-turns.ts';
import type { PageTokens } from '../pagination.ts';
import { getActiveStageInTime, type NamedStage, type StagesByName } from '../stages.ts';

interface NamedPlayer extends NamedStage {
  readonly playerId: string;
}

/** How much a player has, or had. */
export interface KeptSize extends PlayerDataSize {
  /** What the stage is charged for it. */
  readonly charge: number;
}

/** Some of what is kept about a player. The size is that of everything. */
export interface KeptPage extends KeptSize {
  readonly version: number;
  /** A JSON object with some of the values by their keys. */
  readonly values: Uint8Array;
  /** Absent on the last page. */
  readonly nextToken: string | undefined;
}

/**
 * What scripts keep about a player, for those who look after the game. Both throw `not_found` for a stage that is unknown or
 * being deleted, and an `internal` that may be tried again when the store or the data cannot be reached.
 */
export interface KeptData {
  /**
   * All pages are of one version. Throws `conflict` when the data has changed since the first of them, so that nobody takes
   * parts of two versions for the whole, and `throttled` when too many reads wait.
   */
  get(player: NamedPlayer, nextToken: string | undefined): Promise<KeptPage>;
  /** Removes everything, whatever the player's connections do, and resolves with how much that was. */
  delete(player: NamedPlayer, change: Change): Promise<KeptSize>;
}

export function createKeptData({
  store,
  playerData,
  audit,
  pageTokens,
  turn,
  clock,
  settings: { disconnectDeadlineMs: timeoutMs },
}: {
  store: StagesByName;
  playerData: Pick<PlayerData, 'page' | 'remove'>;
  audit: Audit;
  pageTokens: PageTokens;
  turn: ListTurn;
  clock: Clock;
  settings: { readonly disconnectDeadlineMs: number };
}): KeptData {
  const share = createListShare(clock);

  const getStage = (named: NamedStage) => getActiveStageInTime({ store, timeoutMs, clock }, named);

  return {
    async get({ playerId, ...named }, nextToken) {
      const { id: stageId, gameId } = await getStage(named);
      const player: PlayerKey = { stageId, playerId };
      const scope = `GetPlayerData ${stageId} ${playerId}`;
      const start = nextToken === undefined ? undefined : parsePosition(pageTokens.open(nextToken, scope));
      const page = await share(gameId, async () => {
        await turn();
        return await playerData.page(player, { start: start?.position, maxBytes: MAX_PAGE_BYTES });
      });
      const { version, values, next } = page;
      if (start !== undefined && start.version !== version) throw changed(playerId);
      return {
        ...withCharge(page),
        version,
        values: jsonOf(values),
        nextToken: next && pageTokens.seal(positionText(version, next), scope),
      };
    },

    delete: async ({ playerId, ...named }, change) =>
      await audit.around(
        { playerId, ...change },
        async () => {
          const { id: stageId } = await getStage(named);
          return withCharge(await playerData.remove({ stageId, playerId }));
        },
        ({ keys, bytes }) => ({ counts: { keys, bytes } }),
      ),
  };
}

const withCharge = ({ keys, bytes }: PlayerDataSize): KeptSize => ({ keys, bytes, charge: chargeFor({ keys, bytes }) });

/** Values are kept as JSON text, which to read and to write again would take many times as long. */
function jsonOf(values: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const members = [...values].flatMap(([key, bytes], index) => [
    Buffer.from(`${index === 0 ? '' : ','}${JSON.stringify(key)}:`),
    bytes,
  ]);
  return Buffer.concat([Buffer.from('{'), ...members, Buffer.from('}')]);
}

/** A place may be any text, for which a token has more room than JSON would leave it. */
function positionText(version: number, { skip, from }: PlayerDataPosition): string {
  return `${version} ${skip} ${from}`;
}

/** A token that was opened has come from here. */
function parsePosition(text: string): { readonly version: number; readonly position: PlayerDataPosition } {
  const [version, skip] = text.split(' ', 2);
  return { version: Number(version), position: { skip: Number(skip), from: text.slice(`${version} ${skip} `.length) } };
}

function changed(playerId: string): ServiceError {
  const message = `the data of player ${shown(playerId)} has changed since the first page: begin again without NextToken, and keep the player away meanwhile if that goes on`;
  return new ServiceError('conflict', message);
}
