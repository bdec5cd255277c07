import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { type TestContext, test } from 'node:test';
import { ExportSnapshotCommand, ListGamesCommand } from '@aws-sdk/client-gamesparks';
import type { Settings } from '../../src/config/config.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { type AwsCall, awsClients, testEachClient } from '../support/aws-clients.ts';
import { type Rewriting, startHttpProxy } from '../support/http-proxy.ts';
import { createSnapshot, endOfJob, startJob } from '../support/publishing.ts';
import { GAME, STAGE, startTestServer } from '../support/server.ts';

const aws = await findAwsCli();

testEachClient(aws, 'headers that a proxy adds on the way do not spoil a signature', async (t, client) => {
  const server = await startTestServer(t);
  const added = {
    'x-amz-cf-id': 'iKGSWJqb-EXAMPLE==',
    'x-amz-cf-pop': 'FRA60-P1',
    'x-amzn-trace-id': 'Root=1-5e1b4151-5ac6c58f5b9a4d1f8e1a2b3c',
    'x-amz-more': '1',
    via: '2.0 0123456789abcdef.cloudfront.net (CloudFront)',
  };
  const call = client.open(await startHttpProxy(t, server, { headers: () => added }));
  await call('ListGames', {});
  await call('DisconnectPlayer', { GameName: GAME, StageName: STAGE, PlayerId: 'anybody' });
});

testEachClient(aws, 'what is handed out is had from the host that was called', async (t, client) => {
  const server = await startTestServer(t);
  const SnapshotId = await createSnapshot(server);
  const snapshot = { GameName: GAME, SnapshotId };
  const job = { ...snapshot, JobId: await startJob(server, SnapshotId) };
  await endOfJob(server, SnapshotId, job.JobId);
  const mapped = await startHttpProxy(t, server);
  for (const { url } of [mapped, { url: mapped.url.replace('127.0.0.1', 'localhost') }]) {
    const call = client.open({ url });
    const { S3Url: exported } = await call('ExportSnapshot', snapshot);
    const { GeneratedCodeJob: one } = await call('GetGeneratedCodeJob', job);
    const { GeneratedCodeJobs: [first] = [] } = await call('ListGeneratedCodeJobs', snapshot);
    for (const handedOut of [exported, one?.S3Url, first?.S3Url].map(String)) {
      assert.ok(handedOut.startsWith(`${url}/download/`), handedOut);
      assert.equal((await fetch(handedOut)).status, 200);
    }
  }
});

test('[aws-sdk] what is handed out is had over TLS where a trusted proxy terminates it', async (t) => {
  for (const [trustedProxies, scheme] of [
    [['127.0.0.1'], 'https'],
    [[], 'http'],
  ] as const) {
    const server = await startTestServer(t, { settings: { trustedProxies } });
    const { url } = await startHttpProxy(t, server, { headers: () => ({ 'x-forwarded-proto': 'https' }) });
    const sdk = server.sdk({ endpoint: url });
    const SnapshotId = await createSnapshot({ sdk: () => sdk });
    const { S3Url = '' } = await sdk.send(new ExportSnapshotCommand({ GameName: GAME, SnapshotId }));
    assert.ok(S3Url.startsWith(`${scheme}://${new URL(url).host}/download/`), S3Url);
  }
});

const ARN = 'arn:aws:gamesparks:us-east-1:000000000000:game/Demo';

/** Calls whose paths have nothing special, a colon, and a colon with a slash. */
async function callAll(call: AwsCall): Promise<void> {
  await call('ListGames', {});
  const { Snapshot } = await call('CreateSnapshot', { GameName: GAME });
  await call('GetSnapshot', { GameName: GAME, SnapshotId: Snapshot?.Id });
  await call('TagResource', { ResourceArn: `${ARN}/stage/${STAGE}`, tags: { 'a:b/c': 'd' } });
  await call('UntagResource', { ResourceArn: `${ARN}/stage/${STAGE}`, tagKeys: ['a:b/c'] });
  await call('DisconnectPlayer', { GameName: GAME, StageName: STAGE, PlayerId: 'anybody' });
}

/** What nginx sends of a path after `proxy_pass http://backend/;`. */
const decodePath = (path: string) => path.replace(/^[^?]*/, (encoded) => decodeURIComponent(encoded));
const ownHost = { host: 'backend:8080' };
const forwardHost = ({ host = '' }: IncomingHttpHeaders) => ({ ...ownHost, 'x-forwarded-host': host });
const withoutPrefix = (path: string) => path.replace(/^\/base/, '');

const REWRITINGS: [title: string, rewriting: Rewriting, publicPath: string | undefined][] = [
  ['decodes the path', { path: decodePath }, undefined],
  ['sends a Host of its own and forwards the one that came', { headers: forwardHost }, undefined],
  ['sends a Host of its own, when the public URL is set', { headers: () => ownHost }, ''],
  ['takes off the path of the public URL', { path: withoutPrefix }, '/base'],
];

/** A proxy with a server behind it; resolves with the URL at which clients call. */
async function startBehind(t: TestContext, rewriting: Rewriting, publicPath: string | undefined) {
  const proxy = await startHttpProxy(t, undefined, rewriting);
  const publicUrl = publicPath === undefined ? undefined : `${proxy.url}${publicPath}`;
  proxy.forwardTo(await startTestServer(t, { settings: { trustedProxies: ['127.0.0.1'], publicUrl } }));
  return { url: publicUrl ?? proxy.url };
}

const [sdk] = awsClients(aws);
for (const [title, rewriting, publicPath] of REWRITINGS) {
  test(`[aws-sdk] calls get through a proxy that ${title}`, async (t) => {
    await callAll(sdk.open(await startBehind(t, rewriting, publicPath)));
  });
}

testEachClient(
  aws,
  'calls get through a proxy that replaces the Host, decodes the path and takes its start off',
  async (t, client) => {
    const rewriting = { path: (path: string) => decodePath(withoutPrefix(path)), headers: forwardHost };
    await callAll(client.open(await startBehind(t, rewriting, '/base')));
  },
);

test('[aws-sdk] a signature for a host or path that does not lead here is refused, and the refusal names what came', async (t) => {
  const refusalOf = async (rewriting: Rewriting, settings: Partial<Settings>, path = '') => {
    const server = await startTestServer(t, { settings });
    const { url } = await startHttpProxy(t, server, rewriting);
    const sdk = server.sdk({ endpoint: `${url}${path}`, maxAttempts: 1 });
    const error = await sdk.send(new ListGamesCommand({})).catch((thrown: Error) => thrown);
    assert(error instanceof Error);
    assert.equal(error.name, 'InvalidSignatureException');
    return error.message;
  };
  const trusted = { trustedProxies: ['127.0.0.1'] };
  const hostCame = /The path came as '\/game' and the Host as 'backend:8080': .* docs\/deploying\.md/;
  assert.match(await refusalOf({ headers: () => ownHost }, trusted), hostCame);
  assert.match(await refusalOf({ headers: forwardHost }, {}), hostCame, 'the proxy is not trusted');
  const forged = { ...ownHost, 'x-forwarded-host': 'other.example' };
  assert.match(await refusalOf({ headers: () => forged }, trusted), hostCame);
  const elsewhere = { publicUrl: 'https://other.example' };
  assert.match(await refusalOf({ headers: () => ownHost }, elsewhere), hostCame);
  const prefixed = { publicUrl: 'https://other.example/other' };
  assert.match(await refusalOf({ path: withoutPrefix }, prefixed, '/base'), /The path came as '\/game'/);
});
