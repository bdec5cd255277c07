import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type FakeReply, refusal, startFakeService } from '../../../test/support/fake-service.ts';
import { temporaryDirectory } from '../../../test/support/server.ts';

const SNAPSHOT = 'Snapshot_2030-01-02T03:04:05.000001Z';
const DOCUMENT = { Document: { Type: 'Game', Sections: { A: { ['__proto__']: 1, text: '\u009b' } } } };
const FILE = JSON.stringify(DOCUMENT);

/** Behind a proxy, which serves it under `prefix`; the public URL is that of its own host unless another is given. */
async function serveSnapshots(
  t: TestContext,
  {
    snapshots = [SNAPSHOT],
    fileStatus = 200,
    prefix = '',
    publicUrl = '',
    path = '/download/sealed/demo.json',
    document = FILE,
  } = {},
) {
  const service = await startFakeService(t, ({ method, url, headers }): FakeReply => {
    switch (`${method} ${url.replace(prefix, '')}`) {
      case 'GET /game/Demo/snapshot?MaxResults=1':
        return { body: { Snapshots: snapshots.map((Id) => ({ Id })) } };
      case `GET /game/Demo/snapshot/${encodeURIComponent(SNAPSHOT)}/export`:
        return { body: { S3Url: `${publicUrl || `http://${headers.host}`}${path}` } };
      case `GET ${path}`:
        return { status: fileStatus, body: document };
      case 'GET /game/Demo/configuration': {
        const Section = { Name: 'A', Size: 1, Attributes: DOCUMENT.Document.Sections.A };
        return { body: { GameConfiguration: { Sections: { A: Section } } } };
      }
      default:
        return refusal('ResourceNotFoundException', 'there is no such thing', 404);
    }
  });
  return { ...service, file: join(temporaryDirectory(t), 'demo.json') };
}

describe('export', () => {
  it('writes the newest snapshot unchanged, fetched without a signature', async (t) => {
    const { world, requests, file } = await serveSnapshots(t);
    assert.equal(await world.run('export', '--game', 'Demo', '--output', file), 0, world.err());
    assert.equal(readFileSync(file, 'utf8'), FILE);
    assert.equal(world.out(), '');
    assert.equal(world.err(), `exported ${SNAPSHOT} of game Demo\n`);
    assert.equal(requests.at(-1)?.headers.authorization, undefined);
  });

  const PLACES: readonly { what: string; publicUrl?: string; prefix?: string }[] = [
    { what: 'has another public URL', publicUrl: 'https://nowhere.invalid' },
    { what: 'has a public URL with a path, which the call went round', publicUrl: 'https://nowhere.invalid/respark' },
    { what: 'is called under a path', publicUrl: 'https://nowhere.invalid/respark', prefix: '/proxied' },
  ];
  for (const { what, ...where } of PLACES) {
    it(`fetches the file from where the calls went when the server ${what}`, async (t) => {
      const { url, world, requests, file } = await serveSnapshots(t, where);
      const { prefix = '' } = where;
      const words = ['export', '--game', 'Demo', '--output', file, '--endpoint-url', `${url}${prefix}`];
      assert.equal(await world.run(...words), 0, world.err());
      assert.equal(readFileSync(file, 'utf8'), FILE);
      assert.equal(requests.at(-1)?.url, `${prefix}/download/sealed/demo.json`);
    });
  }

  it('prints nothing that a terminal would act on, whatever a server has sent instead of a document', async (t) => {
    const { world } = await serveSnapshots(t, { document: '{"a":\r\u001b]0;x\u0007\u001b[2J\n1}' });
    assert.equal(await world.run('export', '--game', 'Demo'), 0, world.err());
    assert.equal(world.out(), '{"a":\\u000d\\u001b]0;x\\u0007\\u001b[2J\n1}');
  });

  it('fetches nothing from a URL that is not one of a server', async (t) => {
    const { world, requests } = await serveSnapshots(t, { path: '/elsewhere/demo.json' });
    assert.equal(await world.run('export', '--game', 'Demo'), 1);
    assert.equal(world.err(), 'the reply names no URL of a server to download from\n');
    assert.equal(
      requests.some(({ url }) => url.endsWith('/demo.json')),
      false,
    );
  });

  it('writes the named snapshot to stdout, with nothing that a terminal would act on', async (t) => {
    const { world, requests } = await serveSnapshots(t);
    assert.equal(await world.run('export', '--game', 'Demo', '--snapshot', SNAPSHOT), 0, world.err());
    assert.doesNotMatch(world.out(), /\u009b/);
    assert.deepEqual(JSON.parse(world.out()), JSON.parse(FILE));
    assert.equal(requests.length, 2);
  });

  it('writes the working copy in the form of an exported document', async (t) => {
    const { world, file } = await serveSnapshots(t);
    assert.equal(await world.run('export', '--game', 'Demo', '--working-copy', '--output', file), 0, world.err());
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(FILE));
    assert.equal(world.err(), 'exported the working copy of game Demo\n');
  });

  it('says what to do when there is no snapshot', async (t) => {
    const { world } = await serveSnapshots(t, { snapshots: [] });
    assert.equal(await world.run('export', '--game', 'Demo'), 1);
    assert.equal(
      world.err(),
      `game Demo has no snapshot; make one: respark api create-snapshot --json '{"GameName":"Demo"}'\n`,
    );
  });

  it('never shows the URL of a file, which is a secret, when the file is gone', async (t) => {
    const { url, world } = await serveSnapshots(t, { fileStatus: 404 });
    assert.equal(await world.run('export', '--game', 'Demo'), 1);
    assert.equal(world.err(), `cannot download the file from ${url} (status 404); its URL may have expired\n`);
    assert.equal(world.out(), '');
  });

  it('says so when the file was downloaded too often', async (t) => {
    const { url, world } = await serveSnapshots(t, { fileStatus: 429 });
    assert.equal(await world.run('export', '--game', 'Demo'), 1);
    assert.equal(world.err(), `cannot download the file from ${url} (status 429); try again in a second\n`);
  });

  it('says when the file cannot be written', async (t) => {
    const { world } = await serveSnapshots(t);
    assert.equal(await world.run('export', '--game', 'Demo', '--output', '/no/such/file'), 1);
    assert.equal(
      world.err(),
      'cannot write "/no/such/file": there is no such file or directory (ENOENT): check the path\n',
    );
  });

  it('exits with 2 when both a snapshot and the working copy are asked for', async (t) => {
    const { world, requests } = await serveSnapshots(t);
    assert.equal(await world.run('export', '--game', 'Demo', '--snapshot', SNAPSHOT, '--working-copy'), 2);
    assert.deepEqual(requests, []);
  });
});
