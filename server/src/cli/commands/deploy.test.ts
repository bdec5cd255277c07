import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  type FakeAnswer,
  type FakeReply,
  HANG_UP,
  refusal,
  SILENCE,
  startFakeService,
} from '../../../test/support/fake-service.ts';

const SNAPSHOT = 'Snapshot_2030-01-02T03:04:05.000001Z';
const STAGE = '/game/Demo/stage/Dev';
const ON_DEV = ['--game', 'Demo', '--stage', 'Dev'];

/** A service with a stage, on which deployments go through these states, one a look; or a look meets something else. */
function serveDeployments(
  t: TestContext,
  {
    states,
    result = {},
    onLook = () => {},
  }: {
    states: readonly (string | FakeAnswer)[];
    result?: Readonly<Record<string, string>>;
    onLook?: () => void;
  },
) {
  let looks = 0;
  return startFakeService(t, ({ method, url }): FakeAnswer => {
    const reply = (DeploymentState: string): FakeReply => ({
      body: { StageDeployment: { DeploymentId: 'd1', DeploymentState, DeploymentResult: result } },
    });
    const answerOf = (state: string | FakeAnswer) => (typeof state === 'string' ? reply(state) : state);
    switch (`${method} ${url}`) {
      case `GET ${STAGE}`:
        return { body: { Stage: {} } };
      case 'POST /game/Demo/snapshot':
        return { body: { Snapshot: { Id: SNAPSHOT } } };
      case `POST ${STAGE}/deployment`:
        return reply('PENDING');
      case `GET ${STAGE}/deployment?DeploymentId=d1`:
        looks += 1;
        onLook();
        return answerOf(states[looks - 1] ?? HANG_UP);
      default:
        return refusal('ResourceNotFoundException', 'there is no such thing', 404);
    }
  });
}

