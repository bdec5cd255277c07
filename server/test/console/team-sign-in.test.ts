import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Provider } from 'oidc-provider';
import { readAudit } from '../support/administration.ts';
import { type ConsolePage, chromium, openConsole, signIn, write } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { importDocument } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer, until } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const CLIENT = { client_id: 'respark', client_secret: 'a-secret-of-the-tests-that-is-long-enough' };
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  ada: ['live-ops'],
  dora: ['admins'],
  mallory: ['players'],
};
const PLACE = `game=${GAME}&stage=${STAGE}`;

/** An OpenID provider in which people sign in by name, and a server whose teams sign in by it. */
async function open(t: TestContext) {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const stop = () => {
    listener.close();
    listener.closeAllConnections();
  };
  t.after(stop);
  const issuer = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    // A native client may come back at any port of this machine (RFC 8252, section 7.3).
    clients: [{ ...CLIENT, application_type: 'native', redirect_uris: ['http://127.0.0.1/console/'] }],
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
    conformIdTokenClaims: false,
    findAccount: (_: unknown, sub: string) => ({
      accountId: sub,
      claims: async () => ({ sub, name: `${sub} of the tests`, groups: GROUPS[sub] ?? [] }),
    }),
    cookies: { keys: ['a key of the tests'] },
  });
  listener.on('request', provider.callback());
  const server = await startTestServer(t, {
    settings: {
      ...{ signInIssuer: issuer, signInClientId: CLIENT.client_id, signInClientSecret: CLIENT.client_secret },
      ...{ signInRoles: ['admins=admin', `live-ops=moderator@${GAME}/${STAGE}`], signInScopes: ['groups'] },
    },
  });
  return { issuer, server, stop, button: `Sign in with ${new URL(issuer).host}` };
}

/** Keeps the pages of the provider from loading what is not on this machine, such as fonts. */
async function stayHere({ page }: ConsolePage): Promise<void> {
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const isHere = new URL(request.url()).hostname === '127.0.0.1';
    void (isHere ? request.continue() : request.abort('aborted'));
  });
}

/** Fills in the forms of the provider: who it is, and that this server may know. */
async function signInAtProvider({ page }: ConsolePage, name: string): Promise<void> {
  await page.waitForSelector('input[name=login]');
  await page.type('input[name=login]', name);
  await page.type('input[name=password]', 'any');
  await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')]);
  await page.waitForSelector('button[type=submit], button.login-submit');
  await Promise.all([page.waitForNavigation(), page.click('button[type=submit], button.login-submit')]);
}

const addressOf = async ({ page }: ConsolePage) => String(await page.evaluate('location.href'));

test('[chromium] somebody signs in by the provider, gets to the page they wanted, may do what their group may, and signs out', {
  skip,
}, async (t) => {
  const { server, button, issuer } = await open(t);
  const opened = await openConsole(server.url, { hash: `#/blocks?${PLACE}`, theme: 'dark' });
  await stayHere(opened);
  await opened.shows(button);
  await opened.shows('or with an access key');
  await opened.assertSound();
  // By keyboard alone: it is the first thing on the page.
  await opened.page.keyboard.press('Tab');
  assert.equal(await opened.page.evaluate('document.activeElement.textContent'), button);
  await Promise.all([opened.page.waitForNavigation(), opened.page.keyboard.press('Enter')]);
  await signInAtProvider(opened, 'ada');
  await opened.shows('Sign out');
  await opened.shows('Blocks');
  assert.equal(
    await addressOf(opened),
    `${server.url}/console/#/blocks?${PLACE}`,
    'nothing of the sign-in is left in it',
  );
  const seen = await opened.shows('Players');
  assert.ok(!seen.includes('Access keys') && !seen.includes('Webhooks'), 'what the role does not allow is not shown');
  await opened.assertSound();
  await opened.page.reload();
  await opened.shows('Sign out');

  const [made] = await readAudit(server, { operation: 'CreateAccessKey' });
  assert.match(made?.actor ?? '', / ada$/);
  assert.match(made?.details?.description ?? '', /^moderator.*: ada of the tests.*, signed in at 127\.0\.0\.1:\d+$/);
  const id = made?.resource.split('/').at(-1) ?? '';
  const stateOf = async () => {
    const { json } = await rawCall(server, 'GET', `/respark/access-key/${id}`);
    return (json.AccessKey as { State: string }).State;
  };
  assert.equal(await stateOf(), 'ACTIVE');
  // What somebody is called is their own choice, so the pages say who it is beside that.
  const others = await signIn(server.url, ROOT, { hash: `#/keys?${PLACE}` });
  await others.shows(`Signed in as: ${issuer} ada`);
  await others.press(id);
  await others.shows('Details');
  await others.shows(`${issuer} ada`);
  await others.assertSound();
  const revoked = opened.page.waitForResponse((reply) => reply.url().endsWith('/respark/own-access-key'));
  await opened.press('Sign out');
  await opened.shows(button);
  assert.equal((await revoked).status(), 200);
  assert.equal(await stateOf(), 'REVOKED');
  assert.equal(await opened.page.evaluate('sessionStorage.length'), 0);
  await opened.assertSound();
});

