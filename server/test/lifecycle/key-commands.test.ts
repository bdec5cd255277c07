import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DisconnectPlayerCommand, GetGameCommand, ListGamesCommand } from '@aws-sdk/client-gamesparks';
import { alterDatabase } from '../support/administration.ts';
import { findAws } from '../support/aws-cli.ts';
import { createWorkplace, RESPARK } from '../support/process.ts';
import { GAME, STAGE } from '../support/server.ts';

describe('access keys', () => {
  it('made and revoked beside a running server count at its next request', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const policy = {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'gamesparks:DisconnectPlayer',
          Resource: 'arn:aws:gamesparks:us-east-1:000000000000:game/Demo/stage/Dev',
        },
      ],
    };
    writeFileSync(join(place.directory, 'moderator.json'), JSON.stringify(policy));
    const made = await place.respark([
      'keys',
      'create',
      '--policy',
      'moderator.json',
      '--description',
      'mod',
      '--json',
    ]);
    assert.equal(made.exitCode, 0);
    const key = JSON.parse(made.stdout);
    const moderator = server.sdk({ credentials: key });
    const disconnect = () =>
      moderator.send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: 'p' }));
    await disconnect();
    await assert.rejects(moderator.send(new GetGameCommand({ GameName: GAME })), { name: 'AccessDeniedException' });

    const list = await place.respark(['keys', 'list']);
    assert.match(list.stdout, new RegExp(`^${key.accessKeyId} +active +- +\\S+Z +never +- +mod$`, 'm'));
    assert(!list.stdout.includes(key.secretAccessKey));
    const revoked = await place.respark(['keys', 'revoke', key.accessKeyId]);
    assert.deepEqual([revoked.exitCode, revoked.stdout], [0, `revoked ${key.accessKeyId}\n`]);
    await assert.rejects(disconnect(), { name: 'UnrecognizedClientException' });
    assert.match((await place.respark(['keys', 'list'])).stdout, new RegExp(`^${key.accessKeyId} +revoked `, 'm'));

    for (const [limits, warning] of [
      [['--game', GAME, '--stage', STAGE], ''],
      [['--game', GAME, '--stage', 'Nope'], `warning: there is no stage "Nope" in game "${GAME}": `],
      [['--game', 'Nope'], 'warning: there is no game "Nope": '],
    ] as const) {
      const ofRole = await place.respark(['keys', 'create', '--role', 'viewer', ...limits, '--json']);
      assert.deepEqual([ofRole.exitCode, Object.keys(JSON.parse(ofRole.stdout)).length], [0, 2]);
      assert(ofRole.stderr === warning || (warning !== '' && ofRole.stderr.startsWith(warning)), ofRole.stderr);
    }

    const again = await place.respark(['keys', 'revoke', 'AKIANOBODY']);
    assert.deepEqual(
      [again.exitCode, again.stderr],
      [1, 'there is no access key "AKIANOBODY": "respark keys list" shows those that exist\n'],
    );
  });

  it('are revoked for every call that begins after the command, also beside a server that answers calls all the while', async (t) => {
    const place = createWorkplace(t);
    const first = await place.serve(['--demo']);
    const made = await place.respark(['keys', 'create', '--role', 'moderator', '--json']);
    assert.equal(made.exitCode, 0, made.stderr);
    first.child.kill('SIGTERM');
    await first.ended();
    const server = await place.serve();
    const key = JSON.parse(made.stdout);
    const moderator = server.sdk({ credentials: key, maxAttempts: 1 });
    let isRevoked = false;
    let passed = 0;
    const callUntilRefused = async (): Promise<void> => {
      for (;;) {
        const isTooLate = isRevoked;
        try {
          await moderator.send(new DisconnectPlayerCommand({ GameName: GAME, StageName: STAGE, PlayerId: 'p' }));
        } catch (error) {
          assert.equal(Object(error).name, 'UnrecognizedClientException');
          return;
        }
        assert(!isTooLate, 'the key was revoked before this call began');
        passed += 1;
      }
    };
    const callers = [1, 2, 3].map(callUntilRefused);
    // A backup closes the database as a process that may take itself for the last one.
    assert.equal((await place.respark(['backup', 'beside.tar.gz'])).exitCode, 0);
    const passedBefore = passed;
    assert.equal((await place.respark(['keys', 'revoke', key.accessKeyId])).exitCode, 0);
    isRevoked = true;
    await Promise.all(callers);
    assert(passed > passedBefore, 'calls were answered while the command ran');
  });

  it('are refused with a policy that could not be honoured', async (t) => {
    const place = createWorkplace(t);
    await place.serve();
    const create = ['keys', 'create', '--policy'];
    const stdin = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"gamesparks:Fly","Resource":"*"}]}';
    const refused = await place.respark([...create, '-'], { stdin });
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /^[^\n]*gamesparks:Fly[^\n]*\n$/);
    assert.equal((await place.respark([...create, 'nowhere.json'])).exitCode, 2);
    assert.equal((await place.respark(['keys', 'create'])).exitCode, 2);
  });

  it('are left alone in a database of another version', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve();
    alterDatabase(server, 'DELETE FROM schema_version');
    const { exitCode, stderr } = await place.respark(['keys', 'list']);
    assert.equal(exitCode, 1);
    assert.match(stderr, /^the database has schema version 0, but this program needs \d+: start the server once .*\n$/);
  });

  it('of root are replaced by "rotate-root", at once and for the commands too', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const rotated = JSON.parse((await place.respark(['keys', 'rotate-root', '--json'])).stdout);
    await assert.rejects(server.sdk().send(new ListGamesCommand({})), { name: 'UnrecognizedClientException' });
    await server.sdk({ credentials: rotated }).send(new ListGamesCommand({}));
    assert.equal((await place.respark(['disconnect', '--game', GAME, '--stage', STAGE, '--player', 'p'])).exitCode, 0);
    const { stdout } = await place.respark(['env']);
    assert.match(stdout, new RegExp(`^export AWS_ACCESS_KEY_ID=${rotated.accessKeyId}$`, 'm'));
  });
});

const aws = await findAws();

describe('the lines of "respark env"', () => {
  const skip = aws === undefined && 'no AWS CLI that knows gamesparks';
  it('[aws-cli] make the AWS CLI of a shell call the local server, whatever it was set to before', {
    skip,
  }, async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const { playerId, connectionId, closed } = await server.connect();
    const script = `eval "$("$@" env)" || exit
      aws gamesparks list-games --endpoint-url "$AWS_ENDPOINT_URL_GAMESPARKS" --query 'Games[].Name' --output text
      aws gamesparks disconnect-player --game-name ${GAME} --stage-name ${STAGE} --player-id ${playerId} \\
        --endpoint-url "$AWS_ENDPOINT_URL_GAMESPARKS" --query 'DisconnectSuccesses' --output text`;
    const env = {
      PATH: place.pathWith(aws ?? ''),
      AWS_SESSION_TOKEN: 'of-a-role',
      AWS_PROFILE: 'work',
      AWS_REGION: 'mars-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    const { exitCode, stdout, stderr } = await place.start(['sh', '-c', script, 'sh', ...RESPARK], { env }).ended();
    assert.deepEqual([exitCode, stdout], [0, `${GAME}\n${connectionId}\n`], stderr);
    assert.equal(stderr, `# AWS CLIs before 2.13 also need: --endpoint-url ${server.url}\n`);
    assert.equal((await closed).code, 4500);
  });
});
