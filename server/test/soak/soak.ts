// Lets players, operators and abusers loose for minutes on the real server, in a process of its own, then compares what
// the clients know with what the server says. Prints every difference, and exits with 1 if there is one.
import { setMaxListeners } from 'node:events';
import { parseArgs } from 'node:util';
import { rawCall } from '../support/raw-call.ts';
import { GAME, STAGE } from '../support/server.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { abuse } from './abuse.ts';
import { disconnectInARow } from './in-a-row.ts';
import { playRaw, playSdk, Roster, type Stage } from './players.ts';
import { inTime, pause, Tally } from './tally.ts';

const HELP = `npm run soak -- [--minutes 3] [--players 2000] [--in-a-row 10000]

Players on plain WebSockets and players of the SDK come, play, leave and vanish, while operators disconnect them and
abusers send floods, garbage or nothing at all. A quarter of a minute of this warms the server up. Then --in-a-row
players are disconnected in a row, eight at a time, each as soon as it is welcomed. Then the same goes on for --minutes.

The heap after the warm-up is compared with the heap at the end, both after all players have left and after a garbage
collection. Progress is on stderr. The exit code is 0 when the clients' sockets, the gateway and the directory agree,
the heap is back to its size, every call was answered, and no player was closed with an unexpected code.
`;

const WARM_UP_MS = 15_000;
const RAMP_MS = 5_000;
const CALL_MS = 20_000;
const OPERATORS = 16;
/** The largest allowed ratio of the heap at the end to the heap after the warm-up. */
const HEAP_TOLERANCE = 1.1;
/** How long a client's socket may stay open after the answer that calls it closed. */
const CLOSE_MS = 5_000;

const SERVER_ARGUMENTS = [
  // The server believes the address that each client claims, as if behind a proxy.
  ...['--trusted-proxies', '127.0.0.1'],
  // A busy machine needs more time to welcome a player.
  ...['--heartbeat-ms', '5000', '--auth-timeout-ms', '10000'],
  // A slow reader must be able to fill its outbox before it counts as a flooder.
  ...['--messages-per-second', '1000', '--messages-burst', '12000'],
  ...['--messages-per-second-per-address', '1000000', '--messages-burst-per-address', '1000000'],
  ...['--bytes-burst', '16000000', '--bytes-burst-per-address', '16000000'],
  ...['--max-requests-in-flight', '10000', '--max-outbox-bytes', '262144'],
  // The operators call again as soon as they are answered.
  // The players who come in a row are more than the default of 1,000 a second.
  ...['--handshakes-per-second', '100000'],
  ...['--disconnect-calls-per-second', '100000', '--read-calls-per-second', '100000'],
];

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    players: { type: 'string', default: '2000' },
    'in-a-row': { type: 'string', default: '10000' },
    help: { type: 'boolean', default: false },
  },
});
const say = (text: string) => void process.stderr.write(`${text}\n`);

if (values.help) process.stdout.write(HELP);
else process.exitCode = await soak(Number(values.minutes), Number(values.players), Number(values['in-a-row']));

async function soak(minutes: number, players: number, inARow: number): Promise<number> {
  const tally = new Tally();
  const server = await startServerProcess(SERVER_ARGUMENTS);
  say(`warming up with ${players} players`);
  await play({ server, tally, players, durationMs: WARM_UP_MS });
  const heapBefore = await server.heapUsed();
  const roster = new Roster();
  say(`disconnecting ${inARow} players in a row; the heap is ${mebibytes(heapBefore)}`);
  await disconnectInARow({ server, tally, roster, times: inARow, say });
  await waitFor(tally, 'no player after them', async () => agree({ server, roster }, 0));
  say(`playing for ${minutes} minutes`);
  await play({ server, tally, players, durationMs: minutes * 60_000 });
  const heapAfter = await server.heapUsed();
  if (heapAfter > heapBefore * HEAP_TOLERANCE) tally.fault('the heap is not back to its size');

  const exitCode = await server.stop();
  if (exitCode !== 0) tally.fault(`the server ended with ${exitCode}`);
  for (const alarm of server.alarms) tally.fault(`the server says: ${alarm.slice(0, 500)}`);
  const calls = tally.of('DisconnectPlayer calls');
  if (calls === 0) tally.fault('no player was disconnected');
  say(tally.lines().join('\n'));
  say(`the heap was ${mebibytes(heapBefore)} and is ${mebibytes(heapAfter)} (${(heapAfter / heapBefore).toFixed(3)})`);
  for (const fault of tally.faults) say(`FAULT: ${fault}`);
  say(tally.faultCount === 0 ? 'all agrees' : `${tally.faultCount} faults`);
  return tally.faultCount === 0 ? 0 : 1;
}

