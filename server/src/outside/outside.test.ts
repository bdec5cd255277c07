import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { startDynamoDb } from '../../test/support/dynamo-db.ts';
import {
  CREDENTIALS,
  errorOf,
  firstClosed,
  NO_SETTINGS,
  openOutside,
  resultOf,
  setAwsEnvironment,
  startWebServer,
} from '../../test/support/outside.ts';
import { tlsFiles } from '../../test/support/tls-files.ts';

const KEY = { AttributeName: 'ticketId', AttributeType: 'S' } as const;

/** The calls of AWS's sample "MegaFrogRace" are those of its exported configuration. */
test('a player is matched as in the sample game of AWS', async (t) => {
  const dynamoDb = await startDynamoDb(t, {
    MatchmakingTicket: {
      AttributeDefinitions: [KEY],
      KeySchema: [{ AttributeName: KEY.AttributeName, KeyType: 'HASH' }],
      BillingMode: 'PAY_PER_REQUEST',
    },
  });
  const lambda = await startWebServer(t, (response, { url, body }) => {
    assert.equal(url, '/2015-03-31/functions/RequestMatchmakingFunction/invocations');
    response.end(JSON.stringify({ MatchmakingTicket: { TicketId: `of-${JSON.parse(body).currentPlayerId}` } }));
  });
  const { outside } = openOutside(t, {
    ...dynamoDb.settings,
    ...{ lambdaEndpoint: lambda.url, lambdaFunctions: ['RequestMatchmakingFunction'] },
  });

  const started = await resultOf(outside.invokeLambda(['RequestMatchmakingFunction', { currentPlayerId: 'p1' }]));
  const ticketId = (started as { Payload: { MatchmakingTicket: { TicketId: string } } }).Payload.MatchmakingTicket
    .TicketId;
  assert.equal(ticketId, 'of-p1');
  const found = {
    matchmakingStatus: 'MatchmakingSucceeded',
    port: '7777',
    ip: '192.0.2.1',
    playerSessionId: 'psess-1',
  };
  await resultOf(outside.putItem(['MatchmakingTicket', { ticketId, ...found }]));
  const { Item } = (await resultOf(outside.getItem(['MatchmakingTicket', { ticketId }]))) as { Item: typeof found };
  assert.deepEqual(Item, { ticketId, ...found });
  assert.equal(Number.parseInt(Item.port, 10), 7777);
});

test('nothing is reached without settings', async (t) => {
  const { outside, lines } = openOutside(t, {});
  const answers = [
    outside.invokeLambda(['Echo', {}]),
    outside.getItem(['T', {}]),
    outside.putItem(['T', {}]),
    outside.updateItem(['T', {}, {}]),
    outside.deleteItem(['T', {}]),
    outside.query(['T', {}]),
    outside.fetch(['https://api.example/']),
  ];
  for (const answer of answers) assert.equal((await errorOf(answer)).code, 'not_allowed');
  assert.deepEqual(lines, []);
});

test('parameters that are too long or nest too deep are refused', async (t) => {
  const { outside } = openOutside(t, { lambdaFunctions: ['*'], outsideHosts: ['api.example'] });
  const long = 'x'.repeat(524_288);
  assert.equal((await errorOf(outside.invokeLambda(['Echo', long]))).code, 'too_large');
  assert.equal(
    (await errorOf(outside.fetch(['https://api.example/', { Method: 'POST', Body: long }]))).code,
    'too_large',
  );
  const deep = JSON.parse(`${'['.repeat(50_000)}${']'.repeat(50_000)}`);
  assert.equal((await errorOf(outside.invokeLambda(['Echo', deep]))).code, 'bad_argument');
});

test('calls under way end when the server stops, and later ones are refused', async (t) => {
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const { port, sockets } = await startWebServer(t, () => asked());
  const { outside, clock } = openOutside(t, { outsideHosts: [`127.0.0.1:${port}`] });
  const url = `http://127.0.0.1:${port}/`;
  const answer = outside.fetch([url]);
  await isAsked;
  await outside.close();
  const stopping = { code: 'unavailable', message: 'the server is stopping' };
  assert.deepEqual(await errorOf(answer), stopping);
  assert.deepEqual(await errorOf(outside.fetch([url])), stopping);
  await firstClosed(sockets);
  assert.equal(clock.pending, 0);
});

/**
 * Runs a module in a process of its own. It has `outside`, `settings` and `isLoaded(package)`; what it prints is the
 * result.
 */
