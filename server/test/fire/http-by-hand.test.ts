import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Bytes,
  CLOSE,
  create,
  DISCONNECT,
  exchange,
  gamesOf,
  outcomesOf,
  plain,
  requestBytes,
  TAKEN,
} from './raw-http.ts';
import { besiege, type Siege } from './siege.ts';

/** Bytes to send, and the expected outcome, or several of which any will do. */
type Case = readonly [bytes: Bytes, expected: string | readonly string[], options?: Parameters<typeof exchange>[2]];

/** Runs every case before it fails, so that the failure lists every unexpected outcome. */
async function checkAll(siege: Siege, cases: Readonly<Record<string, Case>>): Promise<void> {
  const surprises: string[] = [];
  for (const [what, [bytes, expected, options]] of Object.entries(cases)) {
    await siege.attempt(what, async () => {
      const outcome = outcomesOf(await exchange(siege.server, bytes, options));
      if (![expected].flat().includes(outcome)) surprises.push(`${what}: ${outcome} instead of ${expected}`);
    });
  }
  assert.deepEqual(surprises, []);
}

const signed = (path: string) => requestBytes({ path, rawHeaders: CLOSE });

const UNREADABLE: Readonly<Record<string, Case>> = {
  'a TLS hello': [Buffer.from('16030100c5010000c10303', 'hex'), '400'],
  'an HTTP/2 preface': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '400'],
  'HTTP/0.9 that ends': ['GET /game\r\n', '400', { isLast: true }],
  'HTTP/3.0': [plain({ version: 'HTTP/3.0' }), '400'],
  'another protocol': ['SSH-2.0-OpenSSH_9.2\r\n', '400'],
  zeros: [Buffer.alloc(100), '400'],
  'nothing, and the end': ['', 'closed', { isLast: true }],
  'line feeds alone': ['GET /game HTTP/1.1\nHost: x\n\n', '400'],
  'no Host': ['GET /game HTTP/1.1\r\n\r\n', '400'],
  'two Hosts': [plain({ rawHeaders: [...CLOSE, 'Host: evil.example'] }), '400'],
  'two Hosts of which one is the other': ['GET /game HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n', '400'],
  'two Hosts beside a target with one': ['GET http://x/game HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n', '400'],
  'two Hosts in one line': ['GET /game HTTP/1.1\r\nHost: x, y\r\n\r\n', '400'],
  'a Host with a path': ['GET /game HTTP/1.1\r\nHost: x/y\r\n\r\n', '400'],
  'no path': ['GET  HTTP/1.1\r\nHost: x\r\n\r\n', '400'],
  'an unknown method': [plain({ method: 'FETCH' }), '400'],
  'a method in lower case': [plain({ method: 'get' }), '400'],
  CONNECT: [plain({ method: 'CONNECT', path: 'example.org:443' }), 'closed'],
  'a NUL in the path': [plain({ path: '/game\0' }), '400'],
  'UTF-8 in the path': ['GET /game/é HTTP/1.1\r\nHost: x\r\n\r\n', '400'],
  'a space before a colon': [plain({ rawHeaders: ['X : a'] }), '400'],
  'a header without a colon': [plain({ rawHeaders: ['nonsense'] }), '400'],
  'a folded header': [plain({ rawHeaders: ['X: a\r\n b'] }), '400'],
  'a NUL in a header': [plain({ rawHeaders: ['X: a\0b'] }), '400'],
  'a header of 20 KB': [plain({ rawHeaders: [`X: ${'a'.repeat(20_000)}`] }), '431'],
  'a path of 20 KB': [plain({ path: `/${'a'.repeat(20_000)}` }), '431'],
  'a header name of 20 KB': [plain({ rawHeaders: [`${'X'.repeat(20_000)}: a`] }), '431'],
  'an unknown expectation': [plain({ rawHeaders: [...CLOSE, 'Expect: 200-ok'] }), '417'],
};

