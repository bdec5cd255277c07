import { ResparkClient, ResparkError } from '@respark/client';
import { CONNECT_PATH, GET_PLAYER_TOKEN, type Payload, parseJson } from '@respark/protocol';
import { Command } from 'commander';
import { createPlayerToken } from '../../api/own-operations/player-tokens.ts';
import { systemClock } from '../../clock.ts';
import { printable } from '../../text.ts';
import { addClientOptions, createClient } from '../management-client.ts';
import { settingsOf } from '../options.ts';
import { textAt } from '../reply.ts';
import { CommandError, type World } from '../world.ts';

const DEFAULT_PLAYER = 'test-player';
/** How long notifications are waited for after a message. */
const LINGER_MS = 300;
/** How long the failure of an event's handler is waited for: an event has no answer. */
const EVENT_MS = 1_000;

interface Options {
  readonly game: string;
  readonly stage: string;
  readonly player: string;
  readonly event?: true;
  readonly url?: string;
  readonly json?: true;
}

interface Message {
  readonly type: string;
  readonly payload: Payload;
}

export function sendCommand(world: World): Command {
  const command = new Command('send')
    .description('Send one message as a player, and show its answer and the notifications that come with it.')
    .argument('<type>', 'type of the message, such as Custom.Game.Greet')
    .argument('[payload]', 'its payload, a JSON object', '{}')
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--player <id>', 'the player to be, who need not have been there before', DEFAULT_PLAYER)
    .option('--event', 'send an event, which has no answer, instead of a request')
    .option('--url <url>', "where players connect (default: the local server's address)")
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'after',
      `
Example: ask the example's request as the player anna
  $ respark send Custom.Game.Greet '{"Name":"Anna"}' --game Demo --stage Dev --player anna
Exit codes: 0 answered (with --event: sent, and no failure heard of within a second); 1 refused or failed; 2 wrong usage.`,
    )
    .action(async (type: string, text: string) => {
      await send(world, command, { type, payload: payloadOf(text) });
    });
  return addClientOptions(command);
}

async function send(world: World, command: Command, { type, payload }: Message): Promise<void> {
  const { game, stage, player, event, url: givenUrl, json } = command.opts<Options>();
  const { dataDir } = settingsOf(world, command);
  const management = await createClient(world, command);
  const input = { GameName: game, StageName: stage, PlayerId: player };
  const reply = await management.call(createPlayerToken, input);
  const url = givenUrl ?? (await world.localFiles.running(dataDir))?.playerUrl ?? `ws://127.0.0.1:8080${CONNECT_PATH}`;
  // The package is loaded only here, because commands should start quickly.
  const { createPlayerWebSocket } = await import('../player-web-socket.ts');
  const client = new ResparkClient({
    url,
    gameKey: textAt(reply, 'GameKey'),
    token: textAt(reply, 'AuthenticationToken'),
    WebSocket: createPlayerWebSocket(() => {}),
    reconnect: { maxRetries: 0 },
  });
  const show = (what: 'response' | 'notification', facts: Message) => {
    const words = `${what} ${printable(facts.type)} ${printable(JSON.stringify(facts.payload))}`;
    world.stdout.write(`${json === true ? JSON.stringify({ event: what, ...facts }) : words}\n`);
  };
  client.on('notification', (notification) => show('notification', notification));
  try {
    await client.connect();
    if (event === true) {
      await sendEvent(client, { type, payload });
      world.stdout.write(json === true ? `${JSON.stringify({ event: 'sent', type })}\n` : 'sent\n');
    } else {
      show('response', { type, payload: await client.request(type, payload) });
      await new Promise<void>((resolve) => void systemClock.after(LINGER_MS, resolve));
    }
  } catch (error) {
    if (!(error instanceof ResparkError)) throw error;
    throw new CommandError(printable(`${error.code}: ${error.message}`), { cause: error });
  } finally {
    await client.close();
  }
}

/** Throws a ResparkError when the server refuses the event, or when its handler fails within a moment. */
async function sendEvent(client: ResparkClient, { type, payload }: Message): Promise<void> {
  const faulted = new Promise<never>((_, reject) => void client.on('error', reject));
  // Without a handler here, a fault that comes while nothing waits for it would end the process.
  faulted.catch(() => {});
  client.event(type, payload);
  // An answer to a later message shows that the server is at work on the event, which it would have refused before.
  const overtaken = client.request(GET_PLAYER_TOKEN).catch(() => {});
  await Promise.race([faulted, overtaken]);
  const moment = new Promise<void>((resolve) => void systemClock.after(EVENT_MS, resolve));
  await Promise.race([faulted, moment]);
}

function payloadOf(text: string): Payload {
  try {
    const payload: unknown = parseJson(text);
    if (typeof payload === 'object' && payload !== null && !Array.isArray(payload)) return payload as Payload;
  } catch {
    // Text that is not JSON is treated like JSON that is not an object.
  }
  throw new CommandError('the payload must be a JSON object, such as \'{"n": 1}\'', { exitCode: 2 });
}
