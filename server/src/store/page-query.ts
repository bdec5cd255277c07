/**
 * Asks for a page: at most `limit` records, and only those after `after` if it is given. Records are in order of name
 * unless the list says otherwise.
 */
export interface PageQuery {
  readonly after?: string;
  readonly limit: number;
}
