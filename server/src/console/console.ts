import type { HttpReply, HttpRequest } from '../http/exchange.ts';
import { textReply } from '../http/exchange.ts';

/** A file of the console as it was built. */
export interface ConsoleFile {
  readonly contentType: string;
  /** Whether its name changes with its content, so that a browser need never ask for it again. */
  readonly isHashed: boolean;
  /** Quoted, as the header has it. */
  readonly etag: string;
  body(): Uint8Array;
  /** The body in gzip, which is made once. */
  gzipped(): Promise<Uint8Array>;
}

/** Finds the files by their path below the console's own; undefined for others. */
export type FindConsoleFile = (path: string) => ConsoleFile | undefined;

const PATH = '/console';
/** A page asks here how people may sign in, and below it has them signed in. */
export const SIGN_IN_PATH = `${PATH}/sign-in`;

/**
 * What a browser may do on these pages: run and show what this server has sent, talk to it and to where its players
 * connect, and nothing else.
 */
function policyOf(playerUrl: string | undefined): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self'${playerUrl === undefined ? '' : ` ${new URL(playerUrl).origin}`}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

const SAFETY = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** Browsers keep it for good. */
const IMMUTABLE = 'public, max-age=31536000, immutable';
/** Browsers keep it, and ask each time whether it is still what the server has. */
const REVALIDATED = 'no-cache';

export function isConsolePath(rawPath: string): boolean {
  return rawPath === PATH || rawPath.startsWith(`${PATH}/`);
}

/** The pages of the console. They are the same for everybody: what a person sees there, their own signed calls bring. */
export function createConsole({
  findFile,
  playerUrl,
  provider,
}: {
  findFile: FindConsoleFile;
  /** Where players connect, if that is not where these pages come from. */
  playerUrl?: string | undefined;
  /** The name of the provider by which teams sign in, if there is one. */
  provider?: string | undefined;
}): (request: Pick<HttpRequest, 'rawPath' | 'headers'>) => Promise<HttpReply> {
  const safety = { ...SAFETY, 'content-security-policy': policyOf(playerUrl) };
  const waysIn: HttpReply = {
    status: 200,
    headers: { ...safety, 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify({ provider }),
  };
  return async function serveConsole({ rawPath, headers }) {
    // The pages name their files relative to their own address. This way there is relative too, behind any proxy.
    if (rawPath === PATH) return { status: 308, headers: { ...safety, location: './console/' }, body: '' };
    if (rawPath === SIGN_IN_PATH) return waysIn;
    const file = findFile(rawPath === `${PATH}/` ? 'index.html' : rawPath.slice(PATH.length + 1));
    if (file === undefined) return NOT_THERE;
    const caching = {
      ...safety,
      etag: file.etag,
      'cache-control': file.isHashed ? IMMUTABLE : REVALIDATED,
      vary: 'Accept-Encoding',
    };
    if (isKnown(headers.get('if-none-match'), file.etag)) return { status: 304, headers: caching, body: '' };
    const isZipped = takesGzip(headers.get('accept-encoding'));
    return {
      status: 200,
      headers: { ...caching, 'content-type': file.contentType, ...(isZipped && { 'content-encoding': 'gzip' }) },
      body: isZipped ? await file.gzipped() : file.body(),
    };
  };
}

const NOT_THERE = textReply(404, 'the console has no such file: its pages begin at /console/\n');

function isKnown(values: readonly string[] = [], etag: string): boolean {
  const tags = values.join(',').split(',');
  return tags.some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

function takesGzip(values: readonly string[] = []): boolean {
  const codings = values.join(',').split(',');
  return codings.some((coding) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(coding));
}
