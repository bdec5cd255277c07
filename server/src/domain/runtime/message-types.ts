/** The type on the wire of a message that a game defines is this, followed by its name in the configuration. */
export const GAME_PREFIX = 'Custom.Game.';

/** The types of messages that every runtime has begin with this, so that no game can define one of them. */
export const SYSTEM_PREFIX = 'GameSparks.';
