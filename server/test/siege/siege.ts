// Attacks a server with one kind of abuse after the other, each from a process of its own, while an operator disconnects
// players, and measures how long the operator waits. Prints a table, and exits with 1 if a kind makes it wait too long.
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Libsql from 'libsql';
import { DATABASE_FILE } from '../../src/data-directory/server-files.ts';
import { openPlayer, type RawSocket } from '../fire/raw-websocket.ts';
import { fileOf } from '../support/game-document.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE } from '../support/server.ts';
import { BIN, type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { tlsFiles } from '../support/tls-files.ts';
import { ATTACKS } from './attacks.ts';
import { fillEvents } from './event-attacks.ts';
import { fillHistory } from './history-attacks.ts';
import { fillPlayerData } from './player-data-attacks.ts';
import { harmfulGame } from './scripted-attacks.ts';
import { LARGE_WORDING } from './staff-attacks.ts';
import { type Door, LARGE, LARGE_STAGE, type Target } from './target.ts';
import { TLS_ATTACKS } from './tls-attacks.ts';

const HELP = `npm run siege -- [--seconds 10] [--kind TEXT] [--bound-ms 25] [--from 127.0.0.2] [--tls] [--apart]

Disconnects 20 players a second with signed calls while one attacker sends one kind of abuse, for --seconds each: all of
the ${Object.keys(ATTACKS).length} kinds, or those whose name contains --kind. The attacker is a process of its own, and connects from another
loopback address than the operator. The table gives the milliseconds from a call to its answer. With --tls, the
server speaks TLS by itself, with an RSA key, and the ${Object.keys(TLS_ATTACKS).length} kinds are others, which attack that. With --apart,
players have a listener of their own, which is attacked: hundreds of sockets at once are accepted one after the other.

The exit code is 0 when the p99 of each kind is at most --bound-ms, or three times that without an attack, every call
was answered with the connection that it should end, and the heap is back to its size in the end.
`;

const CALLS_PER_SECOND = 20;
/** The attack has begun, and the server's first surprise is over, by then. */
const LEAD_MS = 500;
const CALL_MS = 15_000;
/** Caches fill, and V8 keeps what it knows of code that has run. What attacks leave behind would be much more. */
const MAX_HEAP_GROWTH_BYTES = 10 * 1_048_576;
const DOCUMENT_BYTES = 1_000_000;
/** As many as are kept of those that have ended, with policies as long as most. */
const ENDED_KEYS = 2_000;
const POLICY_CHARACTERS = 3_000;

const SERVER_ARGUMENTS = [
  // Each kind that uses handlers has a stage of its own.
  ...['--max-stages', '100'],
  // The receivers of the attacker's webhooks are on this machine.
  ...['--webhook-private-hosts', '127.0.0.1'],
];

const RSA = tlsFiles('rsa');
const APART_ARGUMENTS = ['--player-port', '0'];
const TLS_ARGUMENTS = ['--tls-cert-file', RSA.certFile, '--tls-key-file', RSA.keyFile];

const GAME_AND_STAGES = ['', '/*'].map((rest) => `arn:aws:gamesparks:*:*:*/${LARGE}${rest}`);
const OF_GAME = [{ Effect: 'Allow', Action: ['gamesparks:*', 'respark:*'], Resource: GAME_AND_STAGES }];
const OF_STAFF = [
  { Effect: 'Allow', Action: ['gamesparks:*', 'respark:*'], Resource: GAME_AND_STAGES },
  {
    Effect: 'Allow',
    Action: ['respark:ListAudit*', 'respark:GetReceipt', 'respark:RevokeOwn*', 'respark:Explain*'],
    Resource: '*',
  },
  // So that tags have to be looked up for each decision.
  { Effect: 'Deny', Action: '*', Resource: '*', Condition: { StringEquals: { 'aws:ResourceTag/siege': 'none' } } },
];
/** More than a page of blocks, more than one call looks at of players, and a busy time of calls. */
const LARGE_BLOCKS = 120;
const CROWD_SIZE = 300;
const CALLS_ON_RECORD = 2_000;
/** An address may open so many connections a second. */
const CROWD_PACE_MS = 12;

/** The game of the stage whose handlers do harm. */
const HARMFUL = 'Harmful';

type Call = (method: string, path: string, body?: unknown) => Promise<Record<string, never>>;

/** The kinds that are tried on a server, its arguments, and what makes what the attacker knows of it. */
interface Siege {
  readonly kinds: readonly string[];
  readonly args: readonly string[];
  readonly prepare: (server: ServerProcess, call: Call) => Promise<Door> | Door;
  /** Undoes what would be taken for a leak. */
  readonly clear: (call: Call) => Promise<void> | void;
}

type Attacker = ChildProcessByStdio<Writable, Readable, null>;

interface Result {
  readonly kind: string;
  /** Milliseconds from each call to its answer, in ascending order. */
  readonly waits: readonly number[];
  readonly faults: readonly string[];
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    kind: { type: 'string', default: '' },
    'bound-ms': { type: 'string', default: '25' },
    from: { type: 'string', default: '127.0.0.2' },
    tls: { type: 'boolean', default: false },
    apart: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else process.exitCode = await besiege();

async function besiege(): Promise<number> {
  const seconds = Number(values.seconds);
  const attacks = values.tls ? TLS_ATTACKS : ATTACKS;
  const kinds = Object.keys(attacks).filter((kind) => kind.includes(values.kind));
  if (kinds.length === 0 || !(seconds > 0)) {
    process.stderr.write(
      `no kind of attack contains "${values.kind}", or --seconds "${values.seconds}" is not a time\n`,
    );
    return 2;
  }
  const args = [...SERVER_ARGUMENTS, ...(values.tls ? TLS_ARGUMENTS : []), ...(values.apart ? APART_ARGUMENTS : [])];
  const siege = values.tls
    ? { kinds, args, prepare: doorOf, clear: () => {} }
    : { kinds, args, prepare, clear: removeWebhooks };
  const { held, isSound } = await besiegeServer(siege, seconds);
  process.stdout.write(`${held} of ${kinds.length} kinds held\n`);
  return held === kinds.length && isSound ? 0 : 1;
}

/** Tells how many kinds the server held out against, and whether it kept its size and ended as it should. */
async function besiegeServer(
  { kinds, args, ...siege }: Siege,
  seconds: number,
): Promise<{ held: number; isSound: boolean }> {
  const server = await startServerProcess(args);
  const call = callerOf(server);
  const target = await siege.prepare(server, call);
  const harmId = kinds.some(usesHandlers) ? await publishHarm(call) : '';
  await measure(server, 'warm-up', 2);
  const heapBefore = await server.heapUsed();
  const idle = await measure(server, 'nobody', seconds);
  const bound = Math.max(Number(values['bound-ms']), 3 * quantile(idle.waits, 0.99));
  print(idle, bound);
  const results: Result[] = [];
  let [next] = kinds.slice(0, 1).map(spawnAttacker);
  for (const [index, kind] of kinds.entries()) {
    const attacker = next ?? spawnAttacker(kind);
    const harmfulGameKey = usesHandlers(kind) ? await deployHarm(call, harmId, `Harm${index}`) : '';
    await startAttack(attacker, { ...target, harmfulGameKey });
    await wait(LEAD_MS);
    const result = await measure(server, kind, seconds);
    attacker.kill('SIGKILL');
    results.push(result);
    print(result, bound);
    // What the attacker has left in the server's queues must not count for the next kind, whose process starts meanwhile.
    [next] = kinds.slice(index + 1, index + 2).map(spawnAttacker);
    await wait(LEAD_MS);
  }
  await siege.clear(call);
  const heapAfter = await settledHeap(server, heapBefore);
  const failed = results.filter((result) => isFailed(result, bound));
  const isGrown = heapAfter > heapBefore + MAX_HEAP_GROWTH_BYTES;
  process.stdout.write(
    `heap before ${mebibytes(heapBefore)}, after ${mebibytes(heapAfter)}${isGrown ? ': not back to its size' : ''}; bound ${bound.toFixed(1)} ms\n`,
  );
  const exitCode = await server.stop();
  if (exitCode !== 0) process.stdout.write(`the server ended with ${exitCode}\n`);
  for (const { kind, faults } of failed)
    for (const fault of faults.slice(0, 3)) process.stdout.write(`${kind}: ${fault}\n`);
  return { held: results.length - failed.length, isSound: !isGrown && exitCode === 0 };
}

function usesHandlers(kind: string): boolean {
  return kind.startsWith('handlers');
}

/** Calls as the operator, who may do everything; any error of the server ends the siege, but for more calls than it takes. */
function callerOf(server: ServerProcess): Call {
  return async function call(method, path, body) {
    const { credentials } = server;
    const { status, json } = await rawCall(server, method, path, { credentials, body });
    if (status === 429) {
      await wait(50);
      return await call(method, path, body);
    }
    if (status !== 200) throw new Error(`${method} ${path} answered ${status} ${JSON.stringify(json)}`);
    return json as Record<string, never>;
  };
}

function doorOf({ url, playerUrl, gameKey }: ServerProcess): Door {
  const listener = values.apart ? new URL('/', playerUrl.replace(/^ws/, 'http')).href : url;
  return { url: listener, playerUrl, gameKey, address: values.from };
}

/** Makes the attacker's game, its key, what it may read, and its events. */
async function prepare(server: ServerProcess, call: Call): Promise<Target> {
  await call('POST', '/game', { GameName: LARGE });
  const document = largeDocument();
  const file = Buffer.from(document).toString('base64');
  await call('PUT', `/game/${LARGE}/configuration`, { ImportSource: { File: file } });
  const { Snapshot: { Id: snapshotId } = { Id: '' } } = await call('POST', `/game/${LARGE}/snapshot`, {});
  const { S3Url: downloadUrl = '' } = await call('GET', `/game/${LARGE}/snapshot/${snapshotId}/export`);
  await makeEvents(server, call);
  const staffKey = makeKey(server, OF_STAFF);
  fillAccessKeys(server, staffKey.accessKeyId);
  const requestId = await gather(server, call);
  await fillHistory(server, { call, snapshotId });
  fillPlayerData(server);
  return {
    ...doorOf(server),
    harmfulGameKey: '',
    ...{ key: makeKey(server, OF_GAME), snapshotId, document, downloadPath: new URL(downloadUrl).pathname },
    ...{ staffKey, requestId },
  };
}

/** Has the attacker's game keep events, and many of them. Its only webhook of ours is switched off. */
async function makeEvents(server: ServerProcess, call: Call): Promise<void> {
  const webhooks = `/respark/game/${LARGE}/webhook`;
  const { Webhook: { Id: id } = { Id: '' } } = await call('POST', webhooks, { Url: 'https://hooks.invalid/' });
  await call('PATCH', `${webhooks}/${id}`, { IsEnabled: false });
  await call('POST', `/game/${LARGE}/stage`, { StageName: 'Dev', Role: 'arn:aws:iam::000000000000:role/siege' });
  await call('POST', `/runtime/game/${LARGE}/stage/Dev/player/nobody/disconnect`);
  for (let isThere = false; !isThere; ) {
    await wait(50);
    const { Cursor: cursor = 0 } = await call('GET', `/respark/game/${LARGE}/event`);
    isThere = cursor > 0;
  }
  fillEvents(server);
}

/** Makes the stage whose players the attacker's calls are about; gives the request id of one of many calls on record. */
async function gather(server: ServerProcess, call: Call): Promise<string> {
  const input = { StageName: LARGE_STAGE, Role: 'arn:aws:iam::000000000000:role/siege' };
  const { Stage: { GameKey: gameKey } = { GameKey: '' } } = await call('POST', `/game/${LARGE}/stage`, input);
  for (let number = 0; number < LARGE_BLOCKS; number += 1) {
    await call('POST', `/respark/game/${LARGE}/stage/${LARGE_STAGE}/player/b${number}/block`, LARGE_WORDING);
  }
  for (let number = 0; number < CROWD_SIZE; number += 1) {
    await Promise.all([openPlayer({ ...server, gameKey }), wait(CROWD_PACE_MS)]);
  }
  let last = '';
  for (let number = 0; number < CALLS_ON_RECORD; number += 1) {
    const path = `/runtime/game/${LARGE}/stage/${LARGE_STAGE}/player/n${number}/disconnect`;
    last = (await call('POST', path, { Details: true })).OperationId ?? '';
  }
  return last;
}

/** What waits for a receiver that is gone is kept, as it should be, and is no leak. */
async function removeWebhooks(call: Call): Promise<void> {
  const webhooks = `/respark/game/${LARGE}/webhook`;
  const { Webhooks: left } = (await call('GET', webhooks)) as { Webhooks?: readonly { readonly Id: string }[] };
  for (const { Id: id } of left ?? []) await call('DELETE', `${webhooks}/${id}`);
}

/** Configures the game whose handlers do harm, and gives the id of its snapshot. */
async function publishHarm(call: Call): Promise<string> {
  await call('POST', '/game', { GameName: HARMFUL });
  const file = Buffer.from(fileOf(harmfulGame())).toString('base64');
  await call('PUT', `/game/${HARMFUL}/configuration`, { ImportSource: { File: file } });
  const { Snapshot: { Id: id } = { Id: '' } } = await call('POST', `/game/${HARMFUL}/snapshot`, {});
  return id;
}

/**
 * Makes a stage for one kind of attack, and gives its game key: what one kind leaves in the queue of its stage, or has its
 * stage paused for, must not keep the next from attacking.
 */
async function deployHarm(call: Call, snapshotId: string, stageName: string): Promise<string> {
  const stages = `/game/${HARMFUL}/stage`;
  const input = { StageName: stageName, Role: 'arn:aws:iam::000000000000:role/siege' };
  const { Stage: { GameKey: gameKey } = { GameKey: '' } } = await call('POST', stages, input);
  await call('POST', `${stages}/${stageName}/deployment`, { SnapshotId: snapshotId });
  for (;;) {
    const { StageDeployment } = await call('GET', `${stages}/${stageName}/deployment`);
    const { DeploymentState: state } = StageDeployment ?? { DeploymentState: '' };
    if (state === 'COMPLETED') return gameKey;
    if (state === 'FAILED') throw new Error(`the handlers could not be deployed: ${JSON.stringify(StageDeployment)}`);
    await wait(50);
  }
}

/** Puts keys beside this one that are like it, but have been revoked. */
function fillAccessKeys({ dataDir }: ServerProcess, like: string): void {
  const database = new Libsql(join(dataDir, DATABASE_FILE));
  try {
    database.exec(`PRAGMA busy_timeout = 5000;
      INSERT INTO access_keys (id, description, sealed_secret, policy, is_root, created_at, revoked_at)
        WITH RECURSIVE more (place) AS (SELECT 1 UNION ALL SELECT place + 1 FROM more WHERE place < ${ENDED_KEYS})
        SELECT id || place, description, sealed_secret, policy || printf('%*c', ${POLICY_CHARACTERS}, ' '), 0, created_at, created_at
        FROM access_keys, more WHERE id = '${like}'`);
  } finally {
    database.close();
  }
}

function makeKey({ dataDir }: ServerProcess, statement: readonly object[]): Target['key'] {
  const directory = mkdtempSync(join(tmpdir(), 'respark-siege-'));
  const policyFile = join(directory, 'policy.json');
  writeFileSync(policyFile, JSON.stringify({ Version: '2012-10-17', Statement: statement }));
  const args = [BIN, 'keys', 'create', '--policy', policyFile, '--json', '--data-dir', dataDir];
  try {
    return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function largeDocument(): string {
  const members: string[] = [];
  for (let at = 0, bytes = 0; bytes < DOCUMENT_BYTES - 1_000; at += 1) {
    members.push(`"k${at.toString(36)}":${at % 3 === 0 ? '{"a":1}' : '"v"'}`);
    bytes += (members.at(-1) ?? '').length + 1;
  }
  return `{"Document":{"Type":"Game","Sections":{"GameSparks.Large":{${members.join(',')}}}}}`;
}

/** A process that does nothing before it is told whom to attack. */
function spawnAttacker(kind: string): Attacker {
  const program = fileURLToPath(new URL('attacker.js', import.meta.url));
  const attacker = spawn(process.execPath, [program, kind], { stdio: ['pipe', 'pipe', 'inherit'] });
  const leave = () => attacker.kill('SIGKILL');
  process.once('exit', leave);
  attacker.once('exit', () => process.off('exit', leave));
  return attacker;
}

async function startAttack(attacker: Attacker, target: Door & Pick<Target, 'harmfulGameKey'>): Promise<void> {
  const exited = once(attacker, 'exit').then(([code]) => Promise.reject(new Error(`the attacker ended with ${code}`)));
  exited.catch(() => {});
  attacker.stdin.end(JSON.stringify(target));
  await Promise.race([once(attacker.stdout, 'data'), exited]);
}

/** Disconnects players at a steady pace, whether or not the earlier calls have been answered. */
async function measure(server: ServerProcess, kind: string, seconds: number): Promise<Result> {
  const players: RawSocket[] = [];
  const calls: Promise<void>[] = [];
  const waits: number[] = [];
  const faults: string[] = [];
  const agent = new (server.url.startsWith('https:') ? TlsAgent : Agent)({ keepAlive: true });
  const disconnect = async (player: RawSocket, number: number) => {
    const welcome = JSON.parse(player.texts[0] ?? '{}');
    const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${welcome.playerId}/disconnect`;
    const { credentials } = server;
    const startedAt = performance.now();
    // Half of the calls come over a connection of their own, as a command line's do.
    const call = rawCall(server, 'POST', path, { credentials, ...(number % 2 === 0 ? { agent } : {}) });
    const answer = await Promise.race([call, wait(CALL_MS, undefined, { ref: false })]);
    waits.push(performance.now() - startedAt);
    const successes = (answer?.json as { DisconnectSuccesses?: string[] })?.DisconnectSuccesses;
    if (answer?.status !== 200 || successes?.[0] !== welcome.connectionId)
      faults.push(`a call was answered ${answer?.status} ${JSON.stringify(answer?.json)}`);
  };
  for (let number = 0; number < seconds * CALLS_PER_SECOND; number += 1) {
    const pace = wait(1_000 / CALLS_PER_SECOND);
    const player = await openPlayer(server).catch((error: unknown) => void faults.push(`a player: ${error}`));
    if (player !== undefined) {
      players.push(player);
      calls.push(disconnect(player, number).catch((error: unknown) => void faults.push(`a call: ${error}`)));
    }
    await pace;
  }
  await Promise.all(calls);
  for (const { socket } of players) socket.destroy();
  agent.destroy();
  return { kind, waits: waits.sort((a, b) => a - b), faults };
}

async function settledHeap(server: ServerProcess, before: number): Promise<number> {
  for (let round = 0; ; round += 1) {
    const heap = await server.heapUsed();
    if (heap <= before + MAX_HEAP_GROWTH_BYTES || round === 10) return heap;
    await wait(1_000);
  }
}

function isFailed({ waits, faults }: Result, bound: number): boolean {
  return faults.length > 0 || waits.length === 0 || quantile(waits, 0.99) > bound;
}

function print(result: Result, bound: number): void {
  const figures = [0.5, 0.99, 1].map((share) => quantile(result.waits, share).toFixed(1).padStart(8)).join('');
  const verdict = isFailed(result, bound) ? '  FAILED' : '';
  process.stdout.write(`${result.kind.padEnd(44)}${figures}${verdict}\n`);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.POSITIVE_INFINITY;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
