import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { Clock } from '../clock.ts';
import { MAX_POSTS_AT_ONCE, type WebhookAnswer, type WebhookPost } from '../domain/events/post-webhook.ts';
import type { Log } from '../log.ts';
import { createRareWarnings } from '../rare-warnings.ts';
import { shown } from '../text.ts';
import { createExchanges } from './exchanges.ts';
import { createAddressesOf, type LookUps, SYSTEM_LOOK_UPS } from './look-up.ts';
import { OutsideFault } from './outside-fault.ts';
import { isPublic } from './public-address.ts';
import { bareHostOf, placeOf } from './url-place.ts';

const VARIABLE = 'RESPARK_WEBHOOK_PRIVATE_HOSTS';
/** What a receiver says beside its status is thrown away. */
const MAX_ANSWER_BYTES = 65_536;
/**
 * The caller keeps a game from taking all of these. A limit for each host would make games that post to the same one wait for
 * each other.
 */
const CONNECTIONS = {
  ...{ maxPerHost: MAX_POSTS_AT_ONCE, maxPerScheme: MAX_POSTS_AT_ONCE },
  ...{ maxIdle: 128, maxIdleMs: 20_000 },
};

export interface WebhookPostSettings {
  readonly webhookTimeoutMs: number;
  /** `host`, for each port, or `host:port`: receivers that may be in a private network, or speak plain HTTP. */
  readonly webhookPrivateHosts: readonly string[];
}

/** Sends webhooks. They reach public addresses over TLS only, and what the settings list besides. */
export function createWebhookPost({
  settings,
  clock,
  log,
  lookUps = SYSTEM_LOOK_UPS,
}: {
  settings: WebhookPostSettings;
  clock: Clock;
  log: Pick<Log, 'warn'>;
  lookUps?: LookUps;
}): WebhookPost & { close(): Promise<void> } {
  const { webhookTimeoutMs: timeoutMs, webhookPrivateHosts } = settings;
  const listed = new Set(webhookPrivateHosts);
  const addressesOf = createAddressesOf({ lookUp: lookUps.public });
  const listedAddressesOf = createAddressesOf({ lookUp: lookUps.listed });
  const exchanges = createExchanges({
    purpose: 'webhooks',
    warn: createRareWarnings({ clock, log }),
    kept: CONNECTIONS,
  });
  const underWay = new Set<AbortController>();
  let isClosed = false;

  function isListed(url: URL): boolean {
    return listed.has(url.hostname) || listed.has(placeOf(url));
  }

  function faultOf(text: string): string | undefined {
    if (!URL.canParse(text)) return `${shown(text)} is no URL`;
    const url = new URL(text);
    if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'a webhook’s URL must begin with https://';
    if (url.username !== '' || url.password !== '') return 'a webhook’s URL must not have a user name or a password';
    if (isListed(url)) return undefined;
    if (url.protocol === 'http:') {
      return `a webhook’s URL must begin with https://, unless ${VARIABLE} lists its host ${shown(url.hostname)}`;
    }
    const address = bareHostOf(url);
    if (isIP(address) === 0 || isPublic(address)) return undefined;
    return `${shown(url.hostname)} is an address of a private network: list it in ${VARIABLE} to allow it`;
  }

  async function checkedAddresses(url: URL): Promise<LookupAddress[]> {
    if (isListed(url)) return [...(await listedAddressesOf(url.hostname))];
    // A caller who may make a webhook must not find out which names there are in the network of the server.
    const addresses = await addressesOf(url.hostname).catch(() => []);
    const fit = addresses.filter(({ address }) => isPublic(address));
    if (fit.length > 0) return fit;
    const message = `${shown(url.hostname)} has no address of the public internet: check the name, or list it in ${VARIABLE} if it is in a private network`;
    throw new OutsideFault('not_allowed', message);
  }

  async function send(
    { url: text, headers, body, game }: Parameters<WebhookPost['post']>[0],
    signal: AbortSignal,
  ): Promise<WebhookAnswer> {
    const fault = faultOf(text);
    if (fault !== undefined) throw new OutsideFault('not_allowed', fault);
    const url = new URL(text);
    const isAddress = isIP(bareHostOf(url)) !== 0;
    const where = isAddress ? {} : { addresses: await checkedAddresses(url) };
    signal.throwIfAborted();
    const request = {
      ...{ url: url.href, method: 'POST', body, owner: game, ...where },
      headers: { 'content-type': 'application/json', ...headers },
      onlyHeaders: ['retry-after'],
    };
    const limits = { signal, maxBytes: MAX_ANSWER_BYTES };
    const { status, headers: answered } = await exchanges.exchange(request, limits).catch(inOwnWords);
    return { status, retryAfterMs: retryAfterOf(answered['retry-after'], clock.now()) };
  }

  return {
    faultOf,
    async post(request) {
      if (isClosed) throw new OutsideFault('unavailable', 'the server is stopping');
      const controller = new AbortController();
      underWay.add(controller);
      const cancel = clock.after(timeoutMs, () =>
        controller.abort(new OutsideFault('timeout', `there was no answer within ${timeoutMs} ms`)),
      );
      const aborted = new Promise<never>((_, reject) => {
        controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
      });
      try {
        return await Promise.race([send(request, controller.signal), aborted]);
      } finally {
        cancel();
        underWay.delete(controller);
      }
    },
    async close() {
      isClosed = true;
      for (const controller of underWay) controller.abort(new OutsideFault('unavailable', 'the server is stopping'));
      await exchanges.close();
    },
  };
}

/** What is said of answers that are too long names a setting that is not for this one. */
function inOwnWords(error: unknown): never {
  if (!(error instanceof OutsideFault) || error.code !== 'too_large') throw error;
  const message = `the receiver answers with more than ${MAX_ANSWER_BYTES} bytes: a status is enough`;
  throw new OutsideFault('too_large', message, { cause: error });
}

/** Seconds or a date, as in RFC 9110. */
function retryAfterOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
