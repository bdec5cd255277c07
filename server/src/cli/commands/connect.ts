import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import {
  type Disconnect,
  ResparkClient,
  ResparkError,
  type SocketConstructor,
  type TokenStorage,
} from '@respark/client';
import { CLOSE_CODES, CONNECT_PATH, type Payload, parseJson } from '@respark/protocol';
import { Command } from 'commander';
import { DEMO_GAME, DEMO_STAGE } from '../../app/demo.ts';
import { writePrivateFile } from '../../data-directory/private-file.ts';
import { printable, withoutCredentials } from '../../text.ts';
import { readTextIfPresent } from '../files.ts';
import { getRunning } from '../management-client.ts';
import { addSettingOptions, settingsOf } from '../options.ts';
import type { UpgradeRefusal } from '../player-web-socket.ts';
import { quoteForShell } from '../shell.ts';
import { describeSocketFault } from '../socket-fault.ts';
import { formatJsonLine } from '../table.ts';
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
    .option(
      '--url <url>',
      `where players connect (default: the local server's address); without a path, ${CONNECT_PATH} is added`,
    )
    .option('--game-key <key>', 'game key of the stage (default: that of the local demo game)')
    .option(
      '--token-file <file>',
      "keep the player's token in this file: a new guest the first time, and the same player from then on",
    )
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
${CONNECT_PATH} is added to ws://HOST:PORT, but not to a URL that has a path, such as wss://game.example/respark${CONNECT_PATH}.

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
  /** Rejects when the server has left the URL. Asked before each attempt: the command may go on for hours. */
  readonly assertThere?: () => Promise<void>;
  /** The options by which `respark disconnect` finds the stage; a game key does not contain its name. */
  readonly stageOptions: string;
}

/** Finds the server, the game key and the token to connect with. Throws a CommandError if there is no game key. */
async function choosePlayer(world: World, command: Command): Promise<Player> {
  const settings = settingsOf(world, command);
  const { dataDir, sources } = settings;
  const { url: givenUrl, gameKey: givenKey, tokenFile, guest } = command.opts<Options>();
  if (guest && tokenFile !== undefined) {
    throw new CommandError(
      '--token-file alone already makes a new guest the first time, who comes back later; leave --guest out',
      { exitCode: 2 },
    );
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
      `there is no demo game in the data directory ${resolve(dataDir)}; start a server there ("respark serve --demo"), name another directory with --data-dir, or give a game key with --game-key`,
    );
  }
  const isDemo = gameKey === demo?.gameKey;
  const mayHaveToken = demo !== undefined || tokenFile !== undefined;
  const assertThere = async () => {
    const { playerUrl } = await getRunning(world.localFiles, settings, '--url');
    if (playerUrl !== url) throw new CommandError(`the server is at ${playerUrl} by now, no longer at ${url}`);
  };
  const isFound = mayHaveToken && givenUrl === undefined;
  if (isFound) await assertThere();
  const atDataDir = sources.dataDir === 'default' ? '' : ` --data-dir ${quoteForShell(dataDir, world.platform)}`;
  return {
    url,
    gameKey,
    ...(isFound && { assertThere }),
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
  world.goesOnForEver();
  /** How the server answered the current attempt over HTTP, if it did. */
  let refusal: UpgradeRefusal | undefined;
  // The package is loaded only here, because commands should start quickly.
  const { createPlayerWebSocket } = await import('../player-web-socket.ts');
  const WebSocket = createPlayerWebSocket((told) => {
    refusal = told;
  }, player.assertThere);
  const client = createClient(player, WebSocket, isOnce === true);
  const say = (event: string, facts: object, words: string) => {
    world.stdout.write(isJson ? formatJsonLine({ event, ...facts }) : `${words}\n`);
  };
  let isConnected = false;
  client.on('welcome', ({ playerId, connectionId }) => {
    isConnected = true;
    const command = `npx --no respark disconnect ${player.stageOptions} --player ${quoteForShell(playerId, world.platform)}`;
    say(
      'welcome',
      { playerId, connectionId },
      `connected as ${printable(playerId)}, connection ${printable(connectionId)}`,
    );
    if (!isJson) world.stdout.write(`  to disconnect it: ${printable(command)}\n`);
  });
  client.on('notification', ({ type, payload }) => {
    say('notification', { type, payload }, `notification ${printable(type)} ${printable(JSON.stringify(payload))}`);
  });
  const complain = (error: Error) => {
    const code = error instanceof ResparkError ? error.code : 'usage';
    say('error', { code, message: error.message }, printable(`error ${code}: ${error.message}`));
  };
  client.on('error', complain);

  const lines = sendLines(world, client, complain, ({ type, answer: payload }) => {
    say('response', { type, payload }, `response ${type} ${printable(JSON.stringify(payload))}`);
  });
  let release = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      let isRefused = false;
      release = world.onSignal(() => resolve());
      client.on('disconnect', (given) => {
        // The client would go on after a refusal for good: it is closed below, which is not worth a line.
        if (isRefused) return;
        const answer = refusal;
        refusal = undefined;
        isRefused = answer?.mayPass === false;
        const isFinal = given.reconnectInMs === undefined || isRefused;
        const end = {
          ...given,
          ...(answer === undefined ? {} : { reason: answer.text }),
          ...(isFinal ? { reconnectInMs: undefined } : {}),
        };
        const isUnreachable = !isConnected && end.closeCode === CLOSE_CODES.abnormal.code;
        isConnected = false;
        const failure = isUnreachable ? describeFailure(player.url, end.reason, answer) : undefined;
        // What ends the command is said by its error, which goes to stderr.
        if (isJson || failure === undefined || !isFinal) say('disconnect', end, describeEnd(end, failure));
        if (isFinal) reject(new CommandError(failure ?? describeGoodbye(end, player)));
      });
      client.connect().catch((cause: Error) => {
        reject(new CommandError(`cannot connect: ${printable(cause.message)}`, { cause }));
      });
    });
  } finally {
    await client.close();
    release();
    lines.close();
  }
}