async function run(
  settings: Partial<typeof NO_SETTINGS>,
  body: string,
  env: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const source = `
    import { createRequire } from 'node:module';
    import { createOutside } from ${JSON.stringify(new URL('./outside.js', import.meta.url))};
    import { systemClock } from ${JSON.stringify(new URL('../clock.js', import.meta.url))};
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).filter((file) => file.includes('@aws-sdk'));
    const isLoaded = (name) => loaded().some((file) => file.includes(\`@aws-sdk/\${name}/\`));
    const settings = JSON.parse(process.argv.at(-1));
    const outside = createOutside({ clock: systemClock, log: { warn() {} }, settings });
    ${body}
  `;
  const words = ['--input-type=module', '--eval', source, JSON.stringify({ ...NO_SETTINGS, ...settings })];
  const child = spawn(process.execPath, words, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return JSON.parse(printed);
}

test('the AWS SDK is loaded by the first call that needs it, or before by warming up', async (t: TestContext) => {
  setAwsEnvironment(t);
  const lambda = await startWebServer(t, (response) => response.end('1'));
  const loaded = await run(
    { lambdaEndpoint: lambda.url, lambdaFunctions: ['Echo'], outsideHosts: ['127.0.0.1:1'] },
    `
    const seen = [];
    await outside.getItem(['T', {}]);
    await outside.invokeLambda(['Other', {}]);
    await outside.fetch(['http://127.0.0.1:1/']);
    seen.push(loaded().length > 0);
    await outside.invokeLambda(['Echo', {}]);
    seen.push(isLoaded('client-lambda'), isLoaded('lib-dynamodb'));
    const other = createOutside({ clock: systemClock, log: { warn() {} }, settings: { ...settings, dynamodbTables: ['T'] } });
    await other.warmUp();
    seen.push(isLoaded('lib-dynamodb'));
    console.log(JSON.stringify(seen));
    `,
    CREDENTIALS,
  );
  assert.deepEqual(loaded, [false, true, false, true]);
});

test('a process ends by itself with connections that are kept', async (t) => {
  setAwsEnvironment(t);
  const { url } = await startWebServer(t, (response) => response.end('1'));
  const settings = { lambdaEndpoint: url, lambdaFunctions: ['Echo'], lambdaRoutes: [`Match=${url}`] };
  const body = `
    const answers = [await outside.invokeLambda(['Echo', {}]), await outside.invokeLambda(['Match', {}])];
    console.log(JSON.stringify(answers));
  `;
  assert.deepEqual(await run(settings, body, CREDENTIALS), [{ result: { Payload: 1 } }, { result: { Payload: 1 } }]);
});

test('https works where its certificate is trusted, for requests and routes', async (t) => {
  const { certFile, keyFile } = tlsFiles('first');
  const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const { port } = await startWebServer(
    t,
    (response) => response.end('"here"'),
    (listener) => createTlsServer(options, listener),
  );
  const url = `https://127.0.0.1:${port}/`;
  const settings = { outsideHosts: [`127.0.0.1:${port}`], lambdaRoutes: [`Match=${url}`] };
  const body = `
    const { result } = await outside.fetch([${JSON.stringify(url)}]);
    console.log(JSON.stringify([result.Status, result.Body, await outside.invokeLambda(['Match', {}])]));
  `;
  const answers = await run(settings, body, { NODE_EXTRA_CA_CERTS: certFile });
  assert.deepEqual(answers, [200, '"here"', { result: { Payload: 'here' } }]);
});

test('what TLS adds to an answer has a bound, on each connection for each answer', async (t) => {
  const { certFile, keyFile } = tlsFiles('first');
  const options = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  let connections = 0;
  const { port } = await startWebServer(
    t,
    (response, { url }) => {
      if (url === '/long') return void response.end(`"${'x'.repeat(29_998)}"`);
      response.writeHead(200, { 'content-length': '12000' }).flushHeaders();
      // Each of them is a record of its own when the one before is on its way.
      const { socket } = response;
      const more = (left: number) => void socket?.write('1', () => left > 1 && more(left - 1));
      more(12_000);
    },
    (listener) => createTlsServer(options, listener).on('secureConnection', () => (connections += 1)),
  );
  const url = `https://127.0.0.1:${port}`;
  const maxBytes = { outsideMaxResponseBytes: 30_000 };
  const settings = { outsideHosts: [`127.0.0.1:${port}`], lambdaRoutes: [`Long=${url}/long`], ...maxBytes };
  const body = `
    const lengths = [];
    for (let n = 0; n < 10; n += 1) lengths.push((await outside.invokeLambda(['Long', {}])).result.Payload.length);
    console.log(JSON.stringify([lengths, await outside.fetch(['${url}/tiny'])]));
  `;
  const [lengths, { error }] = (await run(settings, body, { NODE_EXTRA_CA_CERTS: certFile })) as [
    number[],
    { error?: { code: string } },
  ];
  assert.deepEqual(lengths, Array(10).fill(29_998));
  assert.equal(connections, 2, 'the first was kept for all long answers');
  assert.equal(error?.code, 'too_large');
});
