// Makes the pictures of docs/console/: each page of the console in both themes, of a game that is being played.
//   npm run console:pictures [--width 390] [--language de] [--output FOLDER]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Page } from 'puppeteer-core';
import { openConsole } from '../support/console-page.ts';
import { deploy } from '../support/publishing.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';
import { connect, hastyClock, makeBusy, playOn, startJob } from './busy-game.ts';

const { values } = parseArgs({
  options: {
    width: { type: 'string', default: '1280' },
    height: { type: 'string', default: '860' },
    language: { type: 'string', default: 'en' },
    output: { type: 'string', default: fileURLToPath(new URL('../../../../docs/console/', import.meta.url)) },
  },
  // The test runner has its own.
  strict: false,
});

/** An hour of the server's passes while the game is played for half a minute. */
const SPEED = 100;
const PLAYED_MS = 30_000;

/** What has a time of its own is not to be hurried by the clock. */
const PATIENT = {
  maxClockSkewMs: 3 * 3_600_000,
  heartbeatMs: 3_600_000,
  scriptMaxMs: 600_000,
  scriptMaxBusyMs: 600_000,
  scriptWatchdogMs: 600_000,
  scriptCallTimeoutMs: 600_000,
};

const PAGES = [
  'home',
  'players',
  'player',
  'blocks',
  'notifications',
  'maintenance',
  'jobs',
  'job',
  'webhooks',
  'configuration',
  'deployments',
  'harness',
];
const PLACE = `game=${GAME}&stage=${STAGE}`;
const [SIGN_IN, ID, SECRET] =
  values.language === 'de'
    ? ['Anmelden', 'Access-Key-Id', 'Secret-Access-Key']
    : ['Sign in', 'Access key id', 'Secret access key'];

test('pictures of the console', async (t) => {
  const clock = hastyClock();
  const server = await startTestServer(t, { clock, settings: { ...PATIENT, writeCallsBurst: 1_000 } });
  const { players } = await makeBusy(server);
  clock.speed(SPEED);
  const meanwhile = async () => {
    // What checks a snapshot is given seconds of this clock, and needs its own.
    clock.speed(1);
    await deploy(server);
    await connect(server, 60, 110);
    clock.speed(SPEED);
  };
  await playOn(players, { forMs: PLAYED_MS, meanwhile });
  // What browser and server say of the time must fit together.
  const late = Date.now() - clock.now();
  await playOn(players, { forMs: late / (SPEED - 1) - 100, meanwhile: async () => {} });
  while (clock.now() < Date.now()) await new Promise((resolve) => setTimeout(resolve, 5));
  clock.speed(1);
  // It is at work while the pictures are made.
  const job = await startJob(server, { Selector: { RuntimeId: 'OLDER' }, Reason: 'UPDATE', RatePerSecond: 1 });
  mkdirSync(String(values.output), { recursive: true });
  for (const theme of ['light', 'dark'] as const) {
    const size = { width: Number(values.width), height: Number(values.height) };
    const opened = await openConsole(server.url, { theme, language: String(values.language), ...size });
    const shoot = async (name: `${string}`) =>
      await opened.page.screenshot({ path: join(String(values.output), `${name}-${theme}.png`) as `${string}.png` });
    await opened.shows(SIGN_IN);
    await shoot('sign-in');
    await opened.fill(ID, ROOT.accessKeyId);
    await opened.fill(SECRET, ROOT.secretAccessKey);
    await opened.press(SIGN_IN);
    for (const page of [...PAGES, 'logs', 'audit']) {
      const of = {
        player: '&player=ada-3757',
        job: `&job=${job}`,
        configuration: '&section=GameSparks.Core.RequestHandlers&entry=FindMatch',
      };
      await opened.page.evaluate(`location.hash = '#/${page}?${PLACE}${of[page as keyof typeof of] ?? ''}'`);
      await opened.page.waitForNetworkIdle({ idleTime: 400 });
      if (page === 'harness') await playMessages(opened.page);
      await shoot(page);
    }
  }
});

/** Connects, and sends a message twice, by the buttons in whatever language they are. */
async function playMessages(page: Page): Promise<void> {
  await page.click('.connect button[type=submit]');
  const isOn = (button: string) =>
    page.waitForFunction(`document.querySelector('${button}')?.ariaDisabled === 'false'`);
  for (let times = 0; times < 2; times += 1) {
    await isOn('.harness button[type=submit]');
    await page.click('.harness button[type=submit]');
    await page.waitForSelector('.harness .notice');
  }
  await page.waitForFunction("document.querySelector('.inspector')?.innerText.includes('found on')");
}
