import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { createTestWorld, ROOT } from '../../../test/support/world.ts';

function createServedWorld({ isTTY = false, env = {} } = {}) {
  return createTestWorld({ isTTY, env, local: { root: ROOT, url: 'http://127.0.0.1:9000' } });
}

describe('env', () => {
  it('makes a shell call the local server with the root key and nothing else', async () => {
    const world = createServedWorld();
    assert.equal(await world.run('env', '--region', 'eu-west-1'), 0);
    const script = `set -eu\neval "$0"\nenv`;
    const env = { PATH: process.env.PATH ?? '', AWS_SESSION_TOKEN: 't', AWS_PROFILE: 'p', AWS_PAGER: 'less' };
    const after = execFileSync('sh', ['-c', script, world.out()], { env, encoding: 'utf8' });
    assert.deepEqual(
      after
        .split('\n')
        .filter((line) => line.startsWith('AWS_'))
        .sort(),
      [
        'AWS_ACCESS_KEY_ID=AKIAROOT',
        'AWS_DEFAULT_REGION=eu-west-1',
        'AWS_ENDPOINT_URL_GAMESPARKS=http://127.0.0.1:9000',
        'AWS_PAGER=',
        'AWS_REGION=eu-west-1',
        "AWS_SECRET_ACCESS_KEY=it's/secret+40",
      ],
    );
  });

  it('quotes for other shells too', async () => {
    for (const [shell, line] of [
      ['fish', "set -gx AWS_SECRET_ACCESS_KEY 'it\\'s/secret+40'"],
      ['powershell', "$env:AWS_SECRET_ACCESS_KEY = 'it''s/secret+40'"],
    ] as const) {
      const world = createServedWorld();
      await world.run('env', '--shell', shell);
      assert.ok(world.out().split('\n').includes(line), world.out());
    }
  });

  it('prints for PowerShell on Windows, unless told otherwise', async () => {
    const world = createTestWorld({ isTTY: true, platform: 'win32', local: { root: ROOT } });
    await world.run('env');
    assert.match(world.out(), /^\$env:AWS_ACCESS_KEY_ID = 'AKIAROOT'$/m);
    assert.match(world.err(), /: respark env \| Out-String \| Invoke-Expression\n/);
    const sh = createTestWorld({ platform: 'win32', local: { root: ROOT } });
    await sh.run('env', '--shell', 'sh');
    assert.match(sh.out(), /^export AWS_ACCESS_KEY_ID=AKIAROOT$/m);
  });

  it('writes comments to stderr only', async () => {
    const world = createServedWorld({ isTTY: true });
    await world.run('env');
    assert.doesNotMatch(world.out(), /#/);
    assert.match(world.err(), /eval "\$\(respark env\)".*--endpoint-url http:\/\/127\.0\.0\.1:9000/s);
  });

  it('does not repeat the credentials that the shell already has', async () => {
    const world = createServedWorld({ env: { AWS_ACCESS_KEY_ID: 'AKIAOTHER', AWS_SECRET_ACCESS_KEY: 'other' } });
    await world.run('env');
    assert.match(world.out(), /AWS_ACCESS_KEY_ID=AKIAROOT/);
  });

  it('prints the root key of the settings when there is one', async () => {
    const world = createServedWorld({
      env: {
        RESPARK_ROOT_ACCESS_KEY_ID: 'AKIASET',
        RESPARK_ROOT_SECRET_ACCESS_KEY: 'correct-horse-battery-staple-and-more',
      },
    });
    await world.run('env');
    assert.match(
      world.out(),
      /AWS_ACCESS_KEY_ID=AKIASET\nexport AWS_SECRET_ACCESS_KEY=correct-horse-battery-staple-and-more\n/,
    );
  });

  it('prints nothing to eval when there is no root key', async () => {
    const world = createTestWorld();
    assert.equal(await world.run('env'), 1);
    assert.equal(world.out(), '');
  });

  it('excludes the server from the proxy of the shell, and keeps what is excluded already', async () => {
    const world = createServedWorld({ env: { HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'a.example' } });
    await world.run('env');
    assert.match(world.out(), /^export NO_PROXY=a\.example,127\.0\.0\.1$/m);
    assert.match(world.out(), /^export no_proxy=a\.example,127\.0\.0\.1$/m);
    assert.match(world.err(), /^# HTTPS_PROXY names a proxy; NO_PROXY now excludes 127\.0\.0\.1 from it$/m);
    for (const env of [{}, { HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1' }]) {
      const quiet = createServedWorld({ env });
      await quiet.run('env');
      assert.doesNotMatch(quiet.out() + quiet.err(), /proxy/i);
    }
  });

  it('says the way round for clients that cannot call an IPv6 address', async () => {
    const printed = async (url: string) => {
      const world = createTestWorld({ local: { root: ROOT, url } });
      await world.run('env');
      return world.err();
    };
    assert.match(
      await printed('http://[::1]:8193'),
      /cannot call http:\/\/\[::1\]:8193: give them http:\/\/localhost:8193,/,
    );
    assert.match(await printed('http://[2001:db8::7]:8193'), /give them a host name of this address$/m);
    assert.doesNotMatch(await printed('http://127.0.0.1:8193'), /cannot call/);
  });
});
