import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  closedPort,
  errorOf,
  firstClosed,
  openOutside,
  resultOf,
  startTcpServer,
  startWebServer,
} from '../../test/support/outside.ts';
import { tlsFiles } from '../../test/support/tls-files.ts';

/** A web server, and ways to it. */
async function openServer(t: TestContext, answer: Parameters<typeof startWebServer>[1]) {
  const server = await startWebServer(t, answer);
  return { ...server, ...openOutside(t, { outsideHosts: [`127.0.0.1:${server.port}`] }) };
}

test('a request gets its status, its headers and its body as text', async (t) => {
  const { outside, url, requests } = await openServer(t, (response) => {
    response.writeHead(201, { 'X-Number': '5', 'Set-Cookie': ['a=1', 'b=2'], Date: 'today' }).end('grüße 🪓');
  });
  const answer = await resultOf(outside.fetch([`${url}/path?a=ü#fragment`]));
  assert.deepEqual(answer, {
    Status: 201,
    Headers: {
      'x-number': '5',
      'set-cookie': 'a=1, b=2',
      date: 'today',
      connection: 'close',
      'transfer-encoding': 'chunked',
    },
    Body: 'grüße 🪓',
  });
  const [{ method, url: path, headers } = assert.fail()] = requests;
  assert.deepEqual([method, path], ['GET', '/path?a=%C3%BC']);
  assert.deepEqual(headers, {
    ...{ host: new URL(url).host, connection: 'close' },
    ...{ 'accept-encoding': 'identity', 'user-agent': 'respark' },
  });
});

for (const Method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
  test(`${Method} sends its headers and its body, and says how long that is`, async (t) => {
    const { outside, url, requests } = await openServer(t, (response) => response.end());
    const options = { Method, Headers: { 'X-Secret': 'a b', 'User-Agent': 'game' }, Body: '{"text":"ü"}' };
    assert.equal(((await resultOf(outside.fetch([url, options]))) as { Body: string }).Body, '');
    const [{ method, headers, body } = assert.fail()] = requests;
    assert.deepEqual([method, body], [Method, '{"text":"ü"}']);
    assert.deepEqual(
      [headers['x-secret'], headers['user-agent'], headers['content-length'], headers['transfer-encoding']],
      ['a b', 'game', '13', undefined],
    );
  });
}

test('HEAD gets headers alone', async (t) => {
  const { outside, url } = await openServer(t, (response) => response.writeHead(200, { 'content-length': '5' }).end());
  const answer = (await resultOf(outside.fetch([url, { Method: 'HEAD' }]))) as Record<string, unknown>;
  assert.deepEqual([answer.Status, answer.Body], [200, '']);
});

test('a redirect is an answer, and is not followed', async (t) => {
  const { outside, url, requests } = await openServer(t, (response) =>
    response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
  );
  const { Status, Headers } = (await resultOf(outside.fetch([url]))) as { Status: number; Headers: object };
  assert.deepEqual([Status, 'location' in Headers], [302, true]);
  assert.equal(requests.length, 1);
});

test('only listed hosts with their ports are asked, and the error names the setting', async (t) => {
  const { port, requests } = await startWebServer(t, (response) => response.end());
  const { outside } = openOutside(t, { outsideHosts: [`127.0.0.1:${port}`, 'api.example', 'plain.example:80'] });
  for (const [url, place] of [
    [`http://127.0.0.2:${port}/`, `127.0.0.2:${port}`],
    [`http://localhost:${port}/`, `localhost:${port}`],
    ['http://127.0.0.1/', '127.0.0.1:80'],
    ['https://127.0.0.1/', '127.0.0.1:443'],
    ['http://api.example/', 'api.example:80'],
    ['https://api.example:444/', 'api.example:444'],
    ['https://api.example.:443/', 'api.example.:443'],
    ['https://plain.example/', 'plain.example:443'],
    ['https://sub.api.example/', 'sub.api.example:443'],
    [`http://[::ffff:127.0.0.1]:${port}/`, `[::ffff:7f00:1]:${port}`],
  ] as const) {
    assert.deepEqual(await errorOf(outside.fetch([url])), {
      code: 'not_allowed',
      message: `this server does not let scripts use the host "${place}": add ${place} to RESPARK_OUTSIDE_HOSTS`,
    });
  }
  assert.deepEqual(requests, []);
});

