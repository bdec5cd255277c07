import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyOfRole } from '../../src/domain/access/roles.ts';
import { administer } from '../support/administration.ts';
import { type ConsolePage, chromium, signIn } from '../support/console-page.ts';
import { freePort } from '../support/free-port.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, type TestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const HASH = `#/harness?${PLACE}`;

const SHAPES = {
  Rod: { Enum: { Values: ['HANDS', 'STICK'] } },
  Trout: {
    Structure: {
      Fields: {
        Species: { Shape: 'String', Cardinality: 'Required' },
        Caught: { Shape: 'Timestamp', Cardinality: 'Required' },
        Swallowed: { Shape: 'Trouts', Cardinality: 'Optional' },
      },
    },
  },
  Trouts: { List: { Shape: 'Trout' } },
  Weights: { Map: { Shape: 'Decimal' } },
};

const GREET = `GameSparks().Logging().Warn('weighed ' + message.Rod);
  GameSparks().Messaging().SendNotification('News', { Text: 'a pike' });
  return GameSparks().Messaging().Response({ Text: message.Rod });`;

const PLAYED = fileOf(
  scriptedGame({
    shapes: SHAPES,
    requests: {
      Weigh: {
        request: { Rod: 'Rod', Catch: 'Trouts', ByPlayer: 'Weights', Note: 'String?' },
        response: { Text: 'String' },
        script: GREET,
      },
      Refuse: { script: "return GameSparks().Messaging().Error('TooWindy', 'come back later');" },
    },
    events: { Splash: { event: { Loud: 'Boolean' }, script: "GameSparks().Logging().Info('splash');" } },
    notifications: { News: { Text: 'String' } },
  }),
);

async function served(...[t, options]: Parameters<typeof startTestServer>): Promise<TestServer> {
  const server = await startTestServer(t, options);
  await deploy(server, await createSnapshot(server, PLAYED));
  return server;
}

/** Only what is in the log of the page. */
const logged = ({ page }: ConsolePage, text: string) =>
  page.waitForFunction(`document.querySelector('.inspector')?.innerText.includes(${JSON.stringify(text)})`);

test('[chromium] a developer plays each message as a player, and sees the answer and all that happens', {
  skip,
}, async (t) => {
  const server = await served(t);
  const opened = await signIn(server.url, ROOT, { hash: HASH });
  await opened.shows('everything that is sent and received appears here');
  await opened.assertSound();
  await opened.fill('Player id', 'tess');
  await opened.press('Connect');
  await opened.shows(/connected as\s+tess/);
  await logged(opened, 'welcome');
  await opened.assertSound();

  // The example fits its shape as it is, with optional fields and without.
  await opened.press('Send');
  await opened.shows(/Answer after [\d.]+ ms/);
  await logged(opened, 'HANDS');
  await logged(opened, 'weighed HANDS');
  await logged(opened, 'a pike');
  await opened.press('With optional fields');
  await opened.press('Send');
  await opened.page.waitForFunction("document.querySelectorAll('.inspector .badge.good').length >= 2");
  await opened.assertSound();

  await opened.fill('Payload, as JSON', '{"Rod":"NET"}');
  await opened.press('Send');
  await opened.shows('bad_request: payload.Rod must be one of');
  await opened.fill('Payload, as JSON', '{"Rod":');
  await opened.shows('JSON');
  assert.equal(await isOff(opened, 'Send'), 'true', 'no JSON is not sent');

  await opened.choose('Message', 'request Custom.Game.Refuse');
  await opened.press('Send');
  await opened.shows('TooWindy: come back later');
  await opened.assertSound();
  await opened.choose('Message', 'event Custom.Game.Splash');
  await opened.press('Send');
  await opened.shows('Events are not answered');
  await logged(opened, 'splash');
  const times = "[...document.querySelectorAll('.inspector time')].map(({ dateTime }) => dateTime)";
  const shown = (await opened.page.evaluate(times)) as string[];
  assert.deepEqual(shown, shown.toSorted(), 'what a script wrote stands before the answer that came after it');

  await rawCall(server, 'POST', `/respark/game/${GAME}/stage/${STAGE}/player/tess/notification`, {
    body: { Type: 'Custom.Game.News', Payload: { Text: 'from the staff' } },
  });
  await logged(opened, 'from the staff');
  await rawCall(server, 'POST', `/runtime/game/${GAME}/stage/${STAGE}/player/tess/disconnect`, {
    body: { Reason: 'AFK' },
  });
  await logged(opened, '4500 disconnected');
  assert.equal(await isOff(opened, 'Send'), 'true', 'without a connection nothing is sent');
  const log = String(await opened.page.evaluate("document.querySelector('.inspector').innerText"));
  assert.match(log, /hello[\s\S]*\(hidden\)/);
  assert(!/[\w-]{60,}/.test(log), 'no token is in the log');
  assert.equal((await opened.page.evaluate('sessionStorage.length + document.cookie.length')) as number, 0);
  await opened.assertSound();
});

const isOff = ({ page }: ConsolePage, name: string) =>
  page.evaluate(
    `[...document.querySelectorAll('main button')].find((each) => each.textContent === ${JSON.stringify(name)}).ariaDisabled`,
  );

test('[chromium] a guest plays, and whoever stays is told of a newer deployment', { skip }, async (t) => {
  const server = await served(t);
  const opened = await signIn(server.url, ROOT, {
    hash: `${HASH}&message=request%20Custom.Game.Refuse`,
    theme: 'dark',
  });
  await opened.choose('Connect as', 'guest');
  await opened.press('Connect');
  await opened.shows('connected as');
  await opened.press('Send');
  await opened.shows('TooWindy');
  await opened.assertSound();
  await deploy(server);
  await opened.shows('A connection stays on the runtime it opened on');
  await opened.press('Disconnect');
  await opened.press('Connect');
  await opened.page.waitForFunction("!document.body.innerText.includes('Something was deployed since')");
});

