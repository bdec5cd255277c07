import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ResparkClient } from '@respark/client';
import { readFolder } from '../../src/cli/folders.ts';
import { writeDocument } from '../../src/domain/configuration/document.ts';
import { fromFolder } from '../../src/domain/configuration/folder.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const EXAMPLES = fileURLToPath(new URL('../../../../examples/', import.meta.url));

async function deployExample(server: TestServer, name: string): Promise<void> {
  const files = await readFolder(`${EXAMPLES}${name}/game`);
  await deploy(server, await createSnapshot(server, writeDocument(fromFolder(files))));
}

/** Runs the client of an example, as its README says. */
function runClient(t: TestContext, server: TestServer, name: string, ...args: string[]) {
  const child = spawn(process.execPath, [`${EXAMPLES}${name}/client.mjs`, ...args], {
    env: { PATH: process.env.PATH, RESPARK_URL: server.playerUrl, RESPARK_GAME_KEY: server.gameKey },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return {
    lines,
    say: (text: string) => child.stdin.write(`${text}\n`),
    end: () => child.stdin.end(),
    interrupt: () => child.kill('SIGINT'),
    ended: once(child, 'exit').then(([code]) => Number(code)),
    async line(index: number): Promise<string> {
      while (lines[index] === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      return lines[index] ?? '';
    },
  };
}

test('hello-cloud-code greets, and counts for each player', async (t) => {
  const server = await startTestServer(t);
  await deployExample(server, 'hello-cloud-code');
  const client = runClient(t, server, 'hello-cloud-code', 'Bert');
  assert.equal(await client.ended, 0);
  assert.deepEqual(client.lines, ['Hello Bert, this is greeting number 1!', 'Hello Bert, this is greeting number 2!']);
});

test('chat lets players hear each other, and one throw another out', async (t) => {
  const server = await startTestServer(t);
  await deployExample(server, 'chat');
  const anna = runClient(t, server, 'chat', 'Anna');
  assert.equal(await anna.line(0), 'entered, with 0 others here');
  const bert = runClient(t, server, 'chat', 'Bert');
  assert.equal(await bert.line(0), 'entered, with 1 other here');
  bert.say('hello there');
  const [, bertId = ''] = /^Bert \((\S+)\): hello there$/.exec(await anna.line(1)) ?? [];
  anna.say('/kick nobody');
  assert.equal(await anna.line(2), 'This player is not in the room.');
  anna.say('/kick constructor');
  assert.equal(await anna.line(3), 'This player is not in the room.');
  anna.say(`/kick ${bertId}`);
  assert.equal(await bert.line(1), 'the end: You were thrown out of the room');
  anna.end();
  assert.equal(await anna.ended, 0);
});

test('chat has room for those who come when others have left, with Ctrl-C or without a word', async (t) => {
  const server = await startTestServer(t);
  await deployExample(server, 'chat');
  const anna = runClient(t, server, 'chat', 'Anna');
  await anna.line(0);
  anna.interrupt();
  assert.equal(await anna.ended, 0);
  const enter = async () => {
    const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey });
    await client.connect();
    const { Others } = await client.request('Custom.Game.Enter', { Name: 'Guest' });
    await client.close();
    return Others;
  };
  for (let others = 0; others < 25; others += 1) assert.equal(await enter(), Math.min(others, 19));
});

test('chat has room for others, however long the names are under which somebody would enter', async (t) => {
  const server = await startTestServer(t);
  await deployExample(server, 'chat');
  const enter = async (name: string) => {
    const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey });
    await client.connect();
    try {
      const { Others } = await client.request('Custom.Game.Enter', { Name: name });
      return Others;
    } catch (error) {
      return (error as { code?: string }).code;
    } finally {
      await client.close();
    }
  };
  for (let count = 0; count < 17; count += 1) await enter('x'.repeat(15_000));
  // One of these would fit into what is left of the room that a player's data has, and leave none for a short name.
  for (let length = 6_580; length > 6_500; length -= 8) await enter('x'.repeat(length));
  assert.equal(await enter('Anna'), 0);
  assert.equal(await enter('x'.repeat(41)), 'BAD_NAME');
});

test('hello-cloud-code counts right when one player sends several requests at once', async (t) => {
  const server = await startTestServer(t);
  await deployExample(server, 'hello-cloud-code');
  const client = new ResparkClient({ url: server.playerUrl, gameKey: server.gameKey });
  t.after(() => client.close());
  await client.connect();
  const answers = await Promise.all([1, 2, 3, 4].map(() => client.request('Custom.Game.Greet', {})));
  assert.deepEqual(answers.map(({ Times }) => Times).sort(), [1, 2, 3, 4]);
});
