import { once } from 'node:events';
import { type Agent, type IncomingHttpHeaders, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { text } from 'node:stream/consumers';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { ROOT } from './server.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The name of an error, as clients read it. */
  readonly error: string | undefined;
  readonly message: string | undefined;
  readonly json: { readonly [member: string]: unknown };
}

/**
 * One request, over a connection of its own unless told otherwise. It is for requests that AWS clients refuse to send,
 * or cannot be told to send.
 */
export async function rawCall(
  server: { readonly url: string },
  method: string,
  path: string,
  options: {
    /** Sent as JSON unless it is text. */
    readonly body?: unknown;
    /** The root key unless told otherwise. */
    readonly credentials?: AccessKeyPair;
    readonly isSigned?: boolean;
    /** Added without being signed. */
    readonly headers?: Readonly<Record<string, string>>;
    /** The agent whose connections are used and stay open. */
    readonly agent?: Agent;
  } = {},
): Promise<RawAnswer> {
  const { credentials = ROOT, isSigned = true, headers = {}, agent = false } = options;
  const body = typeof options.body === 'string' ? options.body : (JSON.stringify(options.body) ?? '');
  const url = new URL(path, server.url);
  const signature = isSigned
    ? signRequest({ method, url, body: Buffer.from(body), ...credentials, region: 'us-east-1', nowMs: Date.now() })
    : {};
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  const sent = send(url, { method, headers: { ...signature, ...headers }, agent, rejectUnauthorized: false });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const json = JSON.parse(await text(response));
  const error = response.headers['x-amzn-errortype'];
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    error: typeof error === 'string' ? error : undefined,
    message: json.Message,
    json,
  };
}
