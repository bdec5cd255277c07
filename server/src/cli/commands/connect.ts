import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { type Disconnect, ResparkClient, ResparkError, type TokenStorage } from '@respark/client';
import { CLOSE_CODES, CONNECT_PATH, type Payload, parseJson } from '@respark/protocol';
import { Command } from 'commander';
import { DEMO_GAME, DEMO_STAGE } from '../../app/demo.ts';
import { writePrivateFile } from '../../data-directory/private-file.ts';
import { printable } from '../../text.ts';
import { readTextIfPresent } from '../files.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import { quoteForShell } from '../shell.ts';
import { CommandError, type World } from '../world.ts';

interface Options {
  readonly url?: string;
  readonly gameKey?: string;
  readonly tokenFile?: string;
  readonly guest?: true;
  readonly once?: true;
  readonly json?: true;
}

export function connectCommand(world: World): Command {
  const command = new Command('connect')
    .description('Connect as a player, by default as the demo player of the local server. Ctrl-C disconnects.')
    .option('--url <url>', "where players connect (default: the local server's address)")
    .option('--game-key <key>', 'game key of the stage (default: that of the local demo game)')
    .option('--token-file <file>', "keep the player's token in this file, to come back as the same player next time")
    .option('--guest', 'connect as a new guest instead of the demo player')
    .option('--once', 'exit when the connection closes instead of reconnecting')
    .option('--json', 'print one JSON object per line')
    .addHelpText(
      'after',
      `
Example: connect a second player to the demo game, and send a request
  $ respark connect --guest
  request GameSparks.Identity.GetPlayerToken {}

Each line on stdin is sent as a message: "request TYPE JSON" or "event TYPE JSON".

Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 closed for good, or never connected; 2 wrong usage.`,
    )
    .action(async () => {
      const player = await choosePlayer(world, command);
      await play(world, player, command.opts<Options>());
    });
  return addSettingOptions(command, ['dataDir']);
}

interface Player {
  readonly url: string;
  readonly gameKey: string;
  readonly token?: string;
  readonly storage?: TokenStorage;
  /** The options by which `respark disconnect` finds the stage; a game key does not contain its name. */
  readonly stageOptions: string;
}

/** Finds the server, the game key and the token to connect with. Throws a CommandError if there is no game key. */
async function choosePlayer(world: World, command: Command): Promise<Player> {
  const { dataDir, sources } = settingsOf(world, command);
  const { url: givenUrl, gameKey: givenKey, tokenFile, guest } = command.opts<Options>();
  if (guest && tokenFile !== undefined) {
    throw new CommandError('--guest and --token-file contradict each other; leave one out', { exitCode: 2 });
  }
  const localUrl = (await world.localFiles.running(dataDir))?.playerUrl ?? `ws://127.0.0.1:8080${CONNECT_PATH}`;
  const url = givenUrl ?? localUrl;
  // The demo player's token is only for this server: another server that saw it could use it to connect as this player.
  const demo = url === localUrl ? await world.localFiles.demo(dataDir) : undefined;
  const gameKey = givenKey ?? demo?.gameKey;
  if (gameKey === undefined) {
    if (url !== localUrl) {
      throw new CommandError(
        `--url names a server other than the local one (${localUrl}); give the game key of one of its stages with --game-key`,
        { exitCode: 2 },
      );
    }
    throw new CommandError(
      `there is no demo game in the data directory ${dataDir}; start a server there ("respark serve --demo"), name another directory with --data-dir, or give a game key with --game-key`,
    );
  }
  const isDemo = gameKey === demo?.gameKey;
  const atDataDir = sources.dataDir === 'default' ? '' : ` --data-dir ${quoteForShell(dataDir, world.platform)}`;
  return {
    url,
    gameKey,
    stageOptions: `${isDemo ? `--game ${DEMO_GAME} --stage ${DEMO_STAGE}` : '--game GAME --stage STAGE'}${atDataDir}`,
    ...(tokenFile === undefined ? {} : { storage: storageIn(tokenFile) }),
    ...(isDemo && demo !== undefined && !guest && tokenFile === undefined ? { token: demo.token } : {}),
  };
}

/** Keeps the player's token in a file that only the current user can read. */
function storageIn(path: string): TokenStorage {
  return {
    async load() {
      return (await readTextIfPresent(path))?.trim() || undefined;
    },
    async save(token) {
      if (token === undefined) await rm(path, { force: true });
      else writePrivateFile(path, `${token}\n`);
    },
  };
}

/**
 * Connects, prints what happens and sends what is typed, until a signal comes or the connection is closed for good.
 * Everything that the server or another player sent is made printable.
 */
