// A player in a process of its own, which a test can stop: connects with URL, GAME_KEY and TOKEN, and prints "welcome".
import { encode, SUBPROTOCOL } from '@respark/protocol';
import { WebSocket } from 'ws';

const { URL: url = '', GAME_KEY: gameKey = '', TOKEN: token = '' } = process.env;
const ws = new WebSocket(url, SUBPROTOCOL);
ws.on('open', () => ws.send(encode({ kind: 'hello', gameKey, token })));
ws.once('message', () => process.stdout.write('welcome\n'));