function describeGoodbye({ closeCode }: Disconnect, { token }: Player): string {
  const goodbye = `the connection was closed for good (${closeCode})`;
  if (token === undefined || closeCode !== CLOSE_CODES.token_refused.code) return goodbye;
  return `${goodbye}; "respark serve --demo" gives the demo player a new token when it is started again, and --guest connects as a new player`;
}

/** Throws a CommandError (exit code 2) for options that the SDK refuses, such as a URL that is not one. */
function createClient({ url, gameKey, token, storage }: Player, WebSocket: SocketConstructor, isOnce: boolean) {
  const reconnect = isOnce ? { maxRetries: 0 } : {};
  try {
    return new ResparkClient({ url, gameKey, token, storage, WebSocket, reconnect });
  } catch (error) {
    throw error instanceof ResparkError ? new CommandError(error.message, { exitCode: 2, cause: error }) : error;
  }
}

/** Describes an attempt that never became a connection. */
function describeFailure(url: string, reason: string, refusal: UpgradeRefusal | undefined): string {
  if (refusal === undefined) {
    return `cannot reach ${printable(withoutCredentials(url))}: ${describeSocketFault(reason)}; is the server running ("respark serve")?`;
  }
  const isElsewhere = refusal.status === 404 || (refusal.status >= 300 && refusal.status < 400);
  const hint = `; ${CONNECT_PATH} is added only to a URL without a path: does its path end with ${CONNECT_PATH}?`;
  return `cannot connect to ${printable(withoutCredentials(url))}: ${refusal.text}${isElsewhere ? hint : ''}`;
}

/**
 * Describes the end of a connection: its code and meaning, the reason, and the management call that caused it; or that of
 * an attempt, as `failure` does. Then it says when the next attempt begins, if there is one.
 */
function describeEnd(end: Disconnect, failure?: string): string {
  const { closeCode, name, reason, requestId, until, reconnectInMs, farewell } = end;
  const retry = reconnectInMs === undefined ? [] : [`  reconnecting in ${describeWait(reconnectInMs)}`];
  if (failure !== undefined) return [failure, ...retry].join('\n');
  const known = name === undefined ? '' : ` ${name}`;
  if (closeCode === CLOSE_CODES.normal.code) return `closed: ${closeCode}${known}: ${printable(reason)}`;
  const meaning = name === undefined ? '' : CLOSE_CODES[name].meaning;
  // A reason has no semicolons, because they end it.
  const hasOwnReason = reason !== meaning.replaceAll(';', ',');
  const code = farewell?.reason;
  const told = farewell?.message ?? (hasOwnReason ? reason : undefined);
  return [
    `closed: ${closeCode}${known}${meaning === '' ? '' : `: ${meaning}`}`,
    ...(code === undefined ? [] : [`  reason: ${printable(code)}`]),
    ...(told === undefined || told === code ? [] : [`  ${farewell ? 'message' : 'reason'}: ${printable(told)}`]),
    ...(isTime(until) ? [`  until ${new Date(until).toISOString()}`] : []),
    ...(requestId === undefined ? [] : [`  by the call with the request id ${requestId}`]),
    ...retry,
  ].join('\n');
}

function describeWait(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`;
}

/** The server may be anybody's, and say what is no time. */
function isTime(ms: number | undefined): ms is number {
  return ms !== undefined && !Number.isNaN(new Date(ms).getTime());
}

/** Sends each line of stdin as it comes, until the result is closed. */
function sendLines(
  world: World,
  client: ResparkClient,
  complain: (error: Error) => void,
  answered: (answer: Answer) => void,
): Interface {
  const lines = createInterface({ input: world.stdin, terminal: false });
  lines.on('line', (line) => {
    send(client, line).then((answer) => answer && answered(answer), complain);
  });
  return lines;
}

interface Answer {
  readonly type: string;
  readonly answer: Payload;
}

/** Sends the message that the line spells out. Resolves to its answer if it is a request. */
async function send(client: ResparkClient, line: string): Promise<Answer | undefined> {
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
