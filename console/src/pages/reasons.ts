/** The codes that are suggested as reasons why a player has to go. Any other can be typed. */
export const REASONS = ['AFK', 'ABUSE', 'CHEATING', 'MAINTENANCE'] as const;
