import type { IncomingMessage } from 'node:http';
import type { ClientAddress } from './client-address.ts';
import { collectHeaders, type HttpRequest } from './exchange.ts';

/** All that a request says before its body. */
export type RequestHead = Omit<HttpRequest, 'readBody'>;

/** Undefined when the peer has no address: its socket must be destroyed, and the request left unanswered. */
export type ReadHead = (request: IncomingMessage) => RequestHead | undefined;

/**
 * Makes the one reader of heads, for every listener and for upgrades. Signatures are verified on `rawHeaders`, so
 * nothing may read `request.headers` of Node.js, which treats repeated and numerous headers in ways of its own: a
 * header that one reader sees and another does not lets a caller pass for somebody else.
 */
export function createHeadReader({ clientAddress }: { clientAddress: ClientAddress }): ReadHead {
  return function readHead({ method = '', url = '', rawHeaders, socket }) {
    const headers = collectHeaders(rawHeaders);
    const client = clientAddress(socket.remoteAddress, headers, 'encrypted' in socket);
    if (client === undefined) return undefined;
    const { address: remoteAddress, ...facts } = client;
    const question = url.indexOf('?');
    return {
      method,
      rawPath: question === -1 ? url : url.slice(0, question),
      rawQuery: question === -1 ? '' : url.slice(question + 1),
      headers,
      remoteAddress,
      ...facts,
    };
  };
}