test('[chromium] whoever is in no group that gets in is told which those are, in their language', {
  skip,
}, async (t) => {
  const { server, issuer } = await open(t);
  const opened = await openConsole(server.url, { language: 'de' });
  await stayHere(opened);
  await opened.press(`Anmelden mit ${new URL(issuer).host}`);
  await signInAtProvider(opened, 'mallory');
  await opened.shows('Sie wurden nicht angemeldet.');
  await opened.shows('none of the groups that get in, "admins", "live-ops"');
  await opened.shows('Request-Id');
  assert.equal(await addressOf(opened), `${server.url}/console/`);
  assert.deepEqual(
    (await readAudit(server, { operation: 'CreateAccessKey' })).map(({ outcome }) => outcome?.error),
    ['access_denied'],
  );
});

test('[chromium] an answer that this tab has not asked for signs nobody in, and neither does one that was used', {
  skip,
}, async (t) => {
  const { server, button, issuer } = await open(t);
  const opened = await openConsole(server.url);
  await stayHere(opened);
  const posted: string[] = [];
  opened.page.on('request', (request) => void (request.method() === 'POST' && posted.push(request.url())));
  const comeBack = async (query: string) => await opened.page.goto(`${server.url}/console/?${query}#/players`);
  await comeBack(`code=of-somebody-else&state=theirs&iss=${encodeURIComponent(issuer)}`);
  await opened.shows('This tab has not begun the sign-in');
  assert.equal(await addressOf(opened), `${server.url}/console/`);
  assert.deepEqual(posted, [], 'the code is sent to nobody');
  await opened.assertSound();

  let answer = '';
  opened.page.on('framenavigated', (frame) => {
    if (frame.url().includes('code=')) answer = new URL(frame.url()).search.slice(1);
  });
  await opened.press(button);
  await signInAtProvider(opened, 'ada');
  await opened.shows('Sign out');
  assert.match(answer, /code=/);
  await opened.press('Sign out');
  await opened.shows(button);
  await comeBack(answer);
  await opened.shows('This tab has not begun the sign-in');

  const begun = JSON.stringify({ state: 'own', ticket: 'none', wanted: '' });
  await opened.page.evaluate(`sessionStorage.setItem('respark.sign-in', ${JSON.stringify(begun)})`);
  await comeBack('error=access_denied&error_description=%3Cb%3Eno%3C%2Fb%3E&state=own');
  await opened.shows('The provider says: access_denied: <b>no</b>');
  await opened.assertSound();
});

test('[chromium] a key that the server has given is kept, even if the first call with it gets no answer', {
  skip,
}, async (t) => {
  const { server, button } = await open(t);
  const opened = await openConsole(server.url, { hash: `#/blocks?${PLACE}` });
  await opened.page.setRequestInterception(true);
  let calls = 0;
  opened.page.on('request', (request) => {
    const isCall = request.url().startsWith(`${server.url}/respark/`);
    const isHere = new URL(request.url()).hostname === '127.0.0.1';
    if (isCall) calls += 1;
    void ((isCall && calls === 1) || !isHere ? request.abort('aborted') : request.continue());
  });
  await opened.press(button);
  await signInAtProvider(opened, 'ada');
  await opened.shows('Sign out');
  await opened.page.reload();
  await opened.shows('Sign out');
  assert(calls > 1);
});

