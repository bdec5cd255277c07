import { ResparkClient, ResparkError } from '@respark/client';
import { CONNECT_PATH, GET_PLAYER_TOKEN, type Payload, parseJson } from '@respark/protocol';
import { Command } from 'commander';
import { createPlayerToken } from '../../api/own-operations/player-tokens.ts';
import { listStageLogLines } from '../../api/own-operations/stage-logs.ts';
import { systemClock } from '../../clock.ts';
import type { ServerAddresses } from '../../data-directory/local-files.ts';
import { GAME_PREFIX } from '../../domain/runtime/message-types.ts';
import { printable, shown } from '../../text.ts';
import { readInputText } from '../files.ts';
import { type LogLine, lineText, newestLines } from '../log-lines.ts';
import { addClientOptions, createClient, type ManagementClient } from '../management-client.ts';
import { hintOfMessage } from '../meant-message.ts';
import { settingsOf } from '../options.ts';
import { listAt, textAt } from '../reply.ts';
import { quoteForShell } from '../shell.ts';
import { formatJsonLine } from '../table.ts';
import { CommandError, type World } from '../world.ts';

const DEFAULT_PLAYER = 'test-player';
/** How long notifications are waited for after a message. */
const LINGER_MS = 300;
/** How long the failure of an event's handler is waited for: an event has no answer. */
const EVENT_MS = 1_000;
/** With these codes the script has failed, and its log says why. */
const FAILURES = ['script_error', 'bad_response', 'script_stopped'];
const MAX_LINES = 100;
const LOG_LOOKS = 10;
const LOG_LOOK_MS = 100;
const MAX_SHOWN = 200;

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
    .argument('[payload]', 'its payload: a JSON object, @FILE for a file with one, or - for stdin', '{}')
    .requiredOption('--game <name>', 'name of the game')
    .requiredOption('--stage <name>', 'name of the stage')
    .option('--player <id>', 'the player to be, who need not have been there before', DEFAULT_PLAYER)
    .option('--event', 'send an event, which has no answer, instead of a request')
    .option('--url <url>', 'where players connect (default: at the server that is called)')
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'after',
      `
Example: ask the example's request as the player anna
  $ respark send Custom.Game.Greet '{"Name":"Anna"}' --game Demo --stage Dev --player anna
Exit codes: 0 answered (with --event: sent, and no failure heard of within a second); 1 refused or failed; 2 wrong usage.`,
    )
    .action(async (type: string, text: string) => {
      await send(world, command, { type, payload: payloadOf(await readPayload(world, text)) });
    });
  return addClientOptions(command);
}

async function send(world: World, command: Command, { type, payload }: Message): Promise<void> {
  const { game, stage, player, event, url: givenUrl, json } = command.opts<Options>();
  const { dataDir } = settingsOf(world, command);
  const management = await createClient(world, command);
  const input = { GameName: game, StageName: stage, PlayerId: player };
  const reply = await management.call(createPlayerToken, input);
  const script = await scriptLines(world, management, input, type);
  const url = givenUrl ?? playerUrlAt(management.endpoint, await world.localFiles.running(dataDir));
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
    world.stdout.write(json === true ? formatJsonLine({ event: what, ...facts }) : `${words}\n`);
  };
  client.on('notification', (notification) => show('notification', notification));
  try {
    await client.connect();
    if (event === true) {
      await sendEvent(client, { type, payload });
      world.stdout.write(json === true ? formatJsonLine({ event: 'sent', type }) : 'sent\n');
    } else {
      show('response', { type, payload: await client.request(type, payload) });
      await new Promise<void>((resolve) => void systemClock.after(LINGER_MS, resolve));
    }
  } catch (error) {
    if (!(error instanceof ResparkError)) throw error;
    const isUnknown = error.code === 'no_handler';
    const hint = isUnknown ? await hintOfMessage(management, game, { type, isEvent: event === true }) : '';
    const message = printable(`${error.code}: ${error.message}${hint}`);
    if (FAILURES.includes(error.code)) throw new CommandError(`${message}\n${await script.said()}`, { cause: error });
    throw new CommandError(message, { cause: error });
  } finally {
    await client.close();
  }
}

/** Where players connect to the server that was called: no other server may get one of its tokens. */
export function playerUrlAt(endpoint: string, local: ServerAddresses | undefined): string {
  if (local !== undefined && comparable(local.url) === comparable(endpoint)) return local.playerUrl;
  return `${endpoint.replace(/^http/i, 'ws')}${CONNECT_PATH}`;
}

/** The same text for all names of this machine. An endpoint with a path leads to a server behind a proxy, and stays as it is. */
function comparable(endpoint: string): string {
  if (!URL.canParse(endpoint)) return endpoint;
  const url = new URL(endpoint);
  if (['127.0.0.1', '[::1]'].includes(url.hostname)) url.hostname = 'localhost';
  return url.pathname === '/' ? url.origin : endpoint;
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

/** What a player is not told of a failure, because it is for the people who wrote the script. */
async function scriptLines(
  { platform }: World,
  management: ManagementClient,
  player: { readonly GameName: string; readonly StageName: string; readonly PlayerId: string },
  type: string,
): Promise<{ said(): Promise<string> }> {
  const { GameName, StageName, PlayerId } = player;
  const MessageName = type.replace(GAME_PREFIX, '');
  const words = ['--game', GameName, '--stage', StageName, '--player', PlayerId, '--message', MessageName];
  const hint = `its log says why: respark logs ${words.map((word) => quoteIfNeeded(word, platform)).join(' ')}`;
  // A key that may not read the log may still send.
  const before = await newestLines(management, { GameName, StageName }, 1).catch(() => undefined);
  return {
    async said() {
      if (before === undefined) return hint;
      const query = { ...player, MessageName, Order: 'OLDEST_FIRST', After: before.cursor, MaxResults: MAX_LINES };
      // The lines of a script are kept a moment after its end.
      for (let look = 0; look < LOG_LOOKS; look += 1) {
        await new Promise<void>((resolve) => void systemClock.after(LOG_LOOK_MS, resolve));
        const page = await management.call(listStageLogLines, query).catch(() => undefined);
        if (page === undefined) break;
        const lines = listAt<LogLine>(page, 'LogLines');
        if (lines.length > 0) return lines.map(lineText).join('').trimEnd();
      }
      return hint;
    },
  };
}

function quoteIfNeeded(word: string, platform: NodeJS.Platform): string {
  return /^[\w.-]+$/.test(word) ? word : quoteForShell(word, platform);
}

/** The text of the payload: as given, or the content of the file or of stdin that `given` names. */
async function readPayload(world: World, given: string): Promise<string> {
  if (given !== '-' && !given.startsWith('@')) return given;
  return await readInputText(world, given.replace(/^@/, ''), '<payload>');
}

function payloadOf(text: string): Payload {
  let why = '';
  try {
    const payload: unknown = parseJson(text);
    if (typeof payload === 'object' && payload !== null && !Array.isArray(payload)) return payload as Payload;
  } catch (error) {
    why = ` (${printable((error as Error).message)})`;
  }
  throw new CommandError(
    `the payload must be a JSON object, such as '{"n": 1}', and what arrived is ${printable(shown(text, MAX_SHOWN))}${why}`,
    { exitCode: 2 },
  );
}
