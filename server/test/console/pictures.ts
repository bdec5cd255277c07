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
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer } from '../support/server.ts';
import { connect, lateClock, makeBusy, playOn, startJob } from './busy-game.ts';

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

/** What has a time of its own is not to be over when the clock is skipped. */
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
  'keys',
  'key',
  'policy',
  'configuration',
  'changes',
  'deployments',
  'harness',
];
const PLACE = `game=${GAME}&stage=${STAGE}`;
const [SIGN_IN, ID, SECRET] =
  values.language === 'de'
    ? ['Anmelden', 'Access-Key-Id', 'Secret-Access-Key']
    : ['Sign in', 'Access key id', 'Secret access key'];

test('pictures of the console', async (t) => {
  const clock = lateClock();
  const server = await startTestServer(t, { clock, settings: { ...PATIENT, writeCallsBurst: 1_000 } });
  const { players } = await makeBusy(server);
  const meanwhile = async () => {
    await deploy(server);
    return await connect(server, 60, 110);
  };
  await playOn(players, { clock, meanwhile });
  // It is at work while the pictures are made.
  const job = await startJob(server, { Selector: { RuntimeId: 'OLDER' }, Reason: 'UPDATE', RatePerSecond: 1 });
  const accessKeyId = await makeKeys(server);
  await changeConfiguration(server);
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
        player: '&player=greta-8087',
        job: `&job=${job}`,
        key: `&key=${accessKeyId}`,
        configuration: '&section=GameSparks.Core.RequestHandlers&entry=FindMatch',
      };
      await opened.page.evaluate(`location.hash = '#/${page}?${PLACE}${of[page as keyof typeof of] ?? ''}'`);
      await opened.page.waitForNetworkIdle({ idleTime: 400 });
      if (page === 'harness') await playMessages(opened.page);
      // The editor and what is asked of it come a moment later.
      if (page === 'policy' || page === 'key') await opened.page.waitForSelector('.statements li');
      await shoot(page);
    }
  }
});

/** Keys as a studio has them, one of which was revoked. Gives the id of one. */
async function makeKeys(server: TestServer): Promise<string> {
  const make = async (body: object) => {
    const { json } = await rawCall(server, 'POST', '/respark/access-key', { body });
    return (json.AccessKey as { readonly AccessKeyId: string }).AccessKeyId;
  };
  const former = await make({ Role: 'operator', Description: 'Bruno, until October' });
  await rawCall(server, 'DELETE', `/respark/access-key/${former}`);
  await make({ Role: 'admin', Description: 'Ada' });
  await make({ Role: 'developer', GameName: GAME, Description: 'builds and deploys of the CI' });
  await make({ Role: 'viewer', Description: 'dashboard in the office' });
  return await make({ Role: 'moderator', GameName: GAME, StageName: STAGE, Description: 'support, night shift' });
}

/** What a developer has done since the newest snapshot. */
async function changeConfiguration(server: TestServer): Promise<void> {
  const path = `/game/${GAME}/configuration`;
  const { json } = await rawCall(server, 'GET', path);
  const sections = (json.GameConfiguration as { Sections: Record<string, { Attributes: Record<string, unknown> }> })
    .Sections;
  const Section = 'GameSparks.Core.RequestHandlers';
  const handler = sections[Section]?.Attributes.FindMatch as { Code: { Script: string } };
  const Script = handler.Code.Script.replace('Math.random() < 0.2', 'Math.random() < 0.1').replace(
    "logging.Error('no free room in the region eu-central')",
    "logging.Error('no free room', 'eu-central')",
  );
  const Modifications = [
    { Section, Operation: 'ADD', Path: '/FindMatch', Value: { ...handler, Code: { ...handler.Code, Script } } },
    {
      ...{ Section: 'GameSparks.Core.Model', Operation: 'ADD', Path: '/Reward' },
      Value: { Structure: { Fields: { Coins: { Shape: 'Integer', Cardinality: 'Required' } } } },
    },
  ];
  await rawCall(server, 'PATCH', path, { body: { Modifications } });
}

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
