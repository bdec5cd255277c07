// Asks the game's one request. RESPARK_GAME_KEY and RESPARK_URL name another stage than that of the demo.
import { readFileSync } from 'node:fs';
import { ResparkClient } from '@respark/client';

const { RESPARK_URL: url = 'ws://127.0.0.1:8080', RESPARK_GAME_KEY, RESPARK_DATA_DIR = 'respark-data' } = process.env;
const gameKey = RESPARK_GAME_KEY ?? JSON.parse(readFileSync(`${RESPARK_DATA_DIR}/demo.json`, 'utf8')).gameKey;

const client = new ResparkClient({ url, gameKey });
await client.connect();
for (let count = 0; count < 2; count += 1) {
  const { Greeting } = await client.request('Custom.Game.Greet', { Name: process.argv[2] ?? 'Anna' });
  console.log(Greeting);
}
await client.close();