test('[chromium] whoever signs in with a key while the provider is slow goes on with that key, and the other is given back', {
  skip,
}, async (t) => {
  const { server, button } = await open(t);
  const opened = await openConsole(server.url, { hash: `#/players?${PLACE}` });
  let release = () => {};
  const finishing = new Promise<void>((resolve) => {
    opened.page.on('request', (request) => {
      const isHere = new URL(request.url()).hostname === '127.0.0.1';
      if (!request.url().endsWith('/sign-in/finish'))
        return void (isHere ? request.continue() : request.abort('aborted'));
      release = () => void request.continue();
      resolve();
    });
  });
  await opened.page.setRequestInterception(true);
  await opened.press(button);
  await signInAtProvider(opened, 'ada');
  await finishing;
  await opened.fill('Access key id', ROOT.accessKeyId);
  await opened.fill('Secret access key', ROOT.secretAccessKey);
  await opened.press('Sign in');
  await opened.shows(`Signed in as ${ROOT.accessKeyId}`);
  const answered = opened.page.waitForResponse((reply) => reply.url().endsWith('/sign-in/finish'));
  release();
  const { accessKeyId } = (await (await answered).json()) as { accessKeyId: string };
  for (let state = ''; state !== 'REVOKED'; ) {
    const person = await opened.page.$eval('.person p', (each) => each.textContent);
    assert.ok(person?.includes(ROOT.accessKeyId), `it goes on as ${person}`);
    const { json } = await rawCall(server, 'GET', `/respark/access-key/${accessKeyId}`);
    state = (json.AccessKey as { State: string }).State;
  }
  assert.equal(await opened.page.evaluate('sessionStorage.length'), 0, 'no key is kept that nobody uses');
});

/** Somebody in a browser whose sign-in ends in `leftMs`, with a key of the server that is good for longer. */
async function signedIn({ url }: { url: string }, leftMs: number): Promise<ConsolePage> {
  const made = await rawCall({ url }, 'POST', '/respark/access-key', { body: { Role: 'viewer', LifetimeSeconds: 60 } });
  const { AccessKeyId: accessKeyId } = made.json.AccessKey as { AccessKeyId: string };
  const expires = new Date(Date.now() + leftMs).toISOString();
  const key = JSON.stringify({ accessKeyId, secretAccessKey: made.json.SecretAccessKey, expires });
  const opened = await openConsole(url);
  await opened.page.evaluate(`sessionStorage.setItem('respark.access-key', ${JSON.stringify(key)})`);
  await opened.page.reload();
  return opened;
}

test('[chromium] whoever signs out while the server is away is told that their key is still good', {
  skip,
}, async (t) => {
  const { server } = await open(t);
  const opened = await signedIn(server, 60_000);
  await opened.shows('Sign out');
  await opened.page.setRequestInterception(true);
  opened.page.on('request', (request) => {
    void (request.url().endsWith('/own-access-key') ? request.abort('aborted') : request.continue());
  });
  await opened.press('Sign out');
  await opened.shows('your access key is good until it expires');
  await opened.assertSound();
});

test('[chromium] a key that has expired leads back to the sign-in, and a provider that is away is said to be', {
  skip,
}, async (t) => {
  const { server, button, stop } = await open(t);
  const opened = await signedIn(server, 2_000);
  await opened.shows('Your sign-in has ended. Sign in again.');
  await opened.assertSound();
  stop();
  await opened.press(button);
  await opened.shows('the provider cannot sign anybody in');
  await opened.shows('ECONNREFUSED');
  await opened.shows('Request id');
});

