import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  GameSparksServiceException,
  GetGameCommand,
  ImportGameConfigurationCommand,
  ListGamesCommand,
  ThrottlingException,
} from '@aws-sdk/client-gamesparks';
import { SignatureV4 } from '@smithy/signature-v4';
import { findAwsCli } from '../support/aws-cli.ts';
import { startHttpProxy } from '../support/http-proxy.ts';
import { NodeSha256 } from '../support/node-sha256.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, startTestServer } from '../support/server.ts';
import { tlsFiles } from '../support/tls-files.ts';

const aws = await findAwsCli();
const cli = { skip: aws === undefined };
const WRONG_SECRET = { ...ROOT, secretAccessKey: `${ROOT.secretAccessKey}x` };
const UNKNOWN_KEY = { ...ROOT, accessKeyId: 'NOSUCHKEY' };

/** Says what a call with the SDK failed with: these names are not in its model, so it has no classes for them. */
async function failureOf(call: Promise<unknown>): Promise<GameSparksServiceException> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert(error instanceof GameSparksServiceException, `${error} must be an answer of the service`);
  assert.match(error.$metadata.requestId ?? '', /^[0-9a-f-]{36}$/);
  return error;
}

test('[aws-sdk] any region is as good as another', async (t) => {
  const server = await startTestServer(t);
  for (const region of ['us-east-1', 'eu-central-1', 'ap-northeast-3', 'local']) {
    const { Game } = await server.sdk({ region }).send(new GetGameCommand({ GameName: GAME }));
    assert.equal(Game?.Name, GAME);
  }
});

test('[aws-sdk] a caller who is not known is told what is wrong', async (t) => {
  const server = await startTestServer(t);
  const send = (config: object) => failureOf(server.sdk({ maxAttempts: 1, ...config }).send(new ListGamesCommand({})));
  const minute = 60_000;
  const refusals: [object, string, RegExp][] = [
    [{ credentials: WRONG_SECRET }, 'InvalidSignatureException', /Check the secret access key of 'ROOTKEY'/],
    [{ credentials: UNKNOWN_KEY }, 'UnrecognizedClientException', /no active access key with that id/],
    [{ credentials: { ...ROOT, sessionToken: 'x' } }, 'UnrecognizedClientException', /Unset AWS_SESSION_TOKEN/],
    [{ systemClockOffset: -6 * minute }, 'InvalidSignatureException', /Signature expired: .* Check the client's clock/],
    [{ systemClockOffset: 6 * minute }, 'InvalidSignatureException', /Signature not yet current/],
  ];
  for (const [config, name, message] of refusals) {
    const error = await send(config);
    assert.deepEqual([error.name, error.$metadata.httpStatusCode], [name, 403]);
    assert.match(error.message, message);
    assert(!error.message.includes(ROOT.secretAccessKey));
  }
  for (const systemClockOffset of [-4 * minute, 4 * minute]) {
    await server.sdk({ maxAttempts: 1, systemClockOffset }).send(new ListGamesCommand({}));
  }
});

test('[aws-sdk] a client whose clock is wrong learns the time from the refusal, and its next call succeeds', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk({ systemClockOffset: 3_600_000 });
  assert.equal((await failureOf(client.send(new ListGamesCommand({})))).name, 'InvalidSignatureException');
  await client.send(new ListGamesCommand({}));
});

test('[aws-cli] any region is as good as another', cli, async (t) => {
  const server = await startTestServer(t);
  const call = { endpoint: server.url, operation: 'GetGame', input: { GameName: GAME }, credentials: ROOT };
  for (const region of ['eu-central-1', 'local']) await aws?.({ ...call, region });
});

