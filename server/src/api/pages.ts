import { CONNECT_PATH, SUBPROTOCOL } from '@respark/protocol';
import { createAddressBuckets } from '../address-buckets.ts';
import type { Clock } from '../clock.ts';
import type { DownloadedFile, Downloads } from '../domain/downloads.ts';
import { ServiceError } from '../errors.ts';
import { addressGroup, isLoopback, isLoopbackName } from '../http/client-address.ts';
import { type HttpReply, type HttpRequest, type Site, textReply } from '../http/exchange.ts';
import type { Metrics } from '../metrics.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import { shown } from '../text.ts';
import { optionsReply, refusalReply, wrongMethod } from './reply.ts';
import { sharedRuns } from './shared-runs.ts';
import { WELCOME_REPLY } from './welcome-page.ts';

/** Where many ask for a page at once that takes work, everything else goes on for so long before that is done again. */
const SHARED_PAUSE_MS = 50;

/** Why this node should get no traffic; empty when it is ready for traffic. */
export type NotReadyCauses = () => Promise<readonly string[]>;

/**
 * `/healthz` says that the process answers, `/readyz` whether it should get traffic, and `/metrics` gives the metrics
 * in Prometheus's text format. The site answers any method, because not every probe uses GET.
 */
export function createObservationPages({
  renderMetrics,
  notReadyCauses,
  clock,
}: {
  renderMetrics: () => ReturnType<Metrics['render']>;
  notReadyCauses: NotReadyCauses;
  clock: Pick<Clock, 'after'>;
}): Site {
  const render = sharedRuns({ work: renderMetrics, pauseMs: SHARED_PAUSE_MS, clock });
  // Anybody may ask the listener of the players, and each look asks the database.
  const findCauses = sharedRuns({ work: notReadyCauses, pauseMs: SHARED_PAUSE_MS, clock });
  return async function observe({ rawPath }) {
    switch (rawPath) {
      case '/healthz':
        return textReply(200, 'ok\n');
      case '/readyz': {
        const causes = await findCauses();
        return causes.length === 0 ? textReply(200, 'ready\n') : textReply(503, `not ready: ${causes.join(', ')}\n`);
      }
      case '/metrics': {
        const { contentType, text } = await render();
        return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body: text };
      }
      default:
        return undefined;
    }
  };
}

/** A site with paths of its own. */
export interface PageSite {
  isPath(rawPath: string): boolean;
  serve(request: HttpRequest): Promise<HttpReply>;
}

/**
 * What the management listener answers without a signature, by GET and HEAD. OPTIONS says so, and every other method is
 * refused in the form of the API. Metrics reveal the names of games and how busy they are, so only this machine gets
 * them here, and not even this machine when they have a listener of their own. Each page has a request id, like the
 * replies of the API.
 */
export function createManagementPages({
  observe,
  downloads,
  hasMetricsElsewhere,
  hasPlayers,
  console,
  settings,
  clock,
  random,
}: {
  observe: Site;
  downloads: Pick<Downloads, 'open'>;
  hasMetricsElsewhere: boolean;
  /** Whether players connect to the same listener. */
  hasPlayers: boolean;
  /** The pages of the web console, for those of its paths; undefined where it is not served. */
  console: PageSite | undefined;
  settings: { readonly pagesPerSecondPerAddress: number };
  clock: Clock;
  random: RandomBytes;
}): Site {
  const refuse = createPageLimit(settings, clock);

  function isPage(rawPath: string): boolean {
    if (rawPath === CONNECT_PATH) return hasPlayers;
    if (console?.isPath(rawPath)) return true;
    return ['/', '/healthz', '/readyz', '/metrics'].includes(rawPath) || rawPath.startsWith('/download/');
  }

  async function find(request: HttpRequest): Promise<HttpReply | undefined> {
    const { rawPath } = request;
    if (rawPath === '/') return WELCOME_REPLY;
    if (rawPath.startsWith('/download/')) return await download(request, downloads);
    if (rawPath === CONNECT_PATH) return UPGRADE_REPLY;
    if (console?.isPath(rawPath)) return await console.serve(request);
    if (rawPath === '/metrics') {
      if (hasMetricsElsewhere) return textReply(404, 'metrics are on a port of their own (RESPARK_METRICS_PORT)\n');
      const refusal = metricsRefusal(request);
      if (refusal !== undefined) return refusal;
    }
    return await observe(request);
  }

  async function answer(request: HttpRequest, requestId: string): Promise<HttpReply | undefined> {
    const { method, rawPath } = request;
    if (method === 'GET' || method === 'HEAD') return await find(request);
    if (method !== 'OPTIONS') return refusalReply(requestId, wrongMethod(['GET', 'HEAD'], method));
    // A probe may go by the status, whatever its method, so these two mean it here too.
    const status = isProbed(rawPath) ? (await observe(request))?.status : undefined;
    return optionsReply(PAGE_METHODS, status);
  }

  async function serve(request: HttpRequest, isOfPage: boolean): Promise<HttpReply | undefined> {
    const requestId = uuidV7(random, clock.now());
    const refusal = refuse(request);
    if (refusal !== undefined) return refusal;
    const page = (await optionsOfServer(request)) ?? (isOfPage ? await answer(request, requestId) : undefined);
    if (page === undefined) return undefined;
    return { ...page, headers: { ...page.headers, 'x-amzn-requestid': requestId } };
  }

  return function managementPages(request) {
    const isOfPage = isPage(request.rawPath);
    return isOfPage || request.rawPath === '*' ? serve(request, isOfPage) : undefined;
  };
}