test('a host that is listed without a port may be asked over https alone', async (t) => {
  const { outside } = openOutside(t, { outsideHosts: ['api.example'] }, { lookUp: async () => [] });
  assert.match((await errorOf(outside.fetch(['https://api.example/']))).message, /stands for addresses of a private/);
  assert.deepEqual(await errorOf(outside.fetch(['http://api.example:443/'])), {
    code: 'not_allowed',
    message:
      'this server does not let scripts use the host "api.example:443": add api.example:443 to RESPARK_OUTSIDE_HOSTS',
  });
});

test('other spellings of a listed address mean that address', async (t) => {
  const { outside, port } = await openServer(t, (response) => response.end('here'));
  for (const host of ['127.1', '0x7f.0.0.1', '2130706433']) {
    const { Body } = (await resultOf(outside.fetch([`http://${host}:${port}/`]))) as { Body: string };
    assert.equal(Body, 'here', host);
  }
});

test('a name that stands for a private address is not asked', async (t) => {
  const { port, requests } = await startWebServer(t, (response) => response.end());
  for (const address of ['127.0.0.1', '::1', '10.0.0.1', '169.254.169.254', '::ffff:127.0.0.1', '0.0.0.0']) {
    const lookUp = async () => [{ address, family: address.includes(':') ? 6 : 4 }];
    const { outside } = openOutside(t, { outsideHosts: [`api.example:${port}`] }, { lookUp });
    assert.equal((await errorOf(outside.fetch([`http://api.example:${port}/`]))).code, 'not_allowed', address);
  }
  assert.deepEqual(requests, []);
});

test('localhost is this machine, if it is listed, and nothing else', async (t) => {
  const { port, requests } = await startWebServer(t, (response) => response.end('here'));
  let addresses = [
    { address: '10.0.0.1', family: 4 },
    { address: '127.0.0.1', family: 4 },
  ];
  const lookUp = async () => addresses;
  const { outside } = openOutside(t, { outsideHosts: [`localhost:${port}`] }, { lookUp });
  const { Body } = (await resultOf(outside.fetch([`http://localhost:${port}/`]))) as { Body: string };
  assert.equal(Body, 'here');
  assert.equal(requests[0]?.headers.host, `localhost:${port}`);
  addresses = addresses.slice(0, 1);
  assert.equal((await errorOf(outside.fetch([`http://localhost:${port}/`]))).code, 'not_allowed');
});

test('a host is looked up once for a request, which goes to what was checked', async (t) => {
  const { port } = await startWebServer(t, (response) => response.end('here'));
  const elsewhere = await startTcpServer(t, (socket) => socket.destroy());
  const answers = ['127.0.0.1', '127.0.0.2'];
  const lookUp = async () => [{ address: answers.shift() ?? '127.0.0.3', family: 4 }];
  const { outside } = openOutside(t, { outsideHosts: [`localhost:${port}`] }, { lookUp });
  assert.equal(((await resultOf(outside.fetch([`http://localhost:${port}/`]))) as { Body: string }).Body, 'here');
  assert.deepEqual(answers, ['127.0.0.2']);
  assert.deepEqual(elsewhere.sockets, []);
});

