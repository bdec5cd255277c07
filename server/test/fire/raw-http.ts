import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { REFUSALS, WIRE_ERRORS } from '../../src/api/reply.ts';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { AccessKeyPair } from '../../src/domain/access/access.ts';
import { rawCall } from '../support/raw-call.ts';
import { ROOT, type TestServer } from '../support/server.ts';

export const CLOSE = ['Connection: close'];
export const DISCONNECT = '/runtime/game/Demo/stage/Dev/player/nobody/disconnect';
/** The name is taken, so a call with no other fault is a conflict and changes nothing. */
export const TAKEN = '{"GameName":"Demo"}';

/** Statuses, without the name of an error, for what Node.js cannot read as a request or no site is to read. */
const BARE_STATUSES = [400, 408, 413, 417, 431];

/** `status name` of every documented error except that of a bug. */
const DOCUMENTED = new Set(
  [...Object.values(REFUSALS), ...Object.values(WIRE_ERRORS)]
    .map(({ status, name }) => `${status} ${name}`)
    .filter((outcome) => !outcome.startsWith('500')),
);

export interface Reply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** What came back until the server closed the connection, or had sent the expected replies and kept it open. */
export interface Exchange {
  readonly replies: readonly Reply[];
  /** Whether the server closed the connection, in order or by a reset. */
  readonly isClosed: boolean;
}

export type Bytes = string | Uint8Array;

/** The bytes of a request, with a Host header and, unless told otherwise, a signature with the root key. */
export function requestBytes({
  method = 'GET',
  path = '/game/Demo',
  headers = {},
  rawHeaders = [],
  body = '',
  isSigned = true,
  credentials = ROOT,
  version = 'HTTP/1.1',
}: {
  method?: string;
  path?: string;
  /** Signed and sent. */
  headers?: Readonly<Record<string, string>>;
  /** Sent as they are, without being signed. */
  rawHeaders?: readonly string[];
  body?: Bytes;
  isSigned?: boolean;
  credentials?: AccessKeyPair;
  version?: string;
}): Buffer {
  const bytes = Buffer.from(body);
  const question = path.indexOf('?');
  // A real URL object would tidy the path up before it is signed.
  const url = {
    host: 'localhost',
    pathname: question === -1 ? path : path.slice(0, question),
    search: question === -1 ? '' : path.slice(question),
  } as URL;
  const signature = isSigned
    ? signRequest({ method, url, headers, body: bytes, ...credentials, region: 'us-east-1', nowMs: Date.now() })
    : {};
  const length = bytes.length > 0 && !/transfer-encoding|content-length/i.test(rawHeaders.join());
  const lines = [
    `${method} ${path} ${version}`,
    'Host: localhost',
    ...Object.entries({ ...headers, ...signature }).map(([name, value]) => `${name}: ${value}`),
    ...(length ? [`Content-Length: ${bytes.length}`] : []),
    ...rawHeaders,
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}

export const create = (body: Bytes) => requestBytes({ method: 'POST', path: '/game', body, rawHeaders: CLOSE });
export const plain = (options: Parameters<typeof requestBytes>[0]) =>
  requestBytes({ rawHeaders: CLOSE, isSigned: false, ...options });

export function open(server: { readonly url: string }): Socket {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => {});
  return socket;
}

/** Sends the bytes, and returns what comes back. With `isLast`, the client ends its side after the last byte. */
export async function exchange(
  server: { readonly url: string },
  bytes: Bytes,
  {
    isLast = false,
    expectReplies = 1,
    isHead = false,
  }: { isLast?: boolean; expectReplies?: number; isHead?: boolean } = {},
): Promise<Exchange> {
  const socket = open(server);
  socket.write(bytes);
  if (isLast) socket.end();
  let received = Buffer.alloc(0);
  try {
    return await new Promise<Exchange>((resolve) => {
      const finish = () => resolve({ replies: parseReplies(received, isHead), isClosed: true });
      socket.once('end', finish).once('close', finish);
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        const replies = parseReplies(received, isHead).filter(({ status }) => status >= 200);
        const last = replies.at(-1);
        const isKept = last !== undefined && last.headers.get('connection') !== 'close';
        if (isKept && replies.length >= expectReplies)
          resolve({ replies: parseReplies(received, isHead), isClosed: false });
      });
    });
  } finally {
    socket.destroy();
  }
}

/** Returns the outcome of a reply. Fails unless the reply is documented, and has its documented form. */
export function outcomeOf({ status, headers, body }: Reply): string {
  const name = headers.get('x-amzn-errortype');
  if (name === undefined) {
    if (status === 200) return '200';
    assert(BARE_STATUSES.includes(status), `an undocumented ${status}: ${body}`);
    if (body !== '') assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.equal(headers.get('connection'), 'close');
    return String(status);
  }
  assert.match(headers.get('x-amzn-requestid') ?? '', /^[0-9a-f-]{36}$/);
  assert.equal(headers.get('content-type'), 'application/json');
  const outcome = `${status} ${name}`;
  assert(DOCUMENTED.has(outcome), `an undocumented ${outcome}: ${body}`);
  // A reply to HEAD has only the length of its body.
  if (body !== '') assert.match(JSON.parse(body).Message, /\S/);
  return outcome;
}

/** `closed`, or the outcome of each reply in turn. */
export function outcomesOf({ replies, isClosed }: Exchange): string {
  if (replies.length > 0) return replies.map(outcomeOf).join(', ');
  assert(isClosed);
  return 'closed';
}

export async function gamesOf(server: TestServer): Promise<string[]> {
  const { json } = await rawCall(server, 'GET', '/game?MaxResults=50');
  return (json.Games as { Name: string }[]).map(({ Name }) => Name);
}

function parseReplies(bytes: Buffer, isHead: boolean): Reply[] {
  const replies: Reply[] = [];
  for (let rest = bytes; ; ) {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return replies;
    const [first = '', ...lines] = rest.toString('latin1', 0, end).split('\r\n');
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
    assert(status >= 100, `no reply: ${first}`);
    const length = isHead ? 0 : Number(headers.get('content-length') ?? 0);
    const start = end + 4;
    // Here only the answers of Node.js itself are chunked, and their bodies are empty.
    const stop = headers.has('transfer-encoding') ? start + '0\r\n\r\n'.length : start + length;
    if (rest.length < stop) return replies;
    replies.push({ status, headers, body: headers.has('transfer-encoding') ? '' : rest.toString('utf8', start, stop) });
    rest = rest.subarray(stop);
  }
}
