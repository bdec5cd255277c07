import { ServiceError } from '../errors.ts';

/** What is needed of the keyring: authenticated encryption bound to an associated text. */
export interface Sealer {
  seal(plaintext: Uint8Array, associated: string): Uint8Array;
  open(sealed: Uint8Array, associated: string): Uint8Array | undefined;
}

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

/**
 * One page of the list that `scope` names (the operation and everything that selects what it lists). `list` gives records
 * in order of their positions, which are their names unless `positionOf` says otherwise, those after `after`. Following
 * the tokens gives every record that is there all along exactly once. Throws a `validation` ServiceError for a token that
 * the same list did not give.
 */
export interface Paginate {
  <T extends { readonly name: string }>(scope: string, request: PageRequest, list: List<T>): Promise<Page<T>>;
  <T>(scope: string, request: PageRequest, list: List<T>, positionOf: (record: T) => string): Promise<Page<T>>;
}

const MAX_PAGE = 100;

/** A token is sealed, so that nobody builds positions of their own or learns what another list holds. */
export function createPaginate({ sealer }: { sealer: Sealer }): Paginate {
  async function paginate<T>(
    scope: string,
    { maxResults = MAX_PAGE, nextToken }: PageRequest,
    list: List<T>,
    // The types let it be left out only where records have a name.
    positionOf = (record: T): string => (record as T & { name: string }).name,
  ): Promise<Page<T>> {
    const associated = `NextToken of ${scope}`;
    const start = nextToken === undefined ? {} : { after: open(nextToken, associated) };
    const records = await list({ ...start, limit: maxResults + 1 });
    const items = records.slice(0, maxResults);
    const last = items.at(-1);
    const isLastPage = records.length <= maxResults || last === undefined;
    return { items, nextToken: isLastPage ? undefined : seal(positionOf(last), associated) };
  }

  return paginate;

  function seal(position: string, associated: string): string {
    return Buffer.from(sealer.seal(Buffer.from(position), associated)).toString('base64url');
  }

  function open(token: string, associated: string): string {
    const sealed = Buffer.from(token, 'base64url');
    // Decoding skips what is not base64url, so the one true spelling is compared.
    const position = sealed.toString('base64url') === token ? sealer.open(sealed, associated) : undefined;
    if (position !== undefined) return Buffer.from(position).toString();
    throw new ServiceError(
      'validation',
      'NextToken must be one that the same list returned: send it as it was given, or leave it out to start again',
    );
  }
}