const LENGTHS: Readonly<Record<string, Case>> = Object.fromEntries(
  Object.entries({
    'two lengths that differ': ['Content-Length: 2\r\nContent-Length: 19', TAKEN, '400'],
    'the same length twice': ['Content-Length: 19\r\nContent-Length: 19', TAKEN, '400'],
    'a list of lengths': ['Content-Length: 19, 19', TAKEN, '400'],
    'a negative length': ['Content-Length: -1', TAKEN, '400'],
    'a length with a sign': ['Content-Length: +19', TAKEN, '400'],
    'a length in hexadecimal': ['Content-Length: 0x13', TAKEN, '400'],
    'a length beyond 64 bits': ['Content-Length: 99999999999999999999', TAKEN, '400'],
    'no digits': ['Content-Length: ', TAKEN, '400'],
    'a length and chunks': ['Content-Length: 19\r\nTransfer-Encoding: chunked', '0\r\n\r\n', '400'],
    'chunks and a length': ['Transfer-Encoding: chunked\r\nContent-Length: 5', '0\r\n\r\n', '400'],
    'an unknown coding': ['Transfer-Encoding: gzip', TAKEN, '400'],
    'chunks that are not last': ['Transfer-Encoding: chunked, gzip', '0\r\n\r\n', '400'],
    'chunks twice': ['Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n', '400'],
    'chunks with a tab': ['Transfer-Encoding:\tchunked', '0\r\n\r\n', '403 InvalidSignatureException'],
    'a chunk size in words': ['Transfer-Encoding: chunked', 'ten\r\n', '400'],
    'a negative chunk size': ['Transfer-Encoding: chunked', '-1\r\n', '400'],
    'a chunk size beyond 64 bits': ['Transfer-Encoding: chunked', 'FFFFFFFFFFFFFFFFF\r\n', '400'],
    'a chunk longer than it says': ['Transfer-Encoding: chunked', '1\r\nabc\r\n0\r\n\r\n', '400'],
    'a chunk extension of 20 KB': ['Transfer-Encoding: chunked', `1;${'a'.repeat(20_000)}\r\na\r\n0\r\n\r\n`, '413'],
    'a trailer of 20 KB': ['Transfer-Encoding: chunked', `0\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`, '431'],
    'a body in chunks': [
      'Transfer-Encoding: chunked',
      `1\r\n{\r\n12\r\n${TAKEN.slice(1)}\r\n0\r\n\r\n`,
      '409 ConflictException',
    ],
    'a declared body over the limit': ['Content-Length: 65537', '', '413 RequestEntityTooLargeException'],
    'a declared body of a terabyte': ['Content-Length: 1099511627776', '', '413 RequestEntityTooLargeException'],
    'chunks over the limit': [
      'Transfer-Encoding: chunked',
      `11000\r\n${'a'.repeat(0x11_000)}\r\n`,
      '413 RequestEntityTooLargeException',
    ],
    'a length that is too short': ['Content-Length: 10', TAKEN, '403 InvalidSignatureException'],
  }).map(([what, [framing = '', body = '', expected = '']]) => {
    const head = requestBytes({ method: 'POST', path: '/game', body: TAKEN, rawHeaders: [...CLOSE, framing] });
    return [what, [Buffer.concat([head.subarray(0, -TAKEN.length), Buffer.from(body)]), expected]];
  }),
);