test('[aws-cli] a caller who is not known is told what is wrong', { ...cli, concurrency: 4 }, async (t) => {
  const server = await startTestServer(t);
  const refusals: [object, string, RegExp][] = [
    [{ credentials: WRONG_SECRET }, 'InvalidSignatureException', /Check the secret access key/],
    [{ credentials: UNKNOWN_KEY }, 'UnrecognizedClientException', /no active access key/],
    [{ credentials: { ...ROOT, sessionToken: 'x' } }, 'UnrecognizedClientException', /Unset AWS_SESSION_TOKEN/],
    [{ flags: ['--no-sign-request'] }, 'MissingAuthenticationTokenException', /no Authorization header/],
  ];
  const call = async (options: object) => await aws?.({ endpoint: server.url, operation: 'ListGames', ...options });
  await Promise.all(
    refusals.map(([options, name, message]) => assert.rejects(() => call(options), { name, message }, name)),
  );
});

test('[aws-cli] over TLS, with the certificate that it is told to trust', cli, async (t) => {
  const { certFile, keyFile } = tlsFiles('first');
  const server = await startTestServer(t, { settings: { tlsCertFile: certFile, tlsKeyFile: keyFile } });
  assert.match(server.url, /^https:/);
  const env = { AWS_CA_BUNDLE: certFile };
  const call = { endpoint: server.url, operation: 'GetGame', input: { GameName: GAME }, credentials: ROOT };
  await aws?.({ ...call, env });
  await assert.rejects(async () => await aws?.(call), /certificate verify failed/i);
});

const awsSignerOf = (region: string) =>
  new SignatureV4({ service: 'gamesparks', region, credentials: ROOT, sha256: NodeSha256 });
const awsSigner = awsSignerOf('us-east-1');

function listGamesRequest(url: string, headers: Record<string, string> = {}) {
  const { hostname, host } = new URL(url);
  return { method: 'GET', protocol: 'http:', hostname, path: '/game', query: {}, headers: { host, ...headers } };
}

test('a call that was signed for another server is refused, even when it is sent here', async (t) => {
  const server = await startTestServer(t, {
    settings: { signedHosts: ['respark.example'], signedRegions: ['eu-west-9'] },
  });
  const passOn = (host: string) => startHttpProxy(t, server, { headers: () => ({ host }) });
  const send = async (host: string, region: string) => {
    const { url } = await passOn(host);
    const { headers } = await awsSignerOf(region).sign(listGamesRequest(`http://${host}`));
    return await rawCall({ url }, 'GET', '/game', { isSigned: false, headers });
  };
  assert.equal((await send('respark.example', 'eu-west-9')).status, 200);
  const refusals = [
    await send('staging.example', 'eu-west-9'),
    await send('respark.example', 'eu-central-1'),
    await rawCall(server, 'GET', '/game'),
  ];
  for (const { status, error } of refusals) assert.deepEqual([status, error], [403, 'InvalidSignatureException']);
  assert.match(refusals[0]?.message ?? '', /signed for the host 'staging\.example', .* only 'respark\.example'/);
  assert.match(refusals[1]?.message ?? '', /valid Region, got 'eu-central-1'/);
});

test('what AWS’s own signer makes beyond a signed header and a hashed body is refused by name', async (t) => {
  const server = await startTestServer(t);
  const presigned = await awsSigner.presign(listGamesRequest(server.url));
  const query = new URLSearchParams(presigned.query as Record<string, string>);
  const byUrl = await rawCall(server, 'GET', `/game?${query}`, { isSigned: false });
  assert.deepEqual([byUrl.status, byUrl.error], [403, 'IncompleteSignatureException']);
  assert.match(byUrl.message ?? '', /presigned URLs are not supported/);

  const unsignedPayload = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
  const { headers } = await awsSigner.sign(listGamesRequest(server.url, unsignedPayload));
  const unsigned = await rawCall(server, 'GET', '/game', { isSigned: false, headers });
  assert.deepEqual([unsigned.status, unsigned.error], [403, 'InvalidSignatureException']);
  assert.match(unsigned.message ?? '', /unsigned and streamed payloads are not supported/);

  const good = await awsSigner.sign(listGamesRequest(server.url));
  assert.equal((await rawCall(server, 'GET', '/game', { isSigned: false, headers: good.headers })).status, 200);
});