/** Runs one round, from the arrival of the first player until the last has left. */
async function play({
  server,
  tally,
  players,
  durationMs,
}: {
  server: ServerProcess;
  tally: Tally;
  players: number;
  durationMs: number;
}): Promise<void> {
  const roster = new Roster();
  const [settle, leave] = [new AbortController(), new AbortController()];
  // Every player listens to both.
  setMaxListeners(0, settle.signal, leave.signal);
  const stage: Stage = { server, tally, roster, settle: settle.signal, leave: leave.signal };
  const proven = new Set<string>();
  const everyone = Array.from({ length: players }, async (_, number) => {
    await pause((number / players) * RAMP_MS, (number / players) * RAMP_MS, leave.signal);
    await (number % 4 === 0 ? playSdk(stage, number) : playRaw(stage, number));
  });
  const others = [
    abuse(stage, settle.signal),
    report(stage),
    ...Array.from({ length: OPERATORS }, () => operate(stage, proven)),
  ];
  await pause(durationMs, durationMs, leave.signal);

  settle.abort();
  await Promise.all(others);
  await waitFor(tally, `all ${players} players`, async () => agree(stage, players));
  await compareStatus(stage);
  leave.abort();
  await Promise.all(everyone);
  await waitFor(tally, 'no player', async () => agree(stage, 0));
  for (const id of roster.disconnected)
    if (!proven.has(id)) tally.fault(`${id} was disconnected, and no answer says so`);
}

/** Disconnects random players, again and again, as one operator. */
async function operate({ server, tally, roster, settle }: Stage, proven: Set<string>): Promise<void> {
  while (!settle.aborted) {
    await pause(20, 120, settle);
    const player = roster.pick();
    if (player === undefined) continue;
    const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${player.playerId}`;
    const { credentials } = server;
    const answer = await inTime(
      tally,
      CALL_MS,
      'a call',
      rawCall(server, 'POST', `${path}/disconnect`, { credentials }),
    );
    if (answer === undefined) continue;
    tally.count('DisconnectPlayer calls');
    const { DisconnectSuccesses: successes, DisconnectFailures: failures } = answer.json as Record<string, string[]>;
    if (answer.status !== 200 || successes === undefined || failures?.length !== 0) {
      tally.fault(`DisconnectPlayer answered ${answer.status} ${JSON.stringify(answer.json)}`);
      continue;
    }
    for (const id of successes) {
      proven.add(id);
      setTimeout(() => roster.open.has(id) && tally.fault(`${id} is open after an answer called it closed`), CLOSE_MS);
    }
    const status = await inTime(
      tally,
      CALL_MS,
      'a call',
      rawCall(server, 'GET', `${path}/connection`, { credentials }),
    );
    if (status === undefined) continue;
    tally.count('GetPlayerConnectionStatus calls');
    const listed = ((status.json.Connections ?? []) as { Id: string }[]).filter(({ Id }) => proven.has(Id));
    if (status.status !== 200 || listed.length > 0) tally.fault(`still listed: ${JSON.stringify(status.json)}`);
  }
}

/** The counts of the clients, the gateway and the directory, unless each of them is `expected`. */
async function agree(
  { server, roster }: Pick<Stage, 'server' | 'roster'>,
  expected: number,
): Promise<string | undefined> {
  const metrics = await server.metrics();
  const counts = {
    'open clients': roster.open.size,
    respark_sockets: metrics.get('respark_sockets'),
    respark_sockets_unauthenticated: (metrics.get('respark_sockets_unauthenticated') ?? 0) + expected,
    respark_connections: metrics.get('respark_connections'),
    respark_directory_entries: metrics.get('respark_directory_entries'),
  };
  return Object.values(counts).every((count) => count === expected) ? undefined : JSON.stringify(counts);
}

/** Checks again and again until nothing differs. After half a minute, the difference is a fault. */
async function waitFor(tally: Tally, what: string, differs: () => Promise<string | undefined>): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const difference = await differs();
    if (difference === undefined) return;
    if (performance.now() > deadline) {
      tally.fault(`waiting for ${what}: ${difference}`);
      return;
    }
    await pause(200, 200, new AbortController().signal);
  }
}

/** Checks, for up to 100 connections, that the API lists exactly the connection that the client holds. */
async function compareStatus({ server, tally, roster }: Stage): Promise<void> {
  for (const [connectionId, playerId] of [...roster.open].slice(0, 100)) {
    const path = `/runtime/game/${GAME}/stage/${STAGE}/player/${playerId}/connection`;
    const { json } = await rawCall(server, 'GET', path, { credentials: server.credentials });
    const ids = ((json.Connections ?? []) as { Id: string }[]).map(({ Id }) => Id);
    if (ids.length !== 1 || ids[0] !== connectionId) tally.fault(`${playerId} has ${connectionId}, not ${ids}`);
  }
}

async function report({ server, tally, roster, settle }: Stage): Promise<void> {
  const startedAt = performance.now();
  while (!settle.aborted) {
    await pause(10_000, 10_000, settle);
    const metrics = await server.metrics();
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    const cpu = metrics.get('process_cpu_seconds_total')?.toFixed(0);
    say(
      `${seconds} s: ${roster.open.size} clients, ${metrics.get('respark_sockets')} sockets, ${tally.of('DisconnectPlayer calls')} disconnects, ${cpu} s of CPU, ${tally.faultCount} faults`,
    );
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(2)} MiB`;
}
