// Enters the room under a name, says what is typed, and shows what others say. "/kick ID" throws somebody out.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ResparkClient } from '@respark/client';

const { RESPARK_URL: url = 'ws://127.0.0.1:8080', RESPARK_GAME_KEY, RESPARK_DATA_DIR = 'respark-data' } = process.env;
const gameKey = RESPARK_GAME_KEY ?? JSON.parse(readFileSync(`${RESPARK_DATA_DIR}/demo.json`, 'utf8')).gameKey;

const client = new ResparkClient({ url, gameKey });
const input = createInterface({ input: process.stdin, terminal: false });
// What is typed before the room is entered is kept from here on.
const lines = input[Symbol.asyncIterator]();
client.on('notification', ({ type, payload }) => {
  if (type === 'Custom.Game.Said') console.log(`${payload.Name} (${payload.PlayerId}): ${payload.Text}`);
});
client.on('disconnect', ({ reason, verdict }) => {
  if (verdict !== 'stop') return;
  console.log(`the end: ${reason}`);
  input.close();
});
await client.connect();
process.once('SIGINT', () => input.close());
try {
  const { Others } = await client.request('Custom.Game.Enter', { Name: process.argv[2] ?? 'Anna' });
  console.log(`entered, with ${Others === 1 ? '1 other' : `${Others} others`} here`);

  for await (const line of lines) {
    const [, victim] = /^\/kick (\S+)$/.exec(line) ?? [];
    if (victim === undefined) client.event('Custom.Game.Say', { Text: line });
    else await client.request('Custom.Game.Kick', { PlayerId: victim }).catch((error) => console.log(error.message));
  }
  if (client.state !== 'closed') await client.request('Custom.Game.Leave', {});
} catch (error) {
  console.log(error.message);
  process.exitCode = 1;
}
await client.close();
