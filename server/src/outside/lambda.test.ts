import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import {
  CREDENTIALS,
  closedPort,
  errorOf,
  firstClosed,
  openOutside,
  resultOf,
  type SeenRequest,
  setAwsEnvironment,
  startTcpServer,
  startWebServer,
} from '../../test/support/outside.ts';

const INVOCATION = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/** Answers as Lambda's Invoke does. */
function sendPayload(response: ServerResponse, payload: string | Buffer, functionError?: string): void {
  if (functionError !== undefined) response.setHeader('x-amz-function-error', functionError);
  response.writeHead(200, { 'content-type': 'application/json', 'x-amz-executed-version': '$LATEST' }).end(payload);
}

function refuse(response: ServerResponse, status: number, name: string, message: string): void {
  const headers = { 'content-type': 'application/json', 'x-amzn-errortype': name };
  response.writeHead(status, headers).end(JSON.stringify({ Type: 'User', Message: message }));
}

/** A server that has one function, `Echo`, unless told otherwise. */
async function startLambda(
  t: Parameters<typeof startWebServer>[0],
  answer: (response: ServerResponse, request: SeenRequest) => void = (response, { body }) =>
    sendPayload(response, `{"event":${body}}`),
) {
  setAwsEnvironment(t);
  const server = await startWebServer(t, answer);
  return { ...server, settings: { lambdaEndpoint: server.url, lambdaFunctions: ['Echo'] } };
}

test('a function is invoked by its name, and what it answers comes out of JSON', async (t) => {
  const { settings, requests } = await startLambda(t);
  const { outside } = openOutside(t, settings);
  const result = await resultOf(outside.invokeLambda(['Echo', { player: 'p1', levels: [1, null] }]));
  assert.deepEqual(result, { Payload: { event: { player: 'p1', levels: [1, null] } } });
  const [request] = requests;
  assert.equal(request?.method, 'POST');
  assert.equal(INVOCATION.exec(request?.url ?? '')?.[1], 'Echo');
  assert.match(
    request?.headers.authorization ?? '',
    /^AWS4-HMAC-SHA256 Credential=AKIDOUTSIDE\/\d{8}\/eu-central-1\/lambda\//,
  );
});

test('an event that is left out is an empty object, and an empty answer null', async (t) => {
  const { settings, requests } = await startLambda(t, (response) => sendPayload(response, ''));
  const { outside } = openOutside(t, settings);
  assert.deepEqual(await resultOf(outside.invokeLambda(['Echo', null])), { Payload: null });
  assert.deepEqual(await resultOf(outside.invokeLambda(['Echo'])), { Payload: null });
  assert.deepEqual(
    requests.map(({ body }) => body),
    ['{}', '{}'],
  );
});

test('a version or alias is part of the name, and must be listed', async (t) => {
  const { settings, requests } = await startLambda(t);
  const { outside } = openOutside(t, { ...settings, lambdaFunctions: ['Echo:Li*'] });
  await resultOf(outside.invokeLambda(['Echo:Live', {}]));
  assert.match(requests[0]?.url ?? '', /\/functions\/Echo(:|%3A)Live\/invocations|Qualifier=Live/);
  assert.equal((await errorOf(outside.invokeLambda(['Echo', {}]))).code, 'not_allowed');
});

test('a function that is not listed is not called, and the error names the setting', async (t) => {
  const { settings, requests } = await startLambda(t);
  for (const lambdaFunctions of [[], ['echo'], ['Ech'], ['Echo2'], ['?Echo']]) {
    const { outside } = openOutside(t, { ...settings, lambdaFunctions });
    assert.deepEqual(await errorOf(outside.invokeLambda(['Echo', {}])), {
      code: 'not_allowed',
      message: 'this server does not let scripts use Lambda function "Echo": add Echo to RESPARK_LAMBDA_FUNCTIONS',
    });
  }
  assert.deepEqual(requests, []);
});

test('what cannot be the name of a function is a bad argument, whatever is listed', async (t) => {
  const { settings, requests } = await startLambda(t);
  const { outside } = openOutside(t, { ...settings, lambdaFunctions: ['*'] });
  const arn = 'arn:aws:lambda:eu-central-1:123456789012:function:Echo';
  for (const name of ['', null, undefined, 5, {}, 'a/b', '../Echo', 'a b', 'x'.repeat(65), arn]) {
    assert.equal((await errorOf(outside.invokeLambda([name, {}]))).code, 'bad_argument', String(name));
  }
  assert.deepEqual(requests, []);
});

test('a function that fails is an error with its own words, shortened, and without its trace', async (t) => {
  let payload = JSON.stringify({ errorType: 'TypeError', errorMessage: 'no\nticket', trace: ['at secret.js:1'] });
  const { settings } = await startLambda(t, (response) => sendPayload(response, payload, 'Unhandled'));
  const { outside } = openOutside(t, settings);
  assert.deepEqual(await errorOf(outside.invokeLambda(['Echo', {}])), {
    code: 'failed',
    message: 'Lambda function "Echo" failed: TypeError: no\\u{a}ticket',
  });
  payload = JSON.stringify({ errorMessage: 'x'.repeat(100_000) });
  assert.equal(
    (await errorOf(outside.invokeLambda(['Echo', {}]))).message.length,
    'Lambda function "Echo" failed: '.length + 256,
  );
  payload = '"it timed out"';
  assert.equal((await errorOf(outside.invokeLambda(['Echo', {}]))).message, 'Lambda function "Echo" failed');
});