test('[chromium] a test player stays while other pages are looked at, and can be sent away there', {
  skip,
}, async (t) => {
  const server = await served(t);
  const opened = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  await opened.shows('Nobody is online in this stage.');
  await opened.assertSound();
  await opened.press('Connect one in the test harness');
  await opened.shows('Connect as');
  const connections = async () => {
    const { json } = await rawCall(server, 'GET', `/respark/game/${GAME}/stage/${STAGE}/connection-count`);
    return Number(json.Connections);
  };
  await opened.fill('Player id', 'tess');
  await opened.press('Connect');
  await opened.shows(/connected as\s+tess/);
  await opened.press('Logs');
  await opened.shows('Logs');
  await opened.press('Test harness');
  await opened.shows(/connected as\s+tess/);
  await logged(opened, 'welcome');
  await opened.press('Send');
  await opened.shows(/Answer after [\d.]+ ms/);
  await logged(opened, 'weighed HANDS');

  await opened.page.evaluate("document.querySelector('.connected a').click()");
  await opened.shows('Connections (1)');
  await opened.press('Disconnect…');
  await opened.fill('Message to the player', 'See you');
  await opened.press('Show what it will do');
  await opened.press('Disconnect 1 connection');
  await opened.shows('1 connection closed.');
  assert.equal(await connections(), 0);
  await opened.press('Close');
  await opened.press('Test harness');
  await logged(opened, '4500 disconnected');
  await logged(opened, 'See you');
  await opened.assertSound();

  await opened.press('Connect');
  await opened.shows(/connected as\s+tess/);
  assert.equal(await connections(), 1);
  await opened.press('Sign out');
  await opened.shows('Sign in');
  await until(() => server.counts().sockets === 0);
});

test('[chromium] a stage without a deployment says what to do, and so does a refusal', { skip }, async (t) => {
  const server = await startTestServer(t);
  const opened = await signIn(server.url, ROOT, { hash: HASH });
  await opened.shows('Make a message, or deploy those that there are, and they are here.');
  await rawCall(server, 'POST', `/respark/game/${GAME}/stage/${STAGE}/player/tess/block`, {
    body: { Reason: 'ABUSE' },
  });
  await opened.fill('Player id', 'tess');
  await opened.press('Connect');
  await opened.shows('The player is blocked.');
  await logged(opened, '4510 blocked');
  await opened.assertSound();
});

test('[chromium] a test player who is not let in learns why in plain words, and where to change it', {
  skip,
}, async (t) => {
  const server = await served(t);
  const stage = `/respark/game/${GAME}/stage/${STAGE}`;
  await rawCall(server, 'POST', `${stage}/player/test-player/block`, { body: {} });
  const opened = await signIn(server.url, ROOT, { hash: HASH });
  await opened.press('Connect');
  await opened.shows('The player is blocked. A test player is not let in either.');
  await rawCall(server, 'POST', `${stage}/closure`, { body: {} });
  await opened.fill('Player id', 'another-player');
  await opened.press('Connect');
  const closed = await opened.shows('The stage is closed to players. A test player is not let in either.');
  assert.doesNotMatch(closed, /No connection to/);
  await opened.assertSound();
  await opened.press('Maintenance');
  await opened.shows('Open the stage…');
});

test('[chromium] a viewer may play as a guest only, and is told why', { skip }, async (t) => {
  const server = await served(t);
  const policy = JSON.stringify(policyOfRole('viewer', { game: GAME, stage: STAGE }));
  const key = await administer(server, (access) => access.createKey({ policy, description: 'viewer' }));
  const opened = await signIn(server.url, key, { hash: HASH });
  await opened.page.waitForFunction("[...document.querySelectorAll('button')].some((each) => each.title !== '')");
  assert.equal(await isOff(opened, 'Connect'), 'true');
  await opened.choose('Connect as', 'guest');
  await opened.press('Connect');
  await opened.shows('connected as');
  await opened.assertSound();
});

test('[chromium] where players have a listener of their own, the page says which settings open it, and they do', {
  skip,
}, async (t) => {
  const closed = await served(t, { settings: { playerPort: 0 } });
  const told = await signIn(closed.url, ROOT, { hash: HASH });
  await told.shows('Set RESPARK_PLAYER_URL on the server');
  await told.shows(`add ${new URL(closed.url).origin} to RESPARK_ALLOWED_ORIGINS`);
  assert.equal(await isOff(told, 'Connect'), 'true');
  await told.assertSound();

  const half = await served(t, { settings: await elsewhere() });
  const refused = await signIn(half.url, ROOT, { hash: HASH });
  await refused.press('Connect');
  await refused.shows('The server lets no page of http://127.0.0.1');
  await refused.assertSound();

  const port = await freePort();
  const allowedOrigins = [`http://127.0.0.1:${port}`];
  const open = await served(t, { settings: { ...(await elsewhere()), port, allowedOrigins } });
  const opened = await signIn(open.url, ROOT, { hash: HASH });
  await opened.press('Connect');
  await opened.shows('connected as');
  await opened.press('Send');
  await opened.shows('Answer after');
  await opened.assertSound();
});

/** A listener for players, of which the server is told where it is. */
async function elsewhere() {
  const playerPort = await freePort();
  return { playerPort, playerUrl: `ws://127.0.0.1:${playerPort}` };
}
