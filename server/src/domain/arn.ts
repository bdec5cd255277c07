/** Names of resources as policies and callers write them; names of games, stages and players never hold a `:` or `/`. */
export interface Arns {
  game(gameName: string): string;
  stage(gameName: string, stageName: string): string;
  /** Not a resource of Amazon GameSparks but one of ours, so that a policy can be limited to some players. */
  player(gameName: string, stageName: string, playerId: string): string;
  accessKey(accessKeyId: string): string;
  /** Also one of ours, for the audit log. */
  snapshot(gameName: string, snapshotId: string): string;
  /** The game or stage that `arn` names, whether or not it exists; undefined for an ARN of any other kind or server. */
  parse(arn: string): { readonly gameName: string; readonly stageName: string | undefined } | undefined;
}

export function createArns({ region, accountId }: { region: string; accountId: string }): Arns {
  const game = (gameName: string) => `arn:aws:gamesparks:${region}:${accountId}:game/${gameName}`;
  const stage = (gameName: string, stageName: string) => `${game(gameName)}/stage/${stageName}`;
  return {
    game,
    stage,
    player: (gameName, stageName, playerId) => `${stage(gameName, stageName)}/player/${playerId}`,
    accessKey: (accessKeyId) => `arn:aws:iam::${accountId}:access-key/${accessKeyId}`,
    snapshot: (gameName, snapshotId) => `${game(gameName)}/snapshot/${snapshotId}`,
    parse(arn) {
      const prefix = game('');
      const path = arn.startsWith(prefix) ? arn.slice(prefix.length) : '';
      const [, gameName, stageName] = /^([\w-]+)(?:\/stage\/([\w-]+))?$/.exec(path) ?? [];
      return gameName === undefined ? undefined : { gameName, stageName };
    },
  };
}