const PATHS: Readonly<Record<string, Case>> = {
  'an unknown path': [plain({ path: '/nothing' }), '404 UnknownOperationException'],
  'an empty segment before': [plain({ path: '//game' }), '404 UnknownOperationException'],
  'an empty segment behind': [plain({ path: '/game/Demo/' }), '404 UnknownOperationException'],
  'only slashes': [plain({ path: '/'.repeat(10_000) }), '404 UnknownOperationException'],
  'a whole URL': [plain({ path: 'http://localhost/game' }), '403 MissingAuthenticationTokenException'],
  'a whole URL of another protocol': [plain({ path: 'ftp://localhost/game' }), '404 UnknownOperationException'],
  'a whole URL with a user': [plain({ path: 'http://me@localhost/game' }), '404 UnknownOperationException'],
  'a whole URL inside another': [
    plain({ path: 'http://localhost/http://localhost/game' }),
    '404 UnknownOperationException',
  ],
  'an asterisk': [plain({ method: 'OPTIONS', path: '*' }), '200'],
  'a climb to the root': [plain({ path: '/../../etc/passwd' }), '404 UnknownOperationException'],
  'a climb inside': [plain({ path: '/game/../game' }), '404 UnknownOperationException'],
  'an encoded slash instead of one': [plain({ path: '/game%2FDemo' }), '404 UnknownOperationException'],
  'an encoded letter': [plain({ path: '/g%61me/Demo' }), '404 UnknownOperationException'],
  'another case': [plain({ path: '/Game/Demo' }), '404 UnknownOperationException'],
  'a path between operations': [plain({ path: '/runtime/game/Demo' }), '404 UnknownOperationException'],
  'no hexadecimal digits': [plain({ path: '/game/%zz' }), '400 SerializationException'],
  'half an escape': [plain({ path: '/game/%4' }), '400 SerializationException'],
  'a slash in too many bytes': [plain({ path: '/game/%C0%AF' }), '400 SerializationException'],
  'half a surrogate pair': [plain({ path: '/game/%ED%A0%80' }), '400 SerializationException'],
  'a byte that UTF-8 never has': [plain({ path: '/game/%FF' }), '400 SerializationException'],
  'no name, signed': [signed('/game/'), '400 ValidationException'],
  'two dots for a name, signed': [signed('/game/..'), '403 InvalidSignatureException'],
  'an encoded slash for a name, signed': [signed('/game/%2F'), '400 ValidationException'],
  'an encoded NUL, signed': [signed('/game/%00'), '400 ValidationException'],
  'an encoded line break, signed': [signed('/game/a%0D%0Ab'), '400 ValidationException'],
  'a name of 10 KB, signed': [signed(`/game/${'a'.repeat(10_000)}`), '400 ValidationException'],
  'an inherited member for a name': [signed('/game/__proto__'), '404 ResourceNotFoundException'],
  'a fragment': [signed('/game/Demo#top'), ['403 InvalidSignatureException', '400 ValidationException']],
  'a broken query, signed': [signed('/game?MaxResults=%zz'), '403 InvalidSignatureException'],
  'a query of 10 KB, signed': [signed(`/game?${'a=b&'.repeat(2_500)}`), '200'],
  'a number beyond all, signed': [signed('/game?MaxResults=1e400'), '400 ValidationException'],
  'a number of 1,000 digits, signed': [signed(`/game?MaxResults=${'9'.repeat(1_000)}`), '400 ValidationException'],
  'a number twice, signed': [signed('/game?MaxResults=1&MaxResults=2'), '400 ValidationException'],
  'a made-up token, signed': [signed('/game?NextToken=AAAA'), '400 ValidationException'],
};

const METHODS: Readonly<Record<string, Case>> = Object.fromEntries(
  ['PUT', 'DELETE', 'TRACE', 'HEAD', 'PATCH', 'PROPFIND', 'M-SEARCH', 'QUERY'].map((method) => [
    `${method} of a path that has none`,
    [plain({ method, path: '/game' }), ['405 UnknownOperationException', '400'], { isHead: method === 'HEAD' }],
  ]),
);

