/** A player: the internal id of the stage (a re-created stage of the same name is another one) and the player. */
export interface PlayerKey {
  readonly stageId: string;
  readonly playerId: string;
}
