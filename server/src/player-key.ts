/** A player who has signed in. */
export interface SignedInPlayer extends PlayerKey {
  readonly gameId: string;
  /**
   * When they were given what they signed in with, milliseconds since 1970; of a token that renewed another, what that one
   * says.
   */
  readonly signedInAt: number;
}

/** A player, within the stage of this internal id. A stage that is deleted and made again has another id. */
export interface PlayerKey {
  readonly stageId: string;
  readonly playerId: string;
}

/** The key alone, which is what logs have of a player. */
export function keyOf(player: PlayerKey | undefined): PlayerKey | undefined {
  return player && { stageId: player.stageId, playerId: player.playerId };
}
