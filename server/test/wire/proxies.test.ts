import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExportSnapshotCommand } from '@aws-sdk/client-gamesparks';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { startHttpProxy } from '../support/http-proxy.ts';
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
    const SnapshotId = await createSnapshot(server);
    const { url } = await startHttpProxy(t, server, { headers: () => ({ 'x-forwarded-proto': 'https' }) });
    const sdk = server.sdk({ endpoint: url });
    const { S3Url = '' } = await sdk.send(new ExportSnapshotCommand({ GameName: GAME, SnapshotId }));
    assert.ok(S3Url.startsWith(`${scheme}://${new URL(url).host}/download/`), S3Url);
  }
});
