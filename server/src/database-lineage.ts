/**
 * A lineage is a text of parts with a blank between them, always of the same kinds in the same order. This stands for a part that
 * the database does not tell, or not to this user.
 */
export const UNKNOWN_PART = '-';
