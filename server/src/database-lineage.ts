/**
 * A lineage is a text of parts separated by blanks: always the same parts, in the same order. This stands for a part that the
 * database does not disclose, or not to this user.
 */
export const UNKNOWN_PART = '-';
