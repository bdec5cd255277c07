import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { connect } from 'node:tls';
import { ListGamesCommand } from '@aws-sdk/client-gamesparks';
import { CONNECT_PATH, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';
import { createWorkplace, type Workplace } from '../support/process.ts';
import { serveHere } from '../support/serve-here.ts';
import { temporaryDirectory } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

/** Copies that the test may replace. */
function placeTlsFiles({ directory }: Workplace) {
  const certFile = join(directory, 'cert.pem');
  const keyFile = join(directory, 'key.pem');
  const use = (name: 'first' | 'second') => {
    copyFileSync(tlsFiles(name).certFile, certFile);
    copyFileSync(tlsFiles(name).keyFile, keyFile);
  };
  use('first');
  return { certFile, keyFile, use };
}

const CERTIFICATES = {
  first: readFileSync(tlsFiles('first').certFile, 'utf8'),
  second: readFileSync(tlsFiles('second').certFile, 'utf8'),
};

/** Which certificate a new connection is shown. */
async function shownBy(url: string): Promise<string | undefined> {
  const { port, hostname } = new URL(url);
  const socket = connect({ port: Number(port), host: hostname, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return (['first', 'second'] as const).find(
    (name) => new X509Certificate(CERTIFICATES[name]).fingerprint256 === fingerprint256,
  );
}

async function get(url: string, ca?: string): Promise<{ status: number | undefined; body: string }> {
  const options = { agent: false, ...(ca === undefined ? {} : { ca }) };
  const call = url.startsWith('https:') ? requestHttps(url, options) : requestHttp(url, options);
  call.end();
  const [response] = await once(call, 'response');
  return { status: response.statusCode, body: await text(response) };
}

/** The status that a player gets who is refused before there is a WebSocket. */
async function upgradeStatus(t: TestContext, url: string): Promise<number> {
  const ws = new WebSocket(url, SUBPROTOCOL);
  t.after(() => ws.terminate());
  ws.on('error', () => {});
  const [, response] = await once(ws, 'unexpected-response');
  return response.statusCode;
}

describe('TLS', () => {
  it('serves the management API and the players on one port, to clients that check the certificate', async (t) => {
    const place = createWorkplace(t);
    const { certFile, keyFile } = placeTlsFiles(place);
    const server = await place.serve(['--demo', '--tls-cert-file', certFile, '--tls-key-file', keyFile]);
    assert.match(server.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    assert.equal(server.playerUrl, `${server.url.replace('https', 'wss')}${CONNECT_PATH}`);
    assert.equal((await get(server.url, CERTIFICATES.first)).status, 200);
    assert.match(await (await server.connect({}, { ca: CERTIFICATES.first })).token(), /^\S+\.\S+\.\S+$/);

    // Our own commands are told to trust it as any Node.js program is.
    const env = { NODE_EXTRA_CA_CERTS: certFile };
    const player = ['--game', 'Demo', '--stage', 'Dev', '--player', 'nobody'];
    const answer = await place.respark(['disconnect', ...player], { env });
    assert.deepEqual([answer.exitCode, answer.stdout], [0, 'player nobody has no connections\n']);
    const distrustful = await place.respark(['disconnect', ...player]);
    assert.equal(distrustful.exitCode, 1);
    assert.match(distrustful.stderr, /^cannot reach https:\S+: self-signed certificate/);
    await assert.rejects(get(server.url.replace('https', 'http')), /socket hang up|ECONNRESET/);
  });

  it('takes changed files for new connections, keeps the old connections, and never takes bad files', async (t) => {
    const place = createWorkplace(t);
    const { certFile, keyFile, use } = placeTlsFiles(place);
    const server = await place.serve(['--demo', '--tls-cert-file', certFile, '--tls-key-file', keyFile]);
    const early = await server.connect({}, { ca: CERTIFICATES.first });
    assert.equal(await shownBy(server.url), 'first');

    use('second');
    await server.printed(/"the TLS certificate was reloaded"/);
    assert.equal(await shownBy(server.url), 'second');
    await early.token();
    const late = await server.connect({}, { ca: CERTIFICATES.second });

    writeFileSync(certFile, 'This is a letter.');
    await server.printed(/"the changed TLS files are not valid; the old ones stay in force"/);
    assert.equal(await shownBy(server.url), 'second');

    writeFileSync(certFile, '');
    await server.printed(/cert\.pem is empty/);
    assert.equal(await shownBy(server.url), 'second');

    writeFileSync(certFile, ' '.repeat(1_100_000));
    await server.printed(/cert\.pem is longer than 1048576 bytes/);
    if (process.platform !== 'win32') {
      rmSync(certFile);
      assert.equal(spawnSync('mkfifo', [certFile]).status, 0);
      await server.printed(/cert\.pem is no plain file/);
    }
    assert.equal(await shownBy(server.url), 'second');
    await Promise.all([early.token(), late.token()]);
  });
});

describe('players with a port of their own', () => {
  it('find players there and nothing else, and the management API has no players', async (t) => {
    const server = await createWorkplace(t).serve(['--demo', '--player-port', '0']);
    assert.notEqual(new URL(server.url).port, new URL(server.playerUrl).port);
    await server.sdk().send(new ListGamesCommand({}));
    await (await server.connect()).token();

    const playersOverHttp = server.playerUrl.replace('ws:', 'http:').replace(CONNECT_PATH, '');
    assert.equal((await get(`${playersOverHttp}${CONNECT_PATH}`)).status, 426);
    for (const path of ['/', '/game']) {
      const { status, body } = await get(`${playersOverHttp}${path}`);
      assert.equal(status, 404, path);
      assert.match(body, /Only players connect here, by WebSocket at \/connect/);
    }
    const astray = server.sdk({ endpoint: playersOverHttp });
    await assert.rejects(astray.send(new ListGamesCommand({})), {
      name: 'UnknownOperationException',
      message: /the management API has another port/,
    });
    assert.equal(await upgradeStatus(t, `${server.url.replace('http', 'ws')}${CONNECT_PATH}`), 404);
  });

  it('may have TLS that the management API does not have', async (t) => {
    const place = createWorkplace(t);
    const { certFile, keyFile } = placeTlsFiles(place);
    const tls = ['--player-tls-cert-file', certFile, '--player-tls-key-file', keyFile];
    const server = await place.serve(['--demo', '--player-port', '0', ...tls]);
    assert.match(server.playerUrl, /^wss:/);
    await server.sdk().send(new ListGamesCommand({}));
    await (await server.connect({}, { ca: CERTIFICATES.first })).token();
  });
});

describe('players on a public address without TLS', () => {
  const warning = /^Warning: players are served without TLS on (\S+): /m;
  const { certFile, keyFile } = tlsFiles('first');
  for (const [title, args, expected] of [
    ['are warned about', ['--host', '0.0.0.0'], '0.0.0.0'],
    ['are warned about on a port of their own', ['--player-port', '0', '--player-host', '0.0.0.0'], '0.0.0.0'],
    [
      'are warned about when the proxy is on this machine, which needs no public address',
      ['--host', '0.0.0.0', '--trusted-proxies', '127.0.0.1,::1/128'],
      '0.0.0.0',
    ],
    [
      'are none when only the management API is public',
      ['--host', '0.0.0.0', '--player-port', '0', '--player-host', '127.0.0.1'],
      undefined,
    ],
    ['are none with TLS', ['--host', '0.0.0.0', '--tls-cert-file', certFile, '--tls-key-file', keyFile], undefined],
    ['are none behind a trusted proxy', ['--host', '0.0.0.0', '--trusted-proxies', '127.0.0.1,10.0.0.0/8'], undefined],
  ] as const) {
    it(title, async (t) => {
      const { exitCode, stderr } = await serveHere(temporaryDirectory(t), ['--port', '0', ...args]);
      assert.equal(exitCode, 0, stderr);
      assert.equal(warning.exec(stderr)?.[1], expected);
    });
  }
});
