import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDestinationCheck, type DestinationSettings } from './destination.ts';

function messageFor(destination: { host?: string; region?: string }, settings: Partial<DestinationSettings>) {
  const check = createDestinationCheck({
    ...{ publicUrl: 'https://respark.example/base', region: 'us-east-1', signedHosts: [], signedRegions: [] },
    ...settings,
  });
  return check({ host: 'respark.example', region: 'us-east-1', ...destination })?.message ?? '';
}

test('without the settings every host and region will do', () => {
  assert.equal(messageFor({ host: 'staging.example', region: 'local' }, {}), '');
});

test('with hosts in the settings, only they and that of the public URL will do', () => {
  const settings = { signedHosts: ['Api.example', '127.0.0.1:8080'] };
  for (const host of ['respark.example', 'respark.example:443', 'api.example', 'API.example:80', '127.0.0.1:8080']) {
    assert.equal(messageFor({ host, region: 'local' }, settings), '', host);
  }
  for (const host of ['staging.example', 'respark.example:8080', 'x.api.example', '127.0.0.1', '']) {
    const message = messageFor({ host }, settings);
    assert.ok(message.startsWith(`The call is signed for the host '${host}', but`), host);
    assert.match(
      message,
      /accepts only 'api\.example', '127\.0\.0\.1:8080', 'respark\.example'\. .* RESPARK_SIGNED_HOSTS/,
    );
  }
  assert.notEqual(messageFor({}, { ...settings, publicUrl: undefined }), '');
});

test('with regions in the settings, only they and that of the server will do', () => {
  const settings = { signedRegions: ['eu-west-9'] };
  for (const region of ['us-east-1', 'eu-west-9']) {
    assert.equal(messageFor({ region, host: 'staging.example' }, settings), '');
  }
  assert.match(
    messageFor({ region: 'local' }, settings),
    /got 'local', but this server accepts only 'eu-west-9', 'us-east-1'\. Set AWS_REGION, or add .* RESPARK_SIGNED_REGIONS/,
  );
});
