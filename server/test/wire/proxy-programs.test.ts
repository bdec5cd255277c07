import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import {
  DisconnectPlayerCommand,
  GetSnapshotCommand,
  ListGamesCommand,
  TagResourceCommand,
} from '@aws-sdk/client-gamesparks';
import { SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';
import { readAudit } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { freePort } from '../support/free-port.ts';
import { createWorkplace, type Workplace } from '../support/process.ts';
import {
  connectFrom,
  findProxy,
  type ProxyProgram,
  replaced,
  snippets,
  startProxy,
  writeBundle,
} from '../support/proxy-programs.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, sayHello, startTestServer, type TestServer, until } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

const aws = await findAwsCli();
const { certFile, keyFile } = tlsFiles('first');
const STAGE_ARN = `arn:aws:gamesparks:us-east-1:000000000000:game/${GAME}/stage/${STAGE}`;

/** The address from which clients connect, which is not that of the proxy. */
const CLIENT = '127.0.0.2';

const AUDITED = [
  'CreateGame',
  'CreateSnapshot',
  'DisconnectPlayer',
  'ExportSnapshot',
  'ImportGameConfiguration',
  'TagResource',
];

function skipOf(program: ProxyProgram): string | false {
  return findProxy(program) === undefined && `there is no ${program} here (Debian: apt-get install ${program})`;
}

interface Place {
  readonly workplace: Workplace;
  /** The server's host and port, and the proxy's port. */
  readonly backend: string;
  readonly port: number;
}

/** The configurations of the guide, with the addresses and files of the test in the place of its own. */
const CONFIGS: Readonly<Record<ProxyProgram, (place: Place) => string>> = {
  nginx: ({ backend, port }) =>
    replaced(snippets('nginx')[0] ?? '', {
      '127.0.0.1:8080': backend,
      'listen 443': `listen 127.0.0.1:${port}`,
      '/etc/ssl/respark.crt': certFile,
      '/etc/ssl/respark.key': keyFile,
    }),
  haproxy: ({ workplace, backend, port }) =>
    replaced(snippets('haproxy')[0] ?? '', {
      '127.0.0.1:8080': backend,
      'bind :443': `bind 127.0.0.1:${port}`,
      '/etc/haproxy/respark.pem': writeBundle(workplace),
    }),
  caddy: ({ backend, port }) =>
    replaced(snippets('caddyfile')[0] ?? '', {
      '127.0.0.1:8080': backend,
      'respark.example {': `https://127.0.0.1:${port} {\n    bind 127.0.0.1\n    tls ${certFile} ${keyFile}`,
    }),
};

/** A server behind the program; resolves with the port of the proxy. */
async function startBehind(
  t: TestContext,
  program: ProxyProgram,
  settings: { publicUrl?: string; config?: (place: Place) => string; port?: number } = {},
) {
  const { publicUrl, config = CONFIGS[program], port = await freePort() } = settings;
  const server = await startTestServer(t, { settings: { trustedProxies: ['127.0.0.1'], publicUrl } });
  const workplace = createWorkplace(t);
  const place = { workplace, backend: new URL(server.url).host, port };
  await startProxy(workplace, { program, path: findProxy(program) ?? '', config: config(place), port });
  return { server, workplace, port };
}

/** A player who came through the proxy. */
async function connectPlayer(t: TestContext, { gameKey }: TestServer, url: string) {
  const ws = new WebSocket(`${url.replace(/^http/, 'ws')}/connect`, SUBPROTOCOL, { rejectUnauthorized: false });
  t.after(() => ws.terminate());
  await once(ws, 'open');
  return await sayHello(ws, { gameKey });
}

async function statusOf(url: string): Promise<number> {
  const call = request(url, { agent: false, rejectUnauthorized: false }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}

/** Waits until HAProxy's own check of the server has come out well. */
async function untilChecked({ directory }: Workplace): Promise<void> {
  let states = '';
  const ask = async () => {
    states = await text(connect(join(directory, 'haproxy.sock')).end('show stat\n'));
    if (!states.includes('L7OK')) await ask();
  };
  const asking = ask();
  await until(
    () => states.includes('L7OK'),
    () => states,
  );
  await asking;
}

for (const program of ['nginx', 'haproxy', 'caddy'] as const) {
  const skip =
    skipOf(program) ||
    (aws === undefined && 'no AWS CLI that knows GameSparks is installed (Debian: apt-get install awscli)');

  test(`[${program}] as the guide configures it, calls and players get through`, { skip }, async (t) => {
    const { server, workplace, port } = await startBehind(t, program);
    const url = `https://127.0.0.1:${await connectFrom(t, { localAddress: CLIENT, port })}`;
    const call = async (operation: string, input: Record<string, unknown> = {}) =>
      await aws?.({ endpoint: url, operation, input, credentials: ROOT, env: { AWS_CA_BUNDLE: certFile } });

    const { json } = await rawCall({ url }, 'POST', `/game/${GAME}/snapshot`, { body: {} });
    const { Id: SnapshotId } = json.Snapshot as { Id: string };
    await call('ListGames');
    await call('GetSnapshot', { GameName: GAME, SnapshotId });
    await call('TagResource', { ResourceArn: STAGE_ARN, Tags: { tier: 'dev' } });
    const player = await connectPlayer(t, server, url);
    assert.deepEqual(await call('DisconnectPlayer', { GameName: GAME, StageName: STAGE, PlayerId: player.playerId }), {
      DisconnectSuccesses: [player.connectionId],
      DisconnectFailures: [],
    });
    assert.equal((await player.closed).code, 4500);

    const File = Buffer.from(
      JSON.stringify({ Document: { Type: 'Game', Sections: { A: { x: 'y'.repeat(900_000) } } } }),
    );
    const body = { ImportSource: { File: File.toString('base64') } };
    assert.equal((await rawCall({ url }, 'PUT', `/game/${GAME}/configuration`, { body })).status, 200);
    const exported = await rawCall({ url }, 'GET', `/game/${GAME}/snapshot/${encodeURIComponent(SnapshotId)}/export`);
    const download = new URL(String(exported.json.S3Url));
    assert.equal(download.origin, url);
    assert.equal((await rawCall({ url }, 'GET', download.pathname, { isSigned: false })).status, 200);

    const headers = { 'x-forwarded-for': '203.0.113.1', 'x-forwarded-host': 'other.example' };
    assert.equal((await rawCall({ url }, 'POST', '/game', { body: { GameName: 'Other' }, headers })).status, 200);
    const records = await readAudit(server);
    assert.deepEqual(
      records.map(({ operation, sourceAddress }) => `${operation} ${sourceAddress}`).sort(),
      AUDITED.map((operation) => `${operation} ${CLIENT}`),
    );

    for (const page of ['/healthz', '/readyz']) assert.equal(await statusOf(`${url}${page}`), 200);
    if (program === 'haproxy') await untilChecked(workplace);
  });
}

for (const program of ['nginx', 'haproxy'] as const)
  test(`[${program}] as the guide configures it, one address has no more than some requests under way`, {
    skip: skipOf(program),
  }, async (t) => {
    // It answers nothing, so that all that gets through stays under way.
    let arrived = 0;
    const silent = createServer(({ url }) => {
      if (url !== '/readyz') arrived += 1;
    }).listen(0, '127.0.0.1');
    t.after(() => {
      silent.closeAllConnections();
      silent.close();
    });
    await once(silent, 'listening');
    const backend = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const config = (place: Place) => CONFIGS[program]({ ...place, backend });
    const { port } = await startBehind(t, program, { config });
    const statuses: (number | undefined)[] = [];
    for (const path of program === 'nginx' ? ['/', '/connect'] : ['/']) {
      const startedAt = performance.now();
      arrived = 0;
      statuses.length = 0;
      const calls = Array.from({ length: 250 }, () => {
        const call = request(`https://127.0.0.1:${port}${path}`, { agent: false, rejectUnauthorized: false }).end();
        call.on('error', () => {});
        call.on('response', (response) => statuses.push(response.resume().statusCode));
        return call;
      });
      await until(() => arrived + statuses.length === calls.length);
      const seconds = (performance.now() - startedAt) / 1_000;
      const most = path === '/' ? 50 : 101 + 100 * seconds;
      assert.ok(
        statuses.every((status) => status === 429),
        `${path} ${statuses}`,
      );
      assert.ok(arrived <= most && arrived >= 50, `${arrived} got through to ${path} in ${seconds} s`);
      for (const call of calls) call.destroy();
    }
  });

test('[haproxy] behind a TCP load balancer, it takes the addresses from the PROXY protocol', {
  skip: skipOf('haproxy'),
}, async (t) => {
  const config = (place: Place) => replaced(CONFIGS.haproxy(place), { ' ssl crt ': ' accept-proxy ssl crt ' });
  const { server, port } = await startBehind(t, 'haproxy', { config });
  const preamble = `PROXY TCP4 203.0.113.7 127.0.0.1 56324 ${port}\r\n`;
  const url = `https://127.0.0.1:${await connectFrom(t, { localAddress: CLIENT, port, preamble })}`;
  assert.equal((await rawCall({ url }, 'POST', '/game', { body: { GameName: 'Other' } })).status, 200);
  const [record] = await readAudit(server);
  assert.equal(record?.sourceAddress, '203.0.113.7');
});

/** Calls whose paths have nothing special, a colon, and a colon with a slash; gives what each failed with. */
async function failuresOf(t: TestContext, { sdk }: TestServer, endpoint: string): Promise<string[]> {
  const client = sdk({ endpoint, maxAttempts: 1 });
  t.after(() => client.destroy());
  const SnapshotId = 'Snapshot_2026-01-02T03:04:05.000Z';
  const calls = [
    client.send(new ListGamesCommand({})),
    client.send(new TagResourceCommand({ ResourceArn: STAGE_ARN, tags: { tier: 'dev' } })),
    client.send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: 'anybody' })),
    client.send(new GetSnapshotCommand({ GameName: GAME, SnapshotId })),
  ];
  const outcomes = await Promise.allSettled(calls);
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.name] : []));
}