test('requests at the same time share a look-up, later ones have their own', async (t) => {
  const { port } = await startWebServer(t, (response) => response.end());
  let lookUps = 0;
  const lookUp = async () => {
    lookUps += 1;
    return [{ address: '127.0.0.1', family: 4 }];
  };
  const { outside } = openOutside(t, { outsideHosts: [`localhost:${port}`] }, { lookUp });
  const url = `http://localhost:${port}/`;
  await Promise.all([outside.fetch([url]), outside.fetch([url]), outside.fetch([url])]);
  assert.equal(lookUps, 1);
  await resultOf(outside.fetch([url]));
  assert.equal(lookUps, 2);
});

test('a name without an address is unavailable, and one that is looked up for too long a timeout', async (t) => {
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
  let lookUp = (): Promise<never> => Promise.reject(unknown);
  const { outside, clock } = openOutside(t, { outsideHosts: ['api.example'] }, { lookUp: () => lookUp() });
  assert.deepEqual(await errorOf(outside.fetch(['https://api.example'])), {
    code: 'unavailable',
    message: 'api.example could not be reached (ENOTFOUND)',
  });
  lookUp = () => new Promise(() => {});
  const waiting = outside.fetch(['https://api.example']);
  clock.advance(3_000);
  assert.equal((await errorOf(waiting)).code, 'timeout');
});

test('what is not a request is a bad argument, and is not sent', async (t) => {
  const { outside, url, requests } = await openServer(t, (response) => response.end());
  const header = (name: string, value: unknown) => [url, { Headers: { [name]: value } }];
  const refused = [
    ...[[], [5], [null], [''], ['/path'], ['ftp://127.0.0.1/'], ['file:///etc/passwd'], ['data:,a']],
    ...[[`http://user:pass@127.0.0.1/`], [`${url}/${'x'.repeat(8_192)}`]],
    ...[
      [url, 5],
      [url, []],
      [url, { method: 'POST' }],
      [url, { Timeout: 5 }],
      [url, { Method: 'CONNECT' }],
    ],
    ...[
      [url, { Method: 'get' }],
      [url, { Method: 'GET / HTTP/1.1\r\nA: b' }],
      [url, { Body: 'a' }],
    ],
    ...[
      [url, { Method: 'HEAD', Body: 'a' }],
      [url, { Method: 'POST', Body: { a: 1 } }],
      [url, { Headers: ['a'] }],
    ],
    ...[
      'Host',
      'connection',
      'Content-Length',
      'Transfer-Encoding',
      'Keep-Alive',
      'Upgrade',
      'Expect',
      'TE',
      'Trailer',
    ].map((name) => header(name, 'a')),
    ...['Proxy-Authorization', 'Accept-Encoding', 'a b', 'a:', '', 'a\r\nb', 'ü'].map((name) => header(name, 'a')),
    ...[5, null, ['a'], 'a\r\nB: c', 'a\nb', 'a\u0000', 'ü'].map((value) => header('X-A', value)),
    [url, { Headers: { 'X-A': 'a', 'x-a': 'b' } }],
    [url, { Headers: Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`X-${index}`, 'a'])) }],
    header('X-A', 'a'.repeat(8_193)),
  ];
  for (const parameters of refused) {
    assert.equal((await errorOf(outside.fetch(parameters))).code, 'bad_argument', JSON.stringify(parameters));
  }
  assert.deepEqual(requests, []);
});

test('the value of a header, which may be a secret, is not in the error about it', async (t) => {
  const { outside, url } = await openServer(t, (response) => response.end());
  const { message } = await errorOf(outside.fetch([url, { Headers: { Authorization: 'Bearer SPILLED\n' } }]));
  assert.equal(message, 'the header "Authorization" must be text of printable ASCII characters');
});

