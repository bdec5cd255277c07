import { firstReply, type HttpReply, type HttpRequest, type Site } from '../http/exchange.ts';
import { andThen } from '../maybe-promise.ts';

/** What a page may read of a reply besides its status and body. Clients correct their clock by the date. */
const EXPOSED_HEADERS = 'content-disposition, date, retry-after, x-amzn-errortype, x-amzn-requestid';

/** How long a browser may remember the answer to a preflight. */
const PREFLIGHT_LIFETIME_SECONDS = 600;

/**
 * Lets web pages of the given origins use the sites, which are asked in order. Browsers ask for leave first (a
 * preflight), and show a page only replies that name its origin. Other origins, and preflights of theirs, get what the
 * sites answer. Pages get no cookies or other credentials of the browser's: a caller signs by itself.
 */
export function createCors({
  origins,
  methods,
}: {
  origins: readonly string[];
  /** The methods that the sites know. */
  methods: ReadonlySet<string>;
}): (...sites: readonly Site[]) => Site {
  const allowedOrigins = new Set(origins);
  const allowedMethods = [...methods].sort().join(', ');

  function allowedOriginOf({ headers }: HttpRequest): string | undefined {
    const [origin = '', ...more] = headers.get('origin') ?? [];
    return more.length === 0 && allowedOrigins.has(origin) ? origin : undefined;
  }

  function preflightReply(origin: string, { headers }: HttpRequest): HttpReply {
    const asked = headers.get('access-control-request-headers')?.join(',') ?? '';
    return {
      status: 200,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': allowedMethods,
        // What a header may do is decided by the call itself, so a page may send any that it asks for.
        ...(/^[\w!#$%&'*+.^`|~, -]+$/.test(asked) && { 'access-control-allow-headers': asked }),
        'access-control-max-age': `${PREFLIGHT_LIFETIME_SECONDS}`,
        vary: 'Origin, Access-Control-Request-Headers',
      },
      body: '',
    };
  }

  return (...sites) => {
    // Without origins there is nothing to add to what the sites answer.
    if (allowedOrigins.size === 0) return (request) => firstReply(sites, request);
    return function cors(request) {
      const origin = allowedOriginOf(request);
      if (origin !== undefined && isPreflight(request)) return preflightReply(origin, request);
      return andThen(firstReply(sites, request), (reply) => {
        if (reply === undefined) return undefined;
        const shown =
          origin === undefined
            ? {}
            : { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED_HEADERS };
        return { ...reply, headers: { ...reply.headers, ...shown, vary: 'Origin' } };
      });
    };
  };
}

function isPreflight({ method, headers }: HttpRequest): boolean {
  return method === 'OPTIONS' && headers.has('access-control-request-method');
}