test('an address that failed too often is refused with 429; other keys and other addresses are not', async (t) => {
  const server = await startTestServer(t, {
    settings: { authFailuresPerMinutePerAddress: 2, trustedProxies: ['127.0.0.1'] },
  });
  const from = (address: string, credentials = ROOT) =>
    rawCall(server, 'GET', '/game', { credentials, headers: { 'x-forwarded-for': address } });
  const failed = async (credentials: typeof ROOT, culprit: string) => {
    for (let call = 0; call < 2; call += 1) assert.equal((await from('198.51.100.1', credentials)).status, 403);
    const { status, error, message, headers } = await from('198.51.100.1', credentials);
    assert.deepEqual([status, error], [429, 'ThrottlingException']);
    assert.equal(message, `Too many failed authentications from ${culprit}: check the access key`);
    assert(Number(headers['retry-after']) > 0);
  };
  await failed(UNKNOWN_KEY, '198.51.100.1');
  // Whoever signs rightly is not held up by strangers behind the same address.
  for (let call = 0; call < 5; call += 1) assert.equal((await from('198.51.100.1')).status, 200);
  await failed(WRONG_SECRET, `198.51.100.1 with ${ROOT.accessKeyId}`);
  // Not even by those that know its key's id.
  for (let call = 0; call < 5; call += 1) assert.equal((await from('198.51.100.1')).status, 200);
  assert.equal((await from('198.51.100.2')).status, 200);
});

test('after too many failures a client that sends no hash of its body may still send short ones', async (t) => {
  const server = await startTestServer(t, { settings: { authFailuresPerMinutePerAddress: 1 } });
  const signer = new SignatureV4({
    ...{ service: 'gamesparks', region: 'us-east-1', credentials: ROOT, sha256: NodeSha256 },
    applyChecksum: false,
  });
  const create = async (GameName: string, bytes: number) => {
    const body = JSON.stringify({ GameName }).padEnd(bytes);
    const { headers } = await signer.sign({ ...listGamesRequest(server.url), method: 'POST', body });
    assert.ok(!('x-amz-content-sha256' in headers));
    return (await rawCall(server, 'POST', '/game', { isSigned: false, headers, body })).status;
  };
  assert.equal(await create('Before', 20_000), 200);
  assert.equal((await rawCall(server, 'GET', '/game', { credentials: WRONG_SECRET })).status, 403);
  assert.equal((await rawCall(server, 'GET', '/game', { credentials: WRONG_SECRET })).status, 429);
  assert.equal(await create('Short', 16_384), 200);
  assert.equal(await create('Long', 16_385), 429);
});

test('[aws-sdk] sees the 429 of an address as its own ThrottlingException', async (t) => {
  const server = await startTestServer(t, { settings: { authFailuresPerMinutePerAddress: 1 } });
  const send = (credentials: typeof ROOT) =>
    failureOf(server.sdk({ maxAttempts: 1, credentials }).send(new ListGamesCommand({})));
  assert.equal((await send(WRONG_SECRET)).name, 'InvalidSignatureException');
  assert((await send(WRONG_SECRET)) instanceof ThrottlingException);
});

