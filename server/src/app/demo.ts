import type { DemoPlayer } from '../data-directory/local-files.ts';
import type { Arns } from '../domain/arn.ts';
import type { Games } from '../domain/games.ts';
import type { Players } from '../domain/players/players.ts';
import type { Stages } from '../domain/stages.ts';
import { ServiceError } from '../errors.ts';

export const DEMO_GAME = 'Demo';
export const DEMO_STAGE = 'Dev';
const DEMO_PLAYER = 'demo-player';

/** The API requires an ARN that looks like a role's. The server never assumes that role. */
const DEMO_ROLE = 'arn:aws:iam::000000000000:role/respark-demo';

/**
 * Creates the demo game and its stage unless they exist, also when another node does so at the same time, and issues a
 * token for a player of that stage.
 */
export async function ensureDemo({
  games,
  stages,
  players,
  arns,
  newRequestId,
}: {
  games: Games;
  stages: Stages;
  players: Players;
  arns: Arns;
  /** Called for each change, because the audit log keeps each under an id of its own. */
  newRequestId: () => string;
}): Promise<DemoPlayer> {
  const change = () =>
    ({ requestId: newRequestId(), cause: 'server', actor: 'serve --demo', sourceAddress: '' }) as const;
  if ((await games.find(DEMO_GAME)) === undefined) {
    const game = { name: DEMO_GAME, description: 'Made by serve --demo' };
    const creation = { ...change(), operation: 'CreateGame', resource: arns.game(DEMO_GAME) };
    await unlessThere(() => games.create(game, creation));
  }
  const find = () => stages.find(DEMO_GAME, DEMO_STAGE);
  if ((await find()) === undefined) {
    const creation = { ...change(), operation: 'CreateStage', resource: arns.stage(DEMO_GAME, DEMO_STAGE) };
    await unlessThere(() => stages.create({ gameName: DEMO_GAME, name: DEMO_STAGE, role: DEMO_ROLE }, creation));
  }
  const stage = await find();
  if (stage === undefined) throw new Error('the demo stage was deleted as soon as it was there');
  const player = { stageId: stage.id, playerId: DEMO_PLAYER };
  return { gameKey: stage.gameKey, playerId: DEMO_PLAYER, token: players.issueToken(player) };
}

async function unlessThere(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!(error instanceof ServiceError && error.code === 'conflict')) throw error;
  }
}

/** Settings with which the keys of an identity provider on this machine may be fetched: it is what people try first. */
export function withLocalProviders<S extends { readonly identityHosts: readonly string[] }>(settings: S): S {
  return { ...settings, identityHosts: [...settings.identityHosts, 'localhost', '127.0.0.1', '[::1]'] };
}
