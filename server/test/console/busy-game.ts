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
const LOOK_MS = 10;
const STEP_MS = 10_000;

/** A clock that begins an hour ago, which does not pass until somebody skips it. */
export function lateClock(): Clock & { skip(ms: number): void } {
  let skipped = 0;
  const begunAt = systemClock.now() - systemClock.monotonic() - HOUR_MS;
  const monotonic = () => skipped + systemClock.monotonic();
  return {
    now: () => Math.round(begunAt + monotonic()),
    monotonic,
    after(delayMs, task) {
      const due = monotonic() + delayMs;
      let cancel = () => {};
      // It looks again now and then, because the time may have been skipped.
      const look = () => {
        const left = due - monotonic();
        if (left <= 0) task();
        else cancel = systemClock.after(Math.min(left, LOOK_MS), look);
      };
      look();
      return () => cancel();
    },
    skip(ms) {
      skipped += ms;
    },
  };
}

/** Has players play for an hour of the clock, now more and now less of them. `meanwhile` gives those who come. */
export async function playOn(
  first: readonly TestPlayer[],
  { clock, meanwhile }: { clock: ReturnType<typeof lateClock>; meanwhile: () => Promise<readonly TestPlayer[]> },
): Promise<void> {
  let players = first;
  const steps = HOUR_MS / STEP_MS;
  for (let step = 0; step < steps; step += 1) {
    const share = 0.5 + 0.35 * Math.sin(step / 17) + 0.15 * Math.sin(step / 5);
    const playing = players.slice(0, Math.round(share * players.length)).map(async (player, n) => {
      const id = `${step} ${n}`;
      player.request(id, 'Custom.Game.FindMatch');
      await player.next((frame) => frame.kind === 'response' && frame.id === id);
    });
    // Handlers take the time that they take: nothing of it is skipped.
    await Promise.all(playing);
    if (step === Math.floor(steps * 0.6)) players = [...(await meanwhile()), ...players];
    clock.skip(STEP_MS);
    // What is counted every few seconds is counted now.
    await new Promise((resolve) => setTimeout(resolve, 2 * LOOK_MS));
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
