import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createWorkplace, RESPARK } from './support/process.ts';

const DOCS = new URL('../../../docs/', import.meta.url);
const DOCUMENT = readFileSync(fileURLToPath(new URL('live-operations.md', DOCS)), 'utf8');

/** The commands of a section. */
function commandsOf(section: string): string[] {
  const [, text = ''] = DOCUMENT.split(`## ${section}\n`);
  return [...(text.split('\n## ')[0] ?? '').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
}

test('the commands of each role do what their section says', async (t) => {
  const place = createWorkplace(t);
  await place.serve(['--demo']);
  const run = async (commands: string | undefined) => {
    const respark = `set -e; respark() { ${RESPARK.map((word) => `'${word}'`).join(' ')} "$@"; }\n`;
    const { exitCode, stdout, stderr } = await place.start(['sh', '-c', `${respark}${commands}`]).ended();
    assert.equal(exitCode, 0, `${commands}\n${stdout}\n${stderr}`);
    return stdout;
  };
  const player = place.startRespark(['connect']);
  await player.printed(/^connected as demo-player/m);

  const [kick, unblock] = commandsOf('Moderator');
  const kicked = await run(kick);
  assert.match(kicked, /^ {2}would close .*\n(.*\n)* {2}closed .*\n(.*\n)* {2}blocked until /m);
  const { stdout: heard } = await player.ended();
  assert.match(heard, /Respark\.Farewell \{"reason":"AFK","message":"You were away for too long\."/);
  assert.match(await run(unblock), /demo-player(.*\n)*.*may connect again/);

  const [antiCheat] = commandsOf('Anti-cheat');
  assert.match(await run(antiCheat), /blocked player demo-player until (.*\n)*.*evidence: match 81, aim 0\.98/);

  const [maintenance, jobs, events] = commandsOf('Live operations');
  await run(maintenance);
  const ended = await run(jobs);
  assert.match(ended, /^0 connections of 0 players would be disconnected$/m);
  assert.equal(ended.match(/ COMPLETED /g)?.length, 4, ended);
  assert.match(await run(events), /whsec_/);

  const [show, remove] = commandsOf('A player asks what is kept, or wants it gone');
  assert.equal(JSON.parse(await run(`${show}cat demo-player.json`)).Keys, 0);
  assert.match(await run(remove), /nothing was kept about player demo-player(.*\n)*.*may connect again/);

  const [verify, receipt] = commandsOf('Security');
  assert.match(await run(verify), /DisconnectPlayer/);
  assert.match(await run(receipt), /The signature is good/);
});

test('the documents that the page names are there', () => {
  for (const [, file = ''] of DOCUMENT.matchAll(/\]\(([\w./-]+)\)/g)) readFileSync(fileURLToPath(new URL(file, DOCS)));
});