for (const [what, code, answer] of [
  ['is not UTF-8', 'failed', (response) => response.end(Buffer.from([0x61, 0xff]))],
  ['is compressed', 'failed', (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('a'))],
  ['is too long', 'too_large', (response) => response.end('x'.repeat(262_145))],
  ['has too many headers', 'too_large', (response) => response.writeHead(200, { 'x-a': 'a'.repeat(20_000) }).end()],
  [
    'changes the protocol',
    'failed',
    (response) => response.writeHead(101, { upgrade: 'a', connection: 'upgrade' }).end(),
  ],
  [
    'ends in the middle',
    'unavailable',
    (response) => response.writeHead(200, { 'content-length': 9 }).write('a', () => response.destroy()),
  ],
] as const satisfies readonly (readonly [string, string, (response: ServerResponse) => unknown])[]) {
  test(`an answer that ${what} is ${code}`, async (t) => {
    const { outside, url } = await openServer(t, (response) => void answer(response));
    assert.equal((await errorOf(outside.fetch([url]))).code, code);
  });
}

test('an endless answer is cut off, and its connection ended', async (t) => {
  const { outside, url, sockets } = await openServer(t, (response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    };
    response.on('drain', more).writeHead(200);
    more();
  });
  assert.equal((await errorOf(outside.fetch([url]))).code, 'too_large');
  await firstClosed(sockets);
});

test('a server that announces its answer without an end is given up, and its connection ended', async (t) => {
  const announcing = (count: number) => (socket: Socket) => {
    const more = () => {
      while (!socket.destroyed && socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(count)) && count > 16);
    };
    socket.on('drain', more);
    more();
    if (count <= 16) socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  };
  const endless = await startTcpServer(t, announcing(1_000));
  const usual = await startTcpServer(t, announcing(16));
  const hosts = [endless.port, usual.port].map((port) => `127.0.0.1:${port}`);
  const { outside } = openOutside(t, { outsideHosts: hosts });
  assert.deepEqual(await errorOf(outside.fetch([`http://${hosts[0]}`])), {
    code: 'failed',
    message: '127.0.0.1 sent more than 16 answers that only announce another one',
  });
  await firstClosed(endless.sockets);
  assert.match(JSON.stringify(await outside.fetch([`http://${hosts[1]}`])), /"Status":200/);
});

test('what is not HTTP is a failure, and a connection that breaks or is refused unavailable', async (t) => {
  const garbage = await startTcpServer(t, (socket) => socket.end('no HTTP at all\r\n\r\n'));
  const hangingUp = await startTcpServer(t, (socket) => socket.destroy());
  const ports = [garbage.port, hangingUp.port, await closedPort()];
  const { outside } = openOutside(t, { outsideHosts: ports.map((port) => `127.0.0.1:${port}`) });
  const codes: string[] = [];
  for (const port of ports) codes.push((await errorOf(outside.fetch([`http://127.0.0.1:${port}`]))).code);
  assert.deepEqual(codes, ['failed', 'unavailable', 'unavailable']);
  assert.equal(hangingUp.sockets.length, 1, 'a request of a script is not sent twice');
});

test('a server that sends a byte at a time is given up in time, and its connection ended', async (t) => {
  let begun = () => {};
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const { outside, url, clock, sockets } = await openServer(t, (response) => {
    response.writeHead(200).write('a', begun);
  });
  const answer = outside.fetch([url]);
  await isBegun;
  clock.advance(3_000);
  assert.equal((await errorOf(answer)).code, 'timeout');
  await firstClosed(sockets);
});

test('a certificate that nobody vouches for is a failure', async (t) => {
  const { certFile, keyFile } = tlsFiles('first');
  const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const { port, requests } = await startWebServer(
    t,
    (response) => response.end(),
    (listener) => createTlsServer(options, listener),
  );
  const { outside } = openOutside(t, { outsideHosts: [`127.0.0.1:${port}`] });
  assert.deepEqual(await errorOf(outside.fetch([`https://127.0.0.1:${port}/`])), {
    code: 'failed',
    message: `127.0.0.1:${port} could not be trusted over TLS (DEPTH_ZERO_SELF_SIGNED_CERT)`,
  });
  assert.deepEqual(requests, []);
});
