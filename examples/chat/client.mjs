// Enters the room under a name, says what is typed, and shows what others say. "/kick ID" throws somebody out.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ResparkClient } from '@respark/client';

const { RESPARK_URL: url = 'ws://127.0.0.1:8080', RESPARK_GAME_KEY, RESPARK_DATA_DIR = 'respark-data' } = process.env;
const gameKey = RESPARK_GAME_KEY ?? JSON.parse(readFileSync(`${RESPARK_DATA_DIR}/demo.json`, 'utf8')).gameKey;

const client = new ResparkClient({ url, gameKey });
client.on('notification', ({ type, payload }) => {
  if (type === 'Custom.Game.Said') console.log(`${payload.Name} (${payload.PlayerId}): ${payload.Text}`);
});
client.on('disconnect', ({ reason, verdict }) => {
  if (verdict === 'stop') console.log(`the end: ${reason}`);
});
await client.connect();
const { Others } = await client.request('Custom.Game.Enter', { Name: process.argv[2] ?? 'Anna' });
console.log(`entered, with ${Others} others here`);

for await (const line of createInterface({ input: process.stdin, terminal: false })) {
  const [, victim] = /^\/kick (\S+)$/.exec(line) ?? [];
  if (victim === undefined) client.event('Custom.Game.Say', { Text: line });
  else await client.request('Custom.Game.Kick', { PlayerId: victim }).catch((error) => console.log(error.message));
}
await client.close();
