/** A player, within the stage of this internal id. A stage that is deleted and made again has another id. */
export interface PlayerKey {
  readonly stageId: string;
  readonly playerId: string;
}
