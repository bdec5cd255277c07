import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ResparkClient } from '@respark/client';
import { WebSocket } from 'ws';
import { createWorkplace } from '../support/process.ts';

/** Seen from server/dist/test/lifecycle. */
const PAGE = readFileSync(new URL('../../../../docs/rehearsal.md', import.meta.url), 'utf8');
/** What the page shows takes minutes. */
const SHORT = ['--only', 'draining,kicked', '--settle', '0', '--window', '5'];

/** The words of a command line without what a shell would do beyond quotes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

test('the commands of the documentation rehearse with a client of the SDK, until a tag refuses it', async (t) => {
  const lines = [...PAGE.matchAll(/^respark (.*)$/gm)].map(([, line = '']) => wordsOf(line));
  assert.deepEqual(
    lines.map(([name]) => name),
    ['rehearse', 'rehearse', 'api'],
  );
  const [all = [], some = [], tag = []] = lines;
  const workplace = createWorkplace(t);
  const server = await workplace.serve(['--demo']);
  const { token } = JSON.parse(readFileSync(`${server.dataDir}/demo.json`, 'utf8'));
  const { playerUrl: url, gameKey } = server;
  const client = new ResparkClient({ url, gameKey, token, WebSocket: WebSocket as never });
  t.after(() => client.close());
  await client.connect();
  assert.equal(client.playerId, 'demo-player');

  const printed = await workplace.respark([...all, ...SHORT]);
  assert.deepEqual([printed.exitCode, printed.stderr], [0, ''], printed.stdout);
  assert.match(
    printed.stdout,
    /^pass {2}draining +came back after \d+\.\d s\npass {2}kicked +stayed away for 5\.0 s\n$/,
  );
  await client.connect();
  const json = await workplace.respark([...some, ...SHORT, '--only', 'draining']);
  assert.equal(json.exitCode, 0, json.stderr);
  assert.deepEqual(
    JSON.parse(json.stdout).Results.map(({ Outcome }: { Outcome: string }) => Outcome),
    ['PASSED'],
  );
  assert.equal((await workplace.respark(tag)).exitCode, 0);
  const refused = await workplace.respark([...all, ...SHORT]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /stage "Dev" refuses rehearsals/);
});
