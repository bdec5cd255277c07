import { CONNECT_PATH } from '@respark/protocol';
import { ResparkError } from './errors.ts';

/** Where a WebSocket is opened for the option `url`. Throws a ResparkError if that is not a URL of a server. */
export function endpointOf(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw new ResparkError(`url must be like ws://HOST:PORT, got ${JSON.stringify(text)}`, {
      code: 'bad_option',
      cause: error,
    });
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  if (url.protocol === 'https:') url.protocol = 'wss:';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw new ResparkError(`url must begin with ws, wss, http or https, got ${JSON.stringify(text)}`, {
      code: 'bad_option',
    });
  }
  if (url.pathname === '/') url.pathname = CONNECT_PATH;
  // WebSocket constructors refuse a fragment.
  url.hash = '';
  return url.href;
}
