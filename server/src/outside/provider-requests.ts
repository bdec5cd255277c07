import { isIP } from 'node:net';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { createRareWarnings } from '../rare-warnings.ts';
import { shown } from '../text.ts';
import { createExchanges } from './exchanges.ts';
import type { HttpReply, HttpRequest } from './http-exchange.ts';
import { createAddressesOf, type LookUps } from './look-up.ts';
import { OutsideFault } from './outside-fault.ts';
import { isPublic } from './public-address.ts';
import { bareHostOf, placeOf } from './url-place.ts';

export interface ProviderSettings {
  /** Hosts that may be asked although their addresses are not public. */
  readonly identityHosts: readonly string[];
}

/**
 * Asks an identity provider, over one connection of its own, and reads the whole answer, whatever its status. Rejects with
 * an `OutsideFault` in time when that cannot be done. No redirect is followed.
 */
export type AskProvider = (
  request: Omit<HttpRequest, 'url' | 'addresses'> & { readonly url: URL },
  limits: { readonly timeoutMs: number; readonly maxBytes: number },
) => Promise<HttpReply>;

export function createAskProvider({
  purpose,
  clock,
  log,
  lookUps,
  stopping,
  settings,
}: {
  /** What the provider is asked for, as warnings say. */
  purpose: string;
  clock: Clock;
  log: Pick<Log, 'warn'>;
  lookUps: LookUps;
  /** Ends what is under way when the server stops. */
  stopping: AbortSignal;
  settings: ProviderSettings;
}): AskProvider {
  const addressesOf = createAddressesOf({ lookUp: lookUps.public });
  const listedAddressesOf = createAddressesOf({ lookUp: lookUps.listed });
  const listed = new Set(settings.identityHosts);
  const exchanges = createExchanges({ purpose, warn: createRareWarnings({ clock, log }) });
  stopping.addEventListener('abort', () => void exchanges.close(), { once: true });

  /** Where the connection may go, so that a name cannot lead to what is behind the server's own network. */
  async function addressesFor(url: URL) {
    const { hostname, host } = url;
    const name = bareHostOf(url);
    const isListed = listed.has(hostname) || listed.has(placeOf(url));
    const lookUp = isListed ? listedAddressesOf : (host: string) => addressesOf(host).catch(withAdvice);
    const addresses = isIP(name) === 0 ? await lookUp(hostname) : [{ address: name, family: isIP(name) }];
    const fit = addresses.filter(({ address }) => isListed || isPublic(address));
    if (fit.length > 0) return fit;
    const message = `${shown(host)} stands for addresses of a private network: add it to RESPARK_IDENTITY_HOSTS if the server may ask it`;
    throw new OutsideFault('not_allowed', message);
  }

  return async (request, { timeoutMs, maxBytes }) => {
    const { url } = request;
    const controller = new AbortController();
    const signal = AbortSignal.any([controller.signal, stopping]);
    const late = new OutsideFault('timeout', `${url.host} did not answer within ${timeoutMs} ms`);
    return await new Promise((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        reject(late);
        controller.abort(late);
      });
      const work = async () => {
        const addresses = await addressesFor(url);
        signal.throwIfAborted();
        const asked = { ...request, url: url.href, addresses };
        return await exchanges.exchange(asked, { signal, maxBytes }).catch(inOwnWords(url, maxBytes));
      };
      work().then(resolve, reject).finally(cancel);
    });
  };
}

/** A name that is only in the server's own network is unknown to public name servers. */
function withAdvice(error: unknown): never {
  const { code } = Object((error as { cause?: unknown }).cause) as { code?: unknown };
  if (!(error instanceof OutsideFault) || (code !== 'ENOTFOUND' && code !== 'ENODATA')) throw error;
  const message = `${error.message}: check the name, or add it to RESPARK_IDENTITY_HOSTS if it is in a private network`;
  throw new OutsideFault(error.code, message, { cause: error });
}

/** What is said of answers that are too long names a setting that is not for this one. */
function inOwnWords({ host }: URL, maxBytes: number): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof OutsideFault) || error.code !== 'too_large') throw error;
    throw new OutsideFault('too_large', `${host} answered with more than ${maxBytes} bytes`, { cause: error });
  };
}