async function play(world: World, player: Player, { once: isOnce, json: isJson }: Options): Promise<void> {
  const client = createClient(player, isOnce === true);
  const say = (event: string, facts: object, words: string) => {
    world.stdout.write(`${isJson ? JSON.stringify({ event, ...facts }) : words}\n`);
  };
  let isConnected = false;
  client.on('welcome', ({ playerId, connectionId }) => {
    isConnected = true;
    const command = `npx respark disconnect ${player.stageOptions} --player ${quoteForShell(playerId, world.platform)}`;
    say(
      'welcome',
      { playerId, connectionId },
      `connected as ${printable(playerId)}, connection ${printable(connectionId)}`,
    );
    if (!isJson) world.stdout.write(`  to disconnect it: ${command}\n`);
  });
  client.on('notification', ({ type, payload }) => {
    say('notification', { type, payload }, `notification ${printable(type)} ${printable(JSON.stringify(payload))}`);
  });
  const complain = (error: Error) => {
    const code = error instanceof ResparkError ? error.code : 'usage';
    say('error', { code, message: error.message }, `error ${code}: ${printable(error.message)}`);
  };
  client.on('error', complain);
  client.on('disconnect', (end) => {
    const isUnreachable = !isConnected && end.closeCode === CLOSE_CODES.abnormal.code;
    say('disconnect', end, isUnreachable ? describeFailure(player.url, end) : describeEnd(end));
    isConnected = false;
  });

  const lines = createInterface({ input: world.stdin, terminal: false });
  lines.on('line', (line) => {
    send(client, line).then((answered) => {
      if (answered === undefined) return;
      const { type, answer: payload } = answered;
      say('response', { type, payload }, `response ${type} ${printable(JSON.stringify(payload))}`);
    }, complain);
  });
  const leaving = new AbortController();
  const release = world.onSignal(() => leaving.abort());
  try {
    await untilOver(client, leaving.signal);
  } finally {
    await client.close();
    release();
    lines.close();
  }
}

/** Throws a CommandError (exit code 2) for options that the SDK refuses, such as a URL that is not one. */
function createClient({ url, gameKey, token, storage }: Player, isOnce: boolean): ResparkClient {
  try {
    return new ResparkClient({ url, gameKey, token, storage, reconnect: isOnce ? { maxRetries: 0 } : {} });
  } catch (error) {
    throw error instanceof ResparkError ? new CommandError(error.message, { exitCode: 2, cause: error }) : error;
  }
}

/**
 * Resolves when `leaving` is aborted; rejects when the connection cannot be opened or is closed for good before that.
 */
async function untilOver(client: ResparkClient, leaving: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    leaving.addEventListener('abort', () => resolve());
    client.on('disconnect', ({ closeCode, reconnectInMs }) => {
      if (reconnectInMs !== undefined) return;
      reject(new CommandError(`the connection was closed for good (${closeCode})`));
    });
    client.connect().catch((cause: Error) => {
      reject(new CommandError(`cannot connect: ${printable(cause.message)}`, { cause }));
    });
  });
}

/** Describes an attempt that never became a connection. */
function describeFailure(url: string, { reason, reconnectInMs }: Disconnect): string {
  // The WebSocket of some platforms gives no reason.
  const why = reason === '' ? '' : `: ${printable(reason)}`;
  return `cannot reach ${printable(url)}${why}; is the server running ("respark serve")?\n${describeRetry(reconnectInMs)}`;
}

function describeRetry(reconnectInMs: number | undefined): string {
  if (reconnectInMs === undefined) return '  not reconnecting';
  return `  reconnecting in ${Math.round(reconnectInMs)} ms`;
}

/** Describes the end of a connection: its code and meaning, the reason, and the management call that caused it. */
function describeEnd({ closeCode, name, reason, requestId, reconnectInMs }: Disconnect): string {
  const meaning = name === undefined ? '' : CLOSE_CODES[name].meaning;
  return [
    `closed: ${closeCode}${name === undefined ? '' : ` ${name}: ${meaning}`}`,
    ...(reason === meaning ? [] : [`  reason: ${printable(reason)}`]),
    ...(requestId === undefined ? [] : [`  by the call with the request id ${requestId}`]),
    describeRetry(reconnectInMs),
  ].join('\n');
}

/** Sends the message that the line spells out. Resolves to its answer if it is a request. */
async function send(client: ResparkClient, line: string): Promise<{ type: string; answer: Payload } | undefined> {
  if (line.trim() === '') return undefined;
  const [, kind, type = '', json] = /^\s*(request|event)\s+(\S+)\s*(.*)$/.exec(line) ?? [];
  if (kind === undefined) throw new CommandError('a line must be "request TYPE JSON" or "event TYPE JSON"');
  const payload = findPayload(json || '{}');
  if (payload === undefined) throw new CommandError('the payload must be a JSON object, such as {"n": 1}');
  if (kind === 'request') return { type, answer: await client.request(type, payload) };
  client.event(type, payload);
  return undefined;
}

function findPayload(json: string): Payload | undefined {
  try {
    const payload: unknown = parseJson(json);
    if (typeof payload === 'object' && payload !== null && !Array.isArray(payload)) return payload as Payload;
  } catch {
    // Text that is not JSON is treated like JSON that is not an object.
  }
  return undefined;
}
