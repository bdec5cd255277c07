/** Codes that are offered where somebody says why a player has to go. Any other can be typed. */
export const REASONS = ['AFK', 'ABUSE', 'CHEATING', 'MAINTENANCE'] as const;
