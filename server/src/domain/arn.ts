/** Names of resources as policies and callers write them; names of games, stages and players never hold a `:` or `/`. */
export interface Arns {
  game(gameName: string): string;
  stage(gameName: string, stageName: string): string;
  /** Not an Amazon GameSparks resource: ours, so that a policy can be held to some players. */
  player(gameName: string, stageName: string, playerId: string): string;
  accessKey(accessKeyId: string): string;
}

export function createArns({ region, accountId }: { region: string; accountId: string }): Arns {
  const game = (gameName: string) => `arn:aws:gamesparks:${region}:${accountId}:game/${gameName}`;
  const stage = (gameName: string, stageName: string) => `${game(gameName)}/stage/${stageName}`;
  return {
    game,
    stage,
    player: (gameName, stageName, playerId) => `${stage(gameName, stageName)}/player/${playerId}`,
    accessKey: (accessKeyId) => `arn:aws:iam::${accountId}:access-key/${accessKeyId}`,
  };
}