function isProbed(rawPath: string): boolean {
  return rawPath === '/healthz' || rawPath === '/readyz';
}

/** Makes what counts the pages of addresses, and refuses one more than an address may have. */
function createPageLimit(
  { pagesPerSecondPerAddress: ratePerSecond }: { readonly pagesPerSecondPerAddress: number },
  clock: Clock,
): (request: HttpRequest) => HttpReply | undefined {
  const limits = { ratePerSecond, burst: ratePerSecond, maxKeys: MAX_COUNTED_ADDRESSES };
  const allowances = createAddressBuckets({ ...limits, clock });
  return ({ remoteAddress, peerAddress }) => {
    const waitMs = allowances.take(addressGroup(remoteAddress ?? peerAddress));
    return waitMs > 0 ? tooOften('this address asks for too many pages', waitMs) : undefined;
  };
}

/** How many addresses have their pages counted at once; the one that was served longest ago is forgotten. */
const MAX_COUNTED_ADDRESSES = 10_000;

const PAGE_METHODS = 'GET, HEAD, OPTIONS';

/** OPTIONS of the server as a whole: how HAProxy, for one, checks by default that a server is up. */
export const optionsOfServer: Site = async ({ method, rawPath }) =>
  method === 'OPTIONS' && (rawPath === '*' || rawPath === '/') ? optionsReply(PAGE_METHODS) : undefined;

/** Why a client gets no metrics from the management listener. A program of this machine may still be a proxy. */
function metricsRefusal({ remoteAddress, mayBeProxied, headers }: HttpRequest): HttpReply | undefined {
  if (remoteAddress === undefined) return noMetrics('the trusted proxy gave no address in X-Forwarded-For');
  if (mayBeProxied) return noMetrics('a proxy sent this request: add it to RESPARK_TRUSTED_PROXIES');
  if (!isLoopback(remoteAddress)) return noMetrics(`this request came from ${remoteAddress}`);
  const hosts = headers.get('host') ?? [];
  if (hosts.every(isLoopbackName) && hosts.length <= 1) return undefined;
  return noMetrics(`this request was for the host ${shown(hosts.join())}: read them at 127.0.0.1 or localhost`);
}

function noMetrics(reason: string): HttpReply {
  const advice = 'set RESPARK_METRICS_PORT to serve them on a port of their own';
  return textReply(403, `metrics are for this machine only, and ${reason}; ${advice}\n`);
}

/** The file behind a signed URL. Every client that knows the URL may have it, and no cache on the way may keep it. */
async function download(
  { rawPath, remoteAddress, peerAddress }: HttpRequest,
  downloads: Pick<Downloads, 'open'>,
): Promise<HttpReply> {
  try {
    const file = await downloads.open(rawPath, addressGroup(remoteAddress ?? peerAddress));
    return file === undefined ? NO_FILE_REPLY : fileReply(file);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === 'access_denied') return textReply(403, `${error.message}\n`);
    if (error.code !== 'throttled') throw error;
    return tooOften(error.message, error.retryAfterMs ?? 0);
  }
}

function tooOften(message: string, retryAfterMs: number): HttpReply {
  const { status, headers, body } = textReply(429, `${message}\n`);
  return { status, headers: { ...headers, 'retry-after': `${Math.ceil(retryAfterMs / 1000)}` }, body };
}

const NO_FILE_REPLY = textReply(
  404,
  'there is no such file, or its URL has expired: ExportSnapshot and GetGeneratedCodeJob give a new one\n',
);

function fileReply({ fileName, contentType, body }: DownloadedFile): HttpReply {
  return {
    status: 200,
    headers: {
      'content-type': contentType,
      'content-disposition': `attachment; filename="${fileName.replace(/[^\w.-]/g, '_')}"`,
      'cache-control': 'private, no-store',
      'x-content-type-options': 'nosniff',
    },
    body,
  };
}

/** `/healthz` and `/readyz` on the players' own listener, since load balancers ask the port that they send players to. */
export function createPlayerProbes({
  observe,
  settings,
  clock,
}: {
  observe: Site;
  settings: { readonly pagesPerSecondPerAddress: number };
  clock: Clock;
}): Site {
  const refuse = createPageLimit(settings, clock);
  return async function playerProbes(request) {
    if (!isProbed(request.rawPath)) return undefined;
    const reply = refuse(request) ?? (await observe(request));
    return request.method === 'OPTIONS' ? optionsReply(PAGE_METHODS, reply?.status) : reply;
  };
}

/** What the players' own listener answers over plain HTTP, to any method. */
export const playerPages: Site = async ({ method, rawPath }) => {
  if (rawPath !== CONNECT_PATH) return MISPLACED_REPLY;
  return method === 'OPTIONS' ? optionsReply(PAGE_METHODS) : UPGRADE_REPLY;
};

const UPGRADE_REPLY: HttpReply = {
  status: 426,
  headers: { 'content-type': 'text/plain; charset=utf-8', upgrade: 'websocket', connection: 'Upgrade, close' },
  body: `players connect here by WebSocket, with the subprotocol ${SUBPROTOCOL}\n`,
};

/** An error in the form of the API, so that AWS clients that were sent to the players' port show its message. */
const MISPLACED_REPLY: HttpReply = {
  status: 404,
  headers: {
    'content-type': 'application/json',
    'x-amzn-errortype': 'UnknownOperationException',
    connection: 'close',
  },
  body: JSON.stringify({
    Message: `Only players connect here, by WebSocket at ${CONNECT_PATH}; the management API has another port.`,
  }),
};