describe('deploy', () => {
  it('makes a snapshot, starts its deployment and tells each state until it has ended', async (t) => {
    const { world, requests } = await serveDeployments(t, {
      states: ['PENDING', 'PENDING', 'IN_PROGRESS', 'COMPLETED'],
    });
    assert.equal(await world.run('deploy', ...ON_DEV, '--description', 'first'), 0, world.err());
    assert.equal(world.out(), `deployed ${SNAPSHOT} to stage Dev of game Demo (deployment d1)\n`);
    assert.deepEqual(world.err().split('\n'), [
      `created ${SNAPSHOT}`,
      'deployment d1: PENDING',
      'deployment d1: IN_PROGRESS',
      'deployment d1: COMPLETED',
      '',
    ]);
    const [, snapshot, start, ...looks] = requests;
    assert.equal(snapshot?.body, '{"Description":"first"}');
    assert.equal(start?.body, JSON.stringify({ SnapshotId: SNAPSHOT }));
    assert.equal(looks.length, 4);
  });

  it('deploys a snapshot that is named, without waiting when told so', async (t) => {
    const { world, requests } = await serveDeployments(t, { states: [] });
    assert.equal(await world.run('deploy', ...ON_DEV, '--snapshot', SNAPSHOT, '--no-wait'), 0, world.err());
    assert.equal(world.out(), `started deploying ${SNAPSHOT} to stage Dev of game Demo (deployment d1)\n`);
    assert.equal(world.err(), '');
    assert.deepEqual(
      requests.map(({ method, url }) => `${method} ${url}`),
      [`POST ${STAGE}/deployment`],
    );
  });

  it('exits with 1 and every fault when it fails, made printable', async (t) => {
    const Message = 'the snapshot has 2 faults:\nfirst \u001b[2J\nsecond';
    const result = { ResultCode: 'UNSPECIFIED_FAILURE', Message };
    const { world } = await serveDeployments(t, { states: ['FAILED'], result });
    assert.equal(await world.run('deploy', ...ON_DEV), 1);
    assert.equal(world.out(), '');
    assert.deepEqual(world.err().split('\n').slice(2), [
      `cannot deploy ${SNAPSHOT} to stage Dev of game Demo (deployment d1): UNSPECIFIED_FAILURE`,
      '  the snapshot has 2 faults:',
      '  first \\u{1b}[2J',
      '  second',
      '',
    ]);
  });

  it('prints the last reply as JSON, even that of a failure', async (t) => {
    const result = { ResultCode: 'UNSPECIFIED_FAILURE', Message: 'no' };
    const { world } = await serveDeployments(t, { states: ['FAILED'], result });
    assert.equal(await world.run('deploy', ...ON_DEV, '--json'), 1);
    const StageDeployment = { DeploymentId: 'd1', DeploymentState: 'FAILED', DeploymentResult: result };
    assert.deepEqual(JSON.parse(world.out()), { StageDeployment });
  });

  it('polls again when a poll is throttled, fails or breaks off, and says so once', async (t) => {
    const throttled = refusal('ThrottlingException', 'slow down', 429);
    const failed = refusal('InternalServerException', 'sorry', 500);
    const { world, requests } = await serveDeployments(t, {
      states: ['PENDING', throttled, failed, HANG_UP, 'IN_PROGRESS', HANG_UP, 'COMPLETED'],
    });
    assert.equal(await world.run('deploy', ...ON_DEV, '--snapshot', SNAPSHOT), 0, world.err());
    const [pending, refused, inProgress, brokenOff, completed, ...rest] = world.err().split('\n');
    assert.equal(pending, 'deployment d1: PENDING');
    assert.equal(refused, 'deployment d1: ThrottlingException: slow down (status 429, request id r-1); trying again');
    assert.equal(inProgress, 'deployment d1: IN_PROGRESS');
    assert.match(
      brokenOff ?? '',
      /^deployment d1: cannot reach http:\/\/127\.0\.0\.1:\d+: other side closed; trying again$/,
    );
    assert.equal(completed, 'deployment d1: COMPLETED');
    assert.deepEqual(rest, ['']);
    assert.equal(requests.length, 1 + 7);
  });

  it('polls again when a poll is not answered within 30 seconds', async (t) => {
    const limits: number[] = [];
    const late = new AbortController();
    const { timeout } = AbortSignal;
    // The second call is the first look.
    t.mock.method(AbortSignal, 'timeout', (ms: number) => (limits.push(ms) === 2 ? late.signal : timeout(ms)));
    const { world } = await serveDeployments(t, {
      states: [SILENCE, 'COMPLETED'],
      onLook: () => late.abort(new DOMException('too late', 'TimeoutError')),
    });
    assert.equal(await world.run('deploy', ...ON_DEV, '--snapshot', SNAPSHOT), 0, world.err());
    const [unanswered, completed] = world.err().split('\n');
    assert.match(unanswered ?? '', /^deployment d1: cannot reach http:\S+: no answer in time; trying again$/);
    assert.equal(completed, 'deployment d1: COMPLETED');
    assert.deepEqual(limits, [30_000, 30_000, 30_000]);
  });

  it('exits with 1 without another poll when a poll is denied', async (t) => {
    const { world, requests } = await serveDeployments(t, {
      states: [refusal('AccessDeniedException', 'no', 403), 'COMPLETED'],
    });
    assert.equal(await world.run('deploy', ...ON_DEV, '--snapshot', SNAPSHOT), 1);
    assert.match(world.err(), /^AccessDeniedException: no /);
    assert.equal(requests.length, 1 + 1);
  });

  it('gives up with 1 after the timeout, whatever the polls say', async (t) => {
    for (const look of ['IN_PROGRESS', HANG_UP, SILENCE] as const) {
      const { world } = await serveDeployments(t, { states: Array.from({ length: 9 }, () => look) });
      const startedAt = performance.now();
      assert.equal(await world.run('deploy', ...ON_DEV, '--timeout', '0'), 1);
      assert.ok(performance.now() - startedAt < 20_000, 'it does not wait as long as for a call without a timeout');
      assert.match(world.err(), /\ndeployment d1: not ended within 0 s; the server continues with it\n$/);
      assert.equal(world.out(), '');
    }
  });

  it('creates no snapshot for a stage that does not exist', async (t) => {
    const { world, requests } = await serveDeployments(t, { states: [] });
    assert.equal(await world.run('deploy', '--game', 'Demo', '--stage', 'Live'), 1);
    assert.match(world.err(), /^ResourceNotFoundException: /);
    assert.deepEqual(
      requests.map(({ method }) => method),
      ['GET'],
    );
  });

  for (const args of [
    ['--game', 'Demo'],
    [...ON_DEV, '--snapshot', SNAPSHOT, '--description', 'x'],
    [...ON_DEV, '--timeout', '1e3'],
    [...ON_DEV, '--timeout', '99999'],
    [...ON_DEV, '--snapshot', 'newest'],
  ]) {
    it(`exits with 2 when it is not understood: respark deploy ${args.join(' ')}`, async (t) => {
      const { world, requests } = await serveDeployments(t, { states: [] });
      assert.equal(await world.run('deploy', ...args), 2);
      assert.notEqual(world.err(), '');
      assert.deepEqual(requests, []);
    });
  }
});
