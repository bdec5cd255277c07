import { CONNECT_PATH, SUBPROTOCOL } from '@respark/protocol';
import type { Clock } from '../clock.ts';
import type { DownloadedFile, Downloads } from '../domain/downloads.ts';
import { ServiceError } from '../errors.ts';
import { isLoopback } from '../http/client-address.ts';
import { type HttpReply, type HttpRequest, type Site, textReply } from '../http/exchange.ts';
import type { Metrics } from '../metrics.ts';
import { type RandomBytes, uuidV7 } from '../random.ts';
import { WELCOME_REPLY } from './welcome-page.ts';

/** Why this node should get no traffic; empty when it is ready for traffic. */
export type NotReadyCauses = () => Promise<readonly string[]>;

/**
 * `/healthz` says that the process answers, `/readyz` whether it should get traffic, and `/metrics` gives the metrics
 * in Prometheus's text format. The site answers any method, because not every probe uses GET.
 */
export function createObservationPages({
  renderMetrics,
  notReadyCauses,
}: {
  renderMetrics: () => ReturnType<Metrics['render']>;
  notReadyCauses: NotReadyCauses;
}): Site {
  return async function observe({ rawPath }) {
    switch (rawPath) {
      case '/healthz':
        return textReply(200, 'ok\n');
      case '/readyz': {
        const causes = await notReadyCauses();
        return causes.length === 0 ? textReply(200, 'ready\n') : textReply(503, `not ready: ${causes.join(', ')}\n`);
      }
      case '/metrics': {
        const { contentType, text } = await renderMetrics();
        return { status: 200, headers: { 'content-type': contentType, 'cache-control': 'no-store' }, body: text };
      }
      default:
        return undefined;
    }
  };
}

/**
 * What the management listener answers without a signature. The site takes only GET and HEAD; every other method is the
 * API's. Metrics reveal the names of games and how busy they are, so only this machine gets them here, and not even
 * this machine when they have a listener of their own. Each page has a request id, like the replies of the API.
 */
export function createManagementPages({
  observe,
  downloads,
  hasMetricsElsewhere,
  hasPlayers,
  clock,
  random,
}: {
  observe: Site;
  downloads: Pick<Downloads, 'open'>;
  hasMetricsElsewhere: boolean;
  /** Whether players connect to the same listener. */
  hasPlayers: boolean;
  clock: Clock;
  random: RandomBytes;
}): Site {
  function find(request: HttpRequest): HttpReply | undefined | Promise<HttpReply | undefined> {
    const { rawPath, remoteAddress } = request;
    if (rawPath === '/') return WELCOME_REPLY;
    if (rawPath.startsWith('/download/')) return download(rawPath, downloads);
    if (rawPath === CONNECT_PATH && hasPlayers) return UPGRADE_REPLY;
    if (rawPath === '/metrics') {
      if (hasMetricsElsewhere) return textReply(404, 'metrics are on a port of their own (RESPARK_METRICS_PORT)\n');
      if (!isLoopback(remoteAddress)) {
        return textReply(403, 'metrics are for this machine only: set RESPARK_METRICS_PORT to serve them to others\n');
      }
    }
    return observe(request);
  }

  return async function managementPages(request) {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    const page = await find(request);
    if (page === undefined) return undefined;
    return { ...page, headers: { ...page.headers, 'x-amzn-requestid': uuidV7(random, clock.now()) } };
  };
}

/** The file behind a signed URL. Every client that knows the URL may have it, and no cache on the way may keep it. */
async function download(rawPath: string, downloads: Pick<Downloads, 'open'>): Promise<HttpReply> {
  try {
    const file = await downloads.open(rawPath);
    return file === undefined ? NO_FILE_REPLY : fileReply(file);
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    if (error.code === 'access_denied') return textReply(403, `${error.message}\n`);
    if (error.code !== 'throttled') throw error;
    const { headers, body } = textReply(429, `${error.message}\n`);
    const seconds = Math.ceil((error.retryAfterMs ?? 0) / 1000);
    return { status: 429, headers: { ...headers, 'retry-after': `${seconds}` }, body };
  }
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

/** What the players' own listener answers over plain HTTP, to any method. */
export const playerPages: Site = async ({ rawPath }) => (rawPath === CONNECT_PATH ? UPGRADE_REPLY : MISPLACED_REPLY);

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
