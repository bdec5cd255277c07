import { CONNECT_PATH } from '@respark/protocol';
import { ResparkError } from './errors.ts';

const URL_PARTS = /^([a-z][a-z\d+.-]*):\/\/([^\s/?#]+)([^\s?#]*)(\?[^\s#]*)?(?:#.*)?$/i;
const SCHEMES: Readonly<Record<string, { readonly scheme: string; readonly port: string }>> = {
  ws: { scheme: 'ws', port: ':80' },
  http: { scheme: 'ws', port: ':80' },
  wss: { scheme: 'wss', port: ':443' },
  https: { scheme: 'wss', port: ':443' },
};

/**
 * Where a WebSocket is opened for the option `url`. Throws a ResparkError if that is not the address of a server. It is
 * read without `URL`, because React Native's knows no parts.
 */
export function endpointOf(text: string): string {
  const parts = URL_PARTS.exec(text.trim());
  if (parts === null) {
    throw new ResparkError(`url must be like ws://HOST:PORT, got ${JSON.stringify(text)}`, { code: 'bad_option' });
  }
  const [, givenScheme = '', givenHost = '', path = '', query = ''] = parts;
  const found = SCHEMES[givenScheme.toLowerCase()];
  if (found === undefined) {
    throw new ResparkError(`url must begin with ws, wss, http or https, got ${JSON.stringify(text)}`, {
      code: 'bad_option',
    });
  }
  const host = givenHost.toLowerCase();
  const shortHost = host.endsWith(found.port) ? host.slice(0, -found.port.length) : host;
  // WebSocket constructors refuse a fragment, so that is left out.
  return `${found.scheme}://${shortHost}${path === '' || path === '/' ? CONNECT_PATH : path}${query}`;
}