test('what Lambda says of the request reaches the script', async (t) => {
  const { settings } = await startLambda(t, (response) =>
    refuse(response, 404, 'ResourceNotFoundException', 'Function not found: Echo'),
  );
  const { outside } = openOutside(t, settings);
  assert.deepEqual(await errorOf(outside.invokeLambda(['Echo', {}])), {
    code: 'failed',
    message: 'ResourceNotFoundException: Function not found: Echo',
  });
});

test('an invocation that is throttled is repeated once, and then unavailable', async (t) => {
  let throttled = 3;
  const { settings, requests } = await startLambda(t, (response) => {
    throttled -= 1;
    if (throttled < 0) sendPayload(response, '1');
    else refuse(response, 429, 'TooManyRequestsException', 'Rate Exceeded.');
  });
  const { outside } = openOutside(t, settings);
  assert.equal((await errorOf(outside.invokeLambda(['Echo', {}]))).code, 'unavailable');
  assert.equal(requests.length, 2);
  assert.deepEqual(await resultOf(outside.invokeLambda(['Echo', {}])), { Payload: 1 });
  assert.equal(requests.length, 4);
});

test('an endpoint where nobody listens is unavailable', async (t) => {
  setAwsEnvironment(t);
  const port = await closedPort();
  const { outside } = openOutside(t, { lambdaEndpoint: `http://127.0.0.1:${port}`, lambdaFunctions: ['*'] });
  assert.deepEqual(await errorOf(outside.invokeLambda(['Echo', {}])), {
    code: 'unavailable',
    message: 'Lambda could not be reached (ECONNREFUSED)',
  });
});

for (const [how, answer] of [
  ['does not answer', () => {}],
  ['answers a byte at a time', (response: ServerResponse) => void response.writeHead(200).write('1')],
] as const) {
  test(`a function that ${how} is given up in time, and its connection ended`, async (t) => {
    let called = () => {};
    const isCalled = new Promise<void>((resolve) => {
      called = resolve;
    });
    const { settings, sockets } = await startLambda(t, (response) => {
      answer(response);
      called();
    });
    const { outside, clock } = openOutside(t, settings);
    const answered = outside.invokeLambda(['Echo', {}]);
    await isCalled;
    clock.advance(2_999);
    clock.advance(1);
    assert.deepEqual(await errorOf(answered), { code: 'timeout', message: 'there was no answer within 3000 ms' });
    await firstClosed(sockets);
    assert.equal(clock.pending, 0);
  });
}

test('an answer that is too long is cut off', async (t) => {
  const { settings, sockets } = await startLambda(t, (response) => {
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    };
    response.on('drain', more).writeHead(200);
    more();
  });
  const { outside } = openOutside(t, settings);
  const { code, message } = await errorOf(outside.invokeLambda(['Echo', {}]));
  assert.equal(code, 'too_large');
  assert.match(message, /262144 bytes that RESPARK_OUTSIDE_MAX_RESPONSE_BYTES allows/);
  await firstClosed(sockets);
  assert.equal(sockets.length, 1, 'it is not tried again');
});

test('an answer of exactly the longest size is taken', async (t) => {
  const payload = JSON.stringify('x'.repeat(1_022));
  const { settings } = await startLambda(t, (response) => sendPayload(response, payload));
  const { outside } = openOutside(t, { ...settings, outsideMaxResponseBytes: 1_024 });
  assert.deepEqual(await resultOf(outside.invokeLambda(['Echo', {}])), { Payload: 'x'.repeat(1_022) });
});

