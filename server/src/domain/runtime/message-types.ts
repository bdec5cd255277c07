/** A message that a game defines has this, and then its name in the configuration, for its type on the wire. */
export const GAME_PREFIX = 'Custom.Game.';

/** The types of messages that every runtime has begin with this, so that no game can define one of them. */
export const SYSTEM_PREFIX = 'GameSparks.';
