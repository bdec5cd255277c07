import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { createTestWorld } from '../../../test/support/world.ts';

async function answering(t: TestContext, status: number): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('console', () => {
  it('prints the link alone to stdout, and what it is good for beside it', async (t) => {
    const url = await answering(t, 200);
    const asked: unknown[] = [];
    const world = createTestWorld({
      local: { url },
      main: {
        makeConsoleLink: async ({ url, settings }) => {
          asked.push([url, settings.dataDir]);
          return `${url}/console/#code=a-code`;
        },
      },
    });
    assert.equal(await world.run('console', '--data-dir', '/d'), 0);
    assert.equal(world.out(), `${url}/console/#code=a-code\n`);
    assert.equal(world.err(), 'The link works once, within a minute, in a browser on this machine.\n');
    assert.deepEqual(asked, [[url, '/d']]);
  });

  it('makes no link where no server runs, none answers, or the server has no console', async (t) => {
    for (const [url, complaint] of [
      [undefined, /^no server is running on the data directory \/d: start one/],
      ['http://127.0.0.1:1', /^http:\/\/127\.0\.0\.1:1 does not answer: /],
      [await answering(t, 404), /has no console: ask a node of another role\n$/],
    ] as const) {
      const world = createTestWorld({ local: { ...(url && { url }) } });
      assert.equal(await world.run('console', '--data-dir', '/d'), 1);
      assert.match(world.err(), complaint);
      assert.equal(world.out(), '');
    }
  });
});