const HEADERS: Readonly<Record<string, Case>> = {
  'no signature': [plain({}), '403 MissingAuthenticationTokenException'],
  'an empty signature': [
    plain({ rawHeaders: [...CLOSE, 'Authorization: '] }),
    '403 MissingAuthenticationTokenException',
  ],
  'another scheme': [
    plain({ rawHeaders: [...CLOSE, 'Authorization: Basic YTpi'] }),
    '403 IncompleteSignatureException',
  ],
  'a scheme and nothing else': [
    plain({ rawHeaders: [...CLOSE, 'Authorization: AWS4-HMAC-SHA256'] }),
    '403 IncompleteSignatureException',
  ],
  'a signature of commas': [
    plain({ rawHeaders: [...CLOSE, `Authorization: AWS4-HMAC-SHA256 ${','.repeat(10_000)}`] }),
    '403 IncompleteSignatureException',
  ],
  'two signatures': [
    requestBytes({ rawHeaders: [...CLOSE, 'Authorization: AWS4-HMAC-SHA256 x'] }),
    '403 IncompleteSignatureException',
  ],
  'two times': [
    requestBytes({ rawHeaders: [...CLOSE, 'X-Amz-Date: 20200101T000000Z'] }),
    '403 IncompleteSignatureException',
  ],
  'an X-Amz header that means nothing here': [requestBytes({ rawHeaders: [...CLOSE, 'X-Amz-Target: a'] }), '200'],
  'a session token that is not signed': [
    requestBytes({ rawHeaders: [...CLOSE, 'X-Amz-Security-Token: a'] }),
    '403 UnrecognizedClientException',
  ],
  '15 KB of other headers': [requestBytes({ rawHeaders: [...CLOSE, `X: ${'a'.repeat(15_000)}`] }), '200'],
  'thousands of empty headers': [requestBytes({ rawHeaders: [...CLOSE, ...Array(3_000).fill('a:')] }), ['200', '431']],
  'inherited members for names': [
    requestBytes({ rawHeaders: [...CLOSE, '__proto__: a', 'constructor: a', 'toString: a'] }),
    '200',
  ],
  'bytes that are no ASCII': [requestBytes({ rawHeaders: [...CLOSE, 'X: \xff\xfe\x80'] }), '200'],
  'an upgrade to HTTP/2': [
    requestBytes({
      rawHeaders: ['Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'],
    }),
    '200',
  ],
  'an upgrade to HTTP/2 with a body': [
    requestBytes({
      ...{ method: 'POST', path: '/game', body: TAKEN },
      rawHeaders: ['Connection: Upgrade, HTTP2-Settings, close', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'],
    }),
    '409 ConflictException',
  ],
  'HTTP/1.0': [requestBytes({ version: 'HTTP/1.0' }), '200'],
  'HTTP/1.0 without a Host': ['GET /game HTTP/1.0\r\n\r\n', '403 MissingAuthenticationTokenException'],
  'empty lines first': [Buffer.concat([Buffer.from('\r\n\r\n'), requestBytes({ rawHeaders: CLOSE })]), '200'],
};

const BODIES: Readonly<Record<string, Case>> = {
  'no JSON': [create('GameName=Demo'), '400 SerializationException'],
  'an array': [create('[]'), '400 SerializationException'],
  null: [create('null'), '400 SerializationException'],
  'two objects': [create(`${TAKEN}${TAKEN}`), '400 SerializationException'],
  'half an object': [create(TAKEN.slice(0, -1)), '400 SerializationException'],
  NaN: [create('{"GameName":NaN}'), '400 SerializationException'],
  'an array 10,000 levels deep': [create(`${'['.repeat(10_000)}${']'.repeat(10_000)}`), '400 SerializationException'],
  'brackets without an end': [create('['.repeat(60_000)), '400 SerializationException'],
  'a name 10,000 levels deep': [
    create(`{"GameName":${'['.repeat(10_000)}${']'.repeat(10_000)}}`),
    '400 ValidationException',
  ],
  'tags 10,000 levels deep': [
    create(`{"GameName":"A","Tags":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`),
    '400 ValidationException',
  ],
  'something unknown 10,000 levels deep': [
    create(`{"GameName":"Demo","X":${'['.repeat(10_000)}${']'.repeat(10_000)}}`),
    '409 ConflictException',
  ],
  'a member twice, the last one wrong': [create('{"GameName":"Fine","GameName":""}'), '400 ValidationException'],
  'a member twice, the last one taken': [create('{"GameName":"","GameName":"Demo"}'), '409 ConflictException'],
  'a number beyond all': [create('{"GameName":1e400}'), '400 ValidationException'],
  'a number of 60,000 digits': [create(`{"GameName":${'9'.repeat(60_000)}}`), '400 ValidationException'],
  'bytes that are no UTF-8': [
    create(Buffer.from('7b2247616d654e616d65223a22ff227d', 'hex')),
    '400 SerializationException',
  ],
  'UTF-16': [create(Buffer.from(TAKEN, 'utf16le')), '400 SerializationException'],
  'a byte order mark': [create(`\uFEFF${TAKEN}`), '409 ConflictException'],
  'half a surrogate pair': [create('{"GameName":"\\ud800"}'), '400 ValidationException'],
  'an escaped NUL': [create('{"GameName":"a\\u0000b"}'), '400 ValidationException'],
  '__proto__ with the name': [create('{"__proto__":{"GameName":"Fine"}}'), '400 ValidationException'],
  '__proto__ for tags': [create('{"GameName":"Demo","Tags":{"__proto__":5}}'), '400 ValidationException'],
  'constructor for tags': [
    create('{"GameName":"Demo","Tags":{"constructor":{"prototype":{}}}}'),
    '400 ValidationException',
  ],
  'thousands of tags': [
    create(
      JSON.stringify({
        GameName: 'A',
        Tags: Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`k${i}`, ''])),
      }),
    ),
    '400 ValidationException',
  ],
  'a body that is no JSON': [
    requestBytes({ method: 'POST', path: DISCONNECT, body: '['.repeat(1_000), rawHeaders: CLOSE }),
    '400 SerializationException',
  ],
};

test('handwritten bad input gets its documented answer over HTTP', async (t) => {
  await besiege(t, { minCases: 130 }, async (siege) => {
    await checkAll(siege, { ...UNREADABLE, ...LENGTHS, ...PATHS, ...METHODS, ...HEADERS, ...BODIES });
    assert.deepEqual(await gamesOf(siege.server), ['Demo']);
  });
});
