import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type FakeReply, refusal, startFakeService } from '../../../test/support/fake-service.ts';
import { temporaryDirectory } from '../../../test/support/server.ts';

const SNAPSHOT = 'Snapshot_2030-01-02T03:04:05.000001Z';
const JOB = '01234567-89ab-cdef-0123-456789abcdef';
const JOBS = `/game/Demo/snapshot/${encodeURIComponent(SNAPSHOT)}/generated-sdk-code-job`;

async function serveJob(t: TestContext, states: readonly string[], Description = '') {
  let looks = 0;
  const service = await startFakeService(t, ({ method, url, headers }): FakeReply => {
    switch (`${method} ${url}`) {
      case 'GET /game/Demo/snapshot?MaxResults=1':
        return { body: { Snapshots: [{ Id: SNAPSHOT }] } };
      case `POST ${JOBS}`:
        return { body: { GeneratedCodeJobId: JOB } };
      case `GET ${JOBS}/${JOB}`: {
        looks += 1;
        const S3Url = `http://${headers.host}/download/sealed/code.zip`;
        return { body: { GeneratedCodeJob: { Status: states[looks - 1], Description, S3Url } } };
      }
      case 'GET /download/sealed/code.zip':
        return { body: 'zip' };
      default:
        return refusal('ResourceNotFoundException', 'there is no such thing', 404);
    }
  });
  return { ...service, file: join(temporaryDirectory(t), 'code.zip') };
}

describe('generate', () => {
  it('writes the zip of the newest snapshot once its job has ended', async (t) => {
    const { world, requests, file } = await serveJob(t, ['PENDING', 'IN_PROGRESS', 'COMPLETED']);
    assert.equal(await world.run('generate', '--game', 'Demo', '--platform', 'Web', '--output', file), 0, world.err());
    assert.equal(readFileSync(file, 'utf8'), 'zip');
    assert.equal(world.out(), `wrote ${file} (3 bytes)\n`);
    const title = `job ${JOB} for ${SNAPSHOT}`;
    const told = ['PENDING', 'IN_PROGRESS', 'COMPLETED'].map((state) => `${title}: ${state}\n`);
    assert.equal(world.err(), told.join(''));
    assert.equal(requests[1]?.body, '{"Generator":{"TargetPlatform":"Web"}}');
  });

  it('exits with 1 and the reason when the job fails, and writes nothing', async (t) => {
    const { world, file } = await serveJob(t, ['FAILED'], 'a fault\u001b');
    const args = ['--game', 'Demo', '--snapshot', SNAPSHOT, '--language', 'CSharp', '--output', file];
    assert.equal(await world.run('generate', ...args), 1);
    assert.match(world.err(), /^cannot generate code from Snapshot_\S+: a fault\\u\{1b\}$/m);
    assert.equal(existsSync(file), false);
  });
});