for (const [what, payload] of [
  ['not JSON', 'not JSON'],
  ['cut off', '{"a":'],
  ['not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['nested too deep', `${'['.repeat(65)}${']'.repeat(65)}`],
  ['nested beyond any stack', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
] as const) {
  test(`an answer that is ${what} is a failure`, async (t) => {
    const { settings } = await startLambda(t, (response) => sendPayload(response, payload));
    const { outside } = openOutside(t, settings);
    assert.equal((await errorOf(outside.invokeLambda(['Echo', {}]))).code, 'failed');
  });
}

test('an answer nested as deep as allowed is taken', async (t) => {
  const payload = `${'['.repeat(64)}${']'.repeat(64)}`;
  const { settings } = await startLambda(t, (response) => sendPayload(response, payload));
  const { outside } = openOutside(t, settings);
  assert.deepEqual(await resultOf(outside.invokeLambda(['Echo', {}])), { Payload: JSON.parse(payload) });
});

test('a server that speaks no HTTP is a failure, and one that hangs up is unavailable', async (t) => {
  setAwsEnvironment(t);
  const garbage = await startTcpServer(t, (socket) => socket.end('no HTTP at all\r\n\r\n'));
  const hangingUp = await startTcpServer(t, (socket) => socket.destroy());
  const cutOff = await startTcpServer(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a"'));
  const codes: string[] = [];
  for (const { url } of [garbage, hangingUp, cutOff]) {
    const { outside } = openOutside(t, { lambdaEndpoint: url, lambdaFunctions: ['Echo'] });
    codes.push((await errorOf(outside.invokeLambda(['Echo', {}]))).code);
  }
  assert.deepEqual(codes, ['failed', 'unavailable', 'unavailable']);
  assert.equal(hangingUp.sockets.length, 2, 'it is tried twice');
});

test('neither scripts nor the log learn what AWS says of the credentials', async (t) => {
  const { settings, requests } = await startLambda(t, (response, { headers }) =>
    refuse(response, 403, 'InvalidSignatureException', `The Canonical String was ${JSON.stringify(headers)}`),
  );
  const { outside, lines } = openOutside(t, settings);
  const error = await errorOf(outside.invokeLambda(['Echo', {}]));
  assert.equal(requests[0]?.headers['x-amz-security-token'], CREDENTIALS.AWS_SESSION_TOKEN);
  assert.deepEqual(error, {
    code: 'failed',
    message: 'Lambda refused the call (InvalidSignatureException, status 403)',
  });
  await errorOf(outside.invokeLambda(['Echo', {}]));
  assert.deepEqual(
    lines.map(({ msg, error: name }) => [msg, name]),
    [['AWS refuses calls of scripts', 'InvalidSignatureException']],
    'it is logged once',
  );
  assert.doesNotMatch(JSON.stringify([error, lines]), /nobody-may-see|AKIDOUTSIDE/);
});

test('without credentials nothing is sent, and the log says so', async (t) => {
  const { settings, requests } = await startLambda(t);
  setAwsEnvironment(t, {});
  const { outside, lines } = openOutside(t, settings);
  assert.deepEqual(await errorOf(outside.invokeLambda(['Echo', {}])), {
    code: 'failed',
    message: 'the server has no AWS credentials with which it could call Lambda',
  });
  assert.deepEqual(
    lines.map(({ msg, service }) => [msg, service]),
    [['the AWS SDK finds no credentials for the calls of scripts', 'Lambda']],
  );
  assert.deepEqual(requests, []);
});

test('a route sends a function to a URL, without a listing, credentials or the AWS SDK', async (t) => {
  setAwsEnvironment(t, {});
  const { url, requests, sockets } = await startWebServer(t, (response, { body }) => response.end(`{"got":${body}}`));
  const { outside } = openOutside(t, { lambdaRoutes: [`Match=${url}/invoke?a=b=c`] });
  for (const count of [1, 2]) {
    assert.deepEqual(await resultOf(outside.invokeLambda(['Match', { count }])), { Payload: { got: { count } } });
  }
  const [{ method, url: path, headers, body } = assert.fail()] = requests;
  assert.deepEqual([method, path, body], ['POST', '/invoke?a=b=c', '{"count":1}']);
  assert.deepEqual([headers['content-type'], headers['content-length']], ['application/json', '11']);
  assert.equal(headers.authorization, undefined);
  assert.equal(sockets.length, 1, 'the connection is kept');
  assert.equal((await errorOf(outside.invokeLambda(['Other', {}]))).code, 'not_allowed');
});

test('a connection of a route that was closed meanwhile is replaced, and the event sent once more', async (t) => {
  const { url, requests, sockets } = await startWebServer(t, (response, _request, incoming) => {
    if (requests.length === 2) incoming.socket.destroy();
    else response.end('1');
  });
  const { outside } = openOutside(t, { lambdaRoutes: [`Match=${url}`] });
  for (let count = 0; count < 2; count += 1) {
    assert.deepEqual(await resultOf(outside.invokeLambda(['Match', {}])), { Payload: 1 });
  }
  assert.equal(requests.length, 3);
  assert.equal(sockets.length, 2);
});

test('the status of a route tells a failure from what is only unavailable', async (t) => {
  let status = 0;
  let body = '{"errorType":"A"}';
  const { url } = await startWebServer(t, (response) => {
    response.writeHead(status, status === 200 ? { 'x-amz-function-error': 'Unhandled' } : {}).end(body);
  });
  const { outside } = openOutside(t, { lambdaRoutes: [`Match=${url}`] });
  const codes: Record<number, string> = {};
  for (status of [200, 302, 400, 404, 429, 500, 502, 503, 504]) {
    codes[status] = (await errorOf(outside.invokeLambda(['Match', {}]))).code;
  }
  const [failed, unavailable] = ['failed', 'unavailable'];
  assert.deepEqual(codes, {
    ...{ 200: failed, 302: failed, 400: failed, 404: failed, 429: unavailable },
    ...{ 500: failed, 502: unavailable, 503: unavailable, 504: unavailable },
  });
  status = 201;
  body = '{}';
  assert.deepEqual(await resultOf(outside.invokeLambda(['Match', {}])), { Payload: {} });
});
