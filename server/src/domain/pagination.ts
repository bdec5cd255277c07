import { ServiceError } from '../errors.ts';
import type { Sealer } from '../keyring.ts';
import { fittingOnPage } from './list-turns.ts';

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
}

/**
 * One page of the list that `scope` names (the operation and everything that selects what it lists). `list` gives the
 * records after `after`, in order of their positions, which are their names unless `positionOf` says otherwise.
 * Following the tokens gives every record that exists throughout exactly once. Throws a `validation` ServiceError for a
 * token that the same list did not give.
 */
export interface Paginate {
  <T extends { readonly name: string }>(scope: string, request: PageRequest, list: List<T>): Promise<Page<T>>;
  <T>(scope: string, request: PageRequest, list: List<T>, positionOf: (record: T) => string): Promise<Page<T>>;
  /** A page that would have more bytes than `MAX_PAGE_BYTES` ends early. */
  <T extends { readonly name: string }>(scope: string, request: PageRequest, list: SizedList<T>): Promise<Page<T>>;
}

const MAX_PAGE = 100;

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
    const { list: find, bytesOf } = typeof list === 'function' ? { list, bytesOf: undefined } : list;
    const records = await find({ ...start, limit: maxResults + 1 });
    const fitting = bytesOf === undefined ? records.length : fittingOnPage(records.map(bytesOf));
    const items = records.slice(0, Math.min(maxResults, fitting));
    const last = items.at(-1);
    const isLastPage = records.length === items.length || last === undefined;
    return { items, nextToken: isLastPage ? undefined : pageTokens.seal(positionOf(last), scope) };
  }

  return paginate;
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