test('[aws-sdk] a long body that finds no memory is told so, and counts as no failed authentication', async (t) => {
  const server = await startTestServer(t, { settings: { longBodyMemoryBytes: 0, authFailuresPerMinutePerAddress: 1 } });
  const client = server.sdk({ maxAttempts: 1 });
  const importFile = (bytes: number) => {
    const File = Buffer.from('{"Document":{"Type":"Game","Sections":{}}}'.padEnd(bytes));
    return client.send(new ImportGameConfigurationCommand({ GameName: GAME, ImportSource: { File } }));
  };
  for (let call = 0; call < 3; call += 1) {
    const error = await failureOf(importFile(100_000));
    assert(error instanceof ThrottlingException);
    assert.match(error.message, /reading as many long bodies as it can: try again in a second/);
    assert.equal(error.$response?.headers['retry-after'], '1');
  }
  await importFile(40_000);
  await client.send(new GetGameCommand({ GameName: GAME }));
  const wrong = server.sdk({ maxAttempts: 1, credentials: WRONG_SECRET });
  assert.equal((await failureOf(wrong.send(new ListGamesCommand({})))).name, 'InvalidSignatureException');
  const counted = await failureOf(wrong.send(new ListGamesCommand({})));
  assert.match(counted.message, /Too many failed authentications/, 'that one counts');
});

test('[aws-sdk] an address that sends too many bytes of long bodies waits, before they are read, and short ones do not', async (t) => {
  const settings = { longBodyBytesPerSecondPerAddress: 65_536, longBodyBytesBurstPerAddress: 65_536 };
  const server = await startTestServer(t, { settings });
  const client = server.sdk({ maxAttempts: 1 });
  const importFile = (bytes: number) => {
    const File = Buffer.from('{"Document":{"Type":"Game","Sections":{}}}'.padEnd(bytes));
    return client.send(new ImportGameConfigurationCommand({ GameName: GAME, ImportSource: { File } }));
  };
  await importFile(500_000);
  // That is found out before the signature can be verified.
  for (const credentials of [ROOT, WRONG_SECRET]) {
    const body = ' '.repeat(70_000);
    const refused = await rawCall(server, 'PUT', `/game/${GAME}/configuration`, { body, credentials });
    assert.deepEqual([refused.status, refused.error], [429, 'ThrottlingException']);
    assert.match(
      String(refused.message),
      /^Too many bytes of long bodies come from 127\.0\.0\.1: try again in \d+ ms$/,
    );
    assert(Number(refused.headers['retry-after']) > 5, 'what came beyond the burst has to be made up for');
  }
  await importFile(40_000);
  const chunked = { 'transfer-encoding': 'chunked' };
  assert.equal((await rawCall(server, 'POST', '/game', { body: { GameName: 'Short' }, headers: chunked })).status, 200);
});

test('every reply has a request id of its own, and the log knows it', async (t) => {
  const server = await startTestServer(t);
  const calls: [string, string, object][] = [
    ['GET', '/game', {}],
    ['GET', '/game/Unknown', {}],
    ['GET', '/game//stage', {}],
    ['POST', '/game', { body: 'no JSON' }],
    ['POST', '/game', { body: { GameName: 'G'.repeat(70_000) } }],
    ['PUT', '/game', {}],
    ['GET', '/unknown', {}],
    ['GET', '/game', { credentials: WRONG_SECRET }],
    ['GET', '/game', { isSigned: false }],
  ];
  const statuses: number[] = [];
  const ids = new Set<unknown>();
  for (const [method, path, options] of calls) {
    const { status, headers } = await rawCall(server, method, path, options);
    statuses.push(status);
    ids.add(headers['x-amzn-requestid']);
    assert(server.logged.some(({ requestId }) => requestId === headers['x-amzn-requestid']));
  }
  assert.deepEqual(statuses, [200, 404, 400, 400, 413, 405, 404, 403, 403]);
  assert.equal(ids.size, calls.length);
});

test('nothing that a caller signed with is in the log', async (t) => {
  const server = await startTestServer(t);
  await rawCall(server, 'POST', '/game', { body: { GameName: 'Demo2', Description: 'Secretive' } });
  await rawCall(server, 'GET', '/game', { credentials: WRONG_SECRET });
  const lines = JSON.stringify(server.logged);
  for (const hidden of [ROOT.secretAccessKey, 'Signature=', 'Secretive']) assert(!lines.includes(hidden), hidden);
});
