import { ServiceError } from '../errors.ts';
import type { Sealer } from '../keyring.ts';
import { fittingOnPage, type ListTurn, MAX_PAGE_BYTES } from './list-turns.ts';

export interface PageRequest {
  readonly maxResults?: number | undefined;
  readonly nextToken?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Absent on the last page. */
  readonly nextToken: string | undefined;
}

type List<T> = (page: { readonly after?: string; readonly limit: number }) => Promise<readonly T[]>;

interface SizedList<T> {
  readonly list: List<T>;
  bytesOf(record: T): number;
  /** How many bytes a page may have. */
  readonly maxBytes?: number;
}

/**
 * One page of the list that `scope` names (the operation and everything that selects what it lists). `list` gives the
 * records after `after`, in order of their positions, which are their names unless `positionOf` says otherwise.
 * Following the tokens gives every record that exists throughout exactly once. Throws a `validation` ServiceError for a
 * token that the same list did not give.
 */
export interface Paginate {
  <T extends { readonly name: string }>(scope: string, request: PageRequest, list: List<T>): Promise<Page<T>>;
  /** A page of a list with sizes that would have more bytes than it may ends early. */
  <T>(
    scope: string,
    request: PageRequest,
    list: List<T> | SizedList<T>,
    positionOf: (record: T) => string,
  ): Promise<Page<T>>;
  <T extends { readonly name: string }>(scope: string, request: PageRequest, list: SizedList<T>): Promise<Page<T>>;
}

const MAX_PAGE = 100;
/** Records may have twenty kilobytes each, and to read a few of those takes a millisecond. */
const READ_AT_ONCE = 10;

/** Tokens that a list gives out and takes back: sealed, so that no client can make one up or read another list's positions. */
export interface PageTokens {
  seal(position: string, scope: string): string;
  /** Throws `validation` for a token that the same list did not give. */
  open(token: string, scope: string): string;
}

export function createPaginate({ pageTokens }: { pageTokens: PageTokens }): Paginate {
  async function paginate<T>(
    scope: string,
    { maxResults = MAX_PAGE, nextToken }: PageRequest,
    list: List<T> | SizedList<T>,
    // The types let a caller leave this out only for records that have a name.
    positionOf = (record: T): string => (record as T & { name: string }).name,
  ): Promise<Page<T>> {
    const start = nextToken === undefined ? {} : { after: pageTokens.open(nextToken, scope) };
    const { list: find, bytesOf, maxBytes } = typeof list === 'function' ? { list } : list;
    const records = await find({ ...start, limit: maxResults + 1 });
    const fitting = bytesOf === undefined ? records.length : fittingOnPage(records.map(bytesOf), maxBytes);
    const items = records.slice(0, Math.min(maxResults, fitting));
    const last = items.at(-1);
    const isLastPage = records.length === items.length || last === undefined;
    return { items, nextToken: isLastPage ? undefined : pageTokens.seal(positionOf(last), scope) };
  }

  return paginate;
}

/** Has a list read a few records at a time, each few in a turn of their own, and no more than a page has room for and one. */
export function inListTurns<T>(
  { list, bytesOf, maxBytes = MAX_PAGE_BYTES }: SizedList<T>,
  { positionOf, turn }: { positionOf: (record: T) => string; turn: ListTurn },
): SizedList<T> {
  return {
    bytesOf,
    maxBytes,
    async list({ after, limit }) {
      const found: T[] = [];
      let bytes = 0;
      for (let from = after; ; ) {
        await turn();
        const step = Math.min(READ_AT_ONCE, limit - found.length);
        const some = await list({ ...(from !== undefined && { after: from }), limit: step });
        found.push(...some);
        bytes += some.reduce((sum, record) => sum + bytesOf(record), 0);
        const last = found.at(-1);
        const isEnd = last === undefined || some.length < step || found.length === limit;
        if (isEnd || (bytes > maxBytes && found.length > 1)) return found;
        from = positionOf(last);
      }
    },
  };
}

export function createPageTokens({ sealer }: { sealer: Sealer }): PageTokens {
  const associate = (scope: string) => `NextToken of ${scope}`;
  return {
    seal: (position, scope) => Buffer.from(sealer.seal(Buffer.from(position), associate(scope))).toString('base64url'),
    open(token, scope) {
      const sealed = Buffer.from(token, 'base64url');
      // Decoding skips what is not base64url, so the token must be spelled as encoding spells it.
      const position = sealed.toString('base64url') === token ? sealer.open(sealed, associate(scope)) : undefined;
      if (position !== undefined) return Buffer.from(position).toString();
      throw new ServiceError(
        'validation',
        'NextToken must be one that the same list returned: send it unchanged, or leave it out to start again',
      );
    },
  };
}