test('[chromium] what was typed before a sign-in has ended is there after the next, for who says that it is theirs', {
  skip,
}, async (t) => {
  const { server, button } = await open(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const opened = await openConsole(server.url, { hash });
  const asked: string[] = [];
  opened.page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    void dialog.dismiss();
  });
  await stayHere(opened);
  await Promise.all([opened.page.waitForNavigation(), opened.press(button)]);
  await signInAtProvider(opened, 'dora');
  await opened.shows('Sign out');
  await write(opened, "return 'of dora';");
  await opened.shows(/Greet not saved/);
  const [made] = await readAudit(server, { operation: 'CreateAccessKey' });
  const id = made?.resource.split('/').at(-1) ?? '';
  await rawCall(server, 'DELETE', `/respark/access-key/${id}`);
  await opened.press('Save');
  await opened.shows('Your access key is no longer good');
  await Promise.all([opened.page.waitForNavigation(), opened.press(button)]);
  // The provider knows who it is, and asks once more whether this server may.
  await opened.page.waitForSelector('button[type=submit], button.login-submit');
  await Promise.all([opened.page.waitForNavigation(), opened.page.click('button[type=submit], button.login-submit')]);
  await opened.shows('one part of the configuration was changed and not saved');
  assert.deepEqual(asked, [], 'the browser need not ask');
  assert.doesNotMatch(await opened.shows(id), /Greet not saved/);
  await opened.press('They are mine: go on with them');
  await opened.shows(/Greet not saved/);
  await opened.page.waitForFunction(
    "document.querySelector('.code-editor')?.shadowRoot?.querySelector('.cm-content')?.innerText === \"return 'of dora';\"",
  );
  assert.equal(await opened.page.evaluate("sessionStorage.getItem('respark.drafts')"), null);
  await opened.assertSound();
});

test('[chromium] whoever steps back from the provider may go there again, and nothing that was typed comes back later', {
  skip,
}, async (t) => {
  const { server, button } = await open(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const { json } = await rawCall(server, 'POST', '/respark/access-key', { body: { Role: 'developer' } });
  const { AccessKeyId: id } = json.AccessKey as { AccessKeyId: string };
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const opened = await openConsole(server.url, { hash });
  await stayHere(opened);
  await opened.fill('Access key id', id);
  await opened.fill('Secret access key', String(json.SecretAccessKey));
  await opened.press('Sign in');
  await write(opened, "return 'mine';");
  await opened.shows(/Greet not saved/);
  await rawCall(server, 'DELETE', `/respark/access-key/${id}`);
  await opened.press('Save');
  await opened.shows('Your access key is no longer good');
  await Promise.all([opened.page.waitForNavigation(), opened.press(button)]);
  await opened.page.waitForSelector('input[name=login]');
  await opened.page.goBack();
  await opened.shows(button);
  assert.equal(await opened.page.evaluate("sessionStorage.getItem('respark.drafts')"), null);
  await Promise.all([opened.page.waitForNavigation(), opened.press(button)]);
  await opened.page.waitForSelector('input[name=login]');
});

test('[chromium] whoever stays because the browser asks whether they want to lose what they typed may go later', {
  skip,
}, async (t) => {
  const { server, button } = await open(t);
  await importDocument(server, fileOf(scriptedGame({ requests: { Greet: { script: 'return 1;' } } })));
  const { json } = await rawCall(server, 'POST', '/respark/access-key', { body: { Role: 'developer' } });
  const { AccessKeyId: id } = json.AccessKey as { AccessKeyId: string };
  const hash = `#/configuration?${PLACE}&section=GameSparks.Core.RequestHandlers&entry=Greet`;
  const opened = await openConsole(server.url, { hash });
  await opened.page.evaluateOnNewDocument(`Object.defineProperty(globalThis, 'sessionStorage', {
    get() { throw new DOMException('denied', 'SecurityError'); } })`);
  await opened.page.reload();
  await stayHere(opened);
  await opened.fill('Access key id', id);
  await opened.fill('Secret access key', String(json.SecretAccessKey));
  await opened.press('Sign in');
  await write(opened, "return 'mine';");
  await opened.shows(/Greet not saved/);
  await rawCall(server, 'DELETE', `/respark/access-key/${id}`);
  await opened.press('Save');
  await opened.shows('Your access key is no longer good');
  const asked: string[] = [];
  opened.page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    void (asked.length === 1 ? dialog.dismiss() : dialog.accept());
  });
  await opened.press(button);
  await until(() => asked.length === 1);
  await Promise.all([opened.page.waitForNavigation(), opened.press(button)]);
  await opened.page.waitForSelector('input[name=login]');
  assert.deepEqual(asked, ['beforeunload', 'beforeunload']);
});