/** There is no such snapshot, which only a caller with a good signature is told. */
const ALL_GET_THROUGH = ['ResourceNotFoundException'];
const NONE_GETS_THROUGH = Array(4).fill('InvalidSignatureException');

const FORWARDED = 'proxy_set_header X-Forwarded-For $remote_addr;';
const LOCATIONS: [title: string, location: string, publicPath: string | undefined, failures: string[]][] = [
  ['passes on the Host', 'proxy_set_header Host $http_host; proxy_pass http://respark;', undefined, ALL_GET_THROUGH],
  ['decodes the path', 'proxy_set_header Host $http_host; proxy_pass http://respark/;', undefined, ALL_GET_THROUGH],
  ['sends its own Host', 'proxy_pass http://respark;', undefined, NONE_GETS_THROUGH],
  ['sends its own Host, with a public URL', 'proxy_pass http://respark;', '', ALL_GET_THROUGH],
  ['drops the port', 'proxy_set_header Host $host; proxy_pass http://respark;', undefined, NONE_GETS_THROUGH],
  ['drops the port, with a public URL', 'proxy_set_header Host $host; proxy_pass http://respark;', '', ALL_GET_THROUGH],
  [
    'forwards the Host',
    'proxy_set_header X-Forwarded-Host $http_host; proxy_pass http://respark;',
    undefined,
    ALL_GET_THROUGH,
  ],
];

