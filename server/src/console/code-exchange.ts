import type { AccessKeyPair } from '../domain/access/access.ts';
import { isLoopback, isLoopbackName } from '../http/client-address.ts';
import { BodyError, type HttpReply, type HttpRequest, type Site, textReply } from '../http/exchange.ts';
import { SIGN_IN_PATH } from './console.ts';
import type { OneTimeCodes } from './one-time-codes.ts';

const MAX_BODY_BYTES = 1_024;

/**
 * Answers with an access key for a code that the start of this server has printed. Only this machine gets one, and only the
 * console's own page: a page of somebody else's says another origin, and one that has led its own name here says that.
 */
export function createCodeExchange({
  codes,
  makeKey,
}: {
  codes: Pick<OneTimeCodes, 'take'>;
  makeKey: () => Promise<AccessKeyPair>;
}): Site {
  async function exchange(request: HttpRequest): Promise<HttpReply> {
    const refusal = refusalOf(request);
    if (refusal !== undefined) return textReply(403, `${refusal}\n`);
    let body: Uint8Array;
    try {
      body = await request.readBody(MAX_BODY_BYTES);
    } catch (error) {
      if (error instanceof BodyError) return textReply(400, `${error.message}\n`);
      throw error;
    }
    if (!codes.take(new TextDecoder().decode(body)))
      return textReply(403, 'the code was used, or is older than a minute\n');
    const { accessKeyId, secretAccessKey } = await makeKey();
    return {
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: JSON.stringify({ accessKeyId, secretAccessKey }),
    };
  }

  return (request) => (request.rawPath === SIGN_IN_PATH && request.method === 'POST' ? exchange(request) : undefined);
}

function refusalOf({ remoteAddress, isForwarded, mayBeProxied, headers }: HttpRequest): string | undefined {
  if (isForwarded || mayBeProxied || !isLoopback(remoteAddress))
    return 'a code is exchanged on the server’s machine only';
  const [host = '', ...more] = headers.get('host') ?? [];
  if (more.length > 0 || !isLoopbackName(host)) return 'a code is exchanged at localhost or 127.0.0.1 only';
  const origins = headers.get('origin') ?? [];
  const isOwn = origins.length === 1 && [`http://${host}`, `https://${host}`].includes(origins[0] ?? '');
  return isOwn ? undefined : 'a code is exchanged by the console’s own page only';
}
