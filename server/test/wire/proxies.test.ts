import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { startHttpProxy } from '../support/http-proxy.ts';
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