for (const [title, location, publicPath, failures] of LOCATIONS) {
  test(`[nginx] that ${title}: ${failures.length === 1 ? 'calls get through' : 'no call gets through'}`, {
    skip: skipOf('nginx'),
  }, async (t) => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const config = ({ backend }: Place) =>
      `upstream respark { server ${backend}; }
       server { listen 127.0.0.1:${port}; location / { ${location} ${FORWARDED} } }`;
    const publicUrl = publicPath === undefined ? {} : { publicUrl: `${url}${publicPath}` };
    const { server } = await startBehind(t, 'nginx', { config, port, ...publicUrl });
    assert.deepEqual(await failuresOf(t, server, url), failures);
  });
}

test('[nginx] as the guide configures it under a path, calls and players get through', {
  skip: skipOf('nginx'),
}, async (t) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/respark`;
  const [whole = '', underPath = ''] = snippets('nginx');
  const [beforeServer = ''] = whole.split('\nserver {');
  const config = ({ backend }: Place) => {
    const before = replaced(beforeServer, { '127.0.0.1:8080': backend });
    return `${before}\nserver { listen 127.0.0.1:${port}; ${underPath} }`;
  };
  const { server } = await startBehind(t, 'nginx', { config, port, publicUrl: url });
  assert.deepEqual(await failuresOf(t, server, url), ALL_GET_THROUGH);
  const { ws } = await connectPlayer(t, server, url);
  ws.close();
});

test('[nginx] before nodes of which one drains, as the guide configures it, players and calls that read get through', {
  skip: skipOf('nginx'),
}, async (t) => {
  let refusals = 0;
  const draining = createServer((_, response) => {
    refusals += 1;
    response.writeHead(503).end();
  }).listen(0, '127.0.0.1');
  t.after(() => draining.close());
  await once(draining, 'listening');
  const config = (place: Place) =>
    replaced(CONFIGS.nginx({ ...place, backend: `127.0.0.1:${(draining.address() as AddressInfo).port}` }), {
      'keepalive 256;': `server ${place.backend}; keepalive 256;`,
      'proxy_pass http://respark;': 'proxy_pass http://respark; proxy_next_upstream error timeout http_503;',
    });
  const { server, port } = await startBehind(t, 'nginx', { config });
  const url = `https://127.0.0.1:${port}`;
  for (let n = 0; n < 6; n += 1) {
    assert.equal(await statusOf(`${url}/readyz`), 200);
    const { ws } = await connectPlayer(t, server, url);
    ws.close();
  }
  assert(refusals > 0, 'the node that drains was asked');
});
