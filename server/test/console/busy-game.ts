import { type Clock, systemClock } from '../../src/clock.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, STAGE, type TestPlayer, type TestServer } from '../support/server.ts';

const NAMES = 'ada bruno chiara dmitri elif farid greta hana imani joao kenji lucia mei noor omar priya'.split(' ');
const IN_STAGE = `/respark/game/${GAME}/stage/${STAGE}`;

const script = (version: number) => `
  var logging = GameSparks().Logging();
  logging.Info('match ' + (1000 + Math.floor(Math.random() * 9000)) + ' found on ' + ['Harbour', 'Old Town', 'Foundry'][${version} % 3]);
  if (Math.random() < 0.2) logging.Warn('matchmaking took ' + Math.floor(900 + Math.random() * 2000) + ' ms');
  if (Math.random() < 0.05) logging.Error('no free room in the region eu-central');
  return GameSparks().Messaging().Response({ Room: 'r-${version}' });`;

const game = (version: number) =>
  fileOf(
    scriptedGame({
      requests: { FindMatch: { response: { Room: 'String' }, script: script(version) } },
      notifications: { News: {} },
    }),
  );

/** Fills a server with what a game has on an ordinary evening: players, logs, blocks, deployments, jobs, a webhook. */
export async function makeBusy(
  server: TestServer,
  { players = 60 } = {},
): Promise<{ readonly players: readonly TestPlayer[]; readonly awaiting: string }> {
  await deploy(server, await createSnapshot(server, game(1)));
  const early = await connect(server, 0, Math.floor(players / 3));
  await deploy(server, await createSnapshot(server, game(2)));
  const late = await connect(server, Math.floor(players / 3), players);
  const all = [...early, ...late];
  all.slice(0, 40).forEach((player, n) => {
    player.request(`match ${n}`, 'Custom.Game.FindMatch');
  });
  await moderate(server);
  await startJob(server, { Selector: { PlayerIdPrefix: 'bot-' }, Reason: 'BOTS' });
  const awaiting = await startJob(server, {
    ...{ Selector: { RuntimeId: 'OLDER' }, Reason: 'UPDATE', Message: 'A new version is there.' },
    ...{ ReturnWithinSeconds: 120, RatePerSecond: 200, ConfirmAbove: 0 },
  });
  await rawCall(server, 'POST', `/respark/game/${GAME}/webhook`, {
    body: {
      Url: 'https://hooks.example.com/respark/live',
      Description: 'Moderation channel of the studio',
      EventTypes: ['player.blocked'],
    },
  });
  return { players: all, awaiting };
}

/** Starts a job that disconnects players, and gives its id. */
export async function startJob(server: TestServer, body: object): Promise<string> {
  const { json } = await rawCall(server, 'POST', `${IN_STAGE}/disconnect-job`, { body });
  return (json.Job as { readonly JobId: string }).JobId;
}

/** Has players come, each under a name of their own. */
export async function connect(server: TestServer, from: number, to: number): Promise<TestPlayer[]> {
  const found: TestPlayer[] = [];
  for (let n = from; n < to; n += 1) {
    const id = `${NAMES[n % NAMES.length]}-${(7_919 * (n + 3)) % 10_000}`;
    const { json } = await rawCall(server, 'POST', `${IN_STAGE}/player/${id}/token`, { body: {} });
    const token = String(json.AuthenticationToken);
    found.push(await server.connect({ token }));
    if (n % 7 === 0) found.push(await server.connect({ token }));
  }
  return found;
}

const HOUR_MS = 3_600_000;
const LOOK_MS = 20;

/** A clock that begins an hour ago, and on which time passes faster than it does while somebody wants that. */
export function hastyClock(): Clock & { speed(times: number): void } {
  let speed = 1;
  let passed = 0;
  let since = systemClock.monotonic();
  const begunAt = systemClock.now() - HOUR_MS;
  const monotonic = () => passed + speed * (systemClock.monotonic() - since);
  return {
    now: () => Math.round(begunAt + monotonic()),
    monotonic,
    after(delayMs, task) {
      const due = monotonic() + delayMs;
      let cancel = () => {};
      // It looks again now and then, because the speed may change before the time has come.
      const look = () => {
        const left = due - monotonic();
        if (left <= 0) task();
        else cancel = systemClock.after(Math.min(left / speed, LOOK_MS), look);
      };
      look();
      return () => cancel();
    },
    speed(times) {
      passed = monotonic();
      since = systemClock.monotonic();
      speed = times;
    },
  };
}

/** Has the players play for a while, now more and now less of them. */
export async function playOn(
  players: readonly TestPlayer[],
  { forMs, meanwhile }: { forMs: number; meanwhile: () => Promise<unknown> },
): Promise<void> {
  const steps = Math.ceil(forMs / 100);
  for (let step = 0; step < steps; step += 1) {
    const share = 0.5 + 0.35 * Math.sin(step / 17) + 0.15 * Math.sin(step / 5);
    players.slice(0, Math.round(share * players.length)).forEach((player, n) => {
      player.request(`${step} ${n}`, 'Custom.Game.FindMatch');
    });
    if (step === Math.floor(steps * 0.6)) await meanwhile();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What a moderator has done before. */
async function moderate(server: TestServer): Promise<void> {
  const player = (id: string) => `/respark/game/${GAME}/stage/${STAGE}/player/${id}`;
  const bans = [
    ['vex-4410', 'CHEATING', 'Aim assistance is not allowed.', 604_800, 'match 8121, aim 0.98'],
    ['toxic-tom', 'ABUSE', 'Please be kind. See you tomorrow.', 86_400, 'chat log 20:14'],
    ['smurf-7', 'BOOSTING', undefined, undefined, undefined],
  ] as const;
  for (const [id, Reason, Message, Seconds, Evidence] of bans)
    await rawCall(server, 'POST', `${player(id)}/block`, { body: { Reason, Message, Seconds, Evidence } });
  await rawCall(server, 'POST', `/runtime/game/${GAME}/stage/${STAGE}/player/bruno-9676/disconnect`, {
    body: { Reason: 'AFK', Message: 'You were away for too long.' },
  });
  await rawCall(server, 'POST', `${player('ghost')}/token/revocation`, { body: {} });
  await rawCall(server, 'POST', `/respark/game/${GAME}/stage/${STAGE}/notification`, {
    body: { Type: 'Custom.Game.News', Payload: {} },
  });
}
