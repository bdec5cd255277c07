import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { recordedLog, UNRECORDED } from '../../../test/support/domain.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { ACTIONS } from '../../api/every-operation.ts';
import { createKeyring } from '../../keyring.ts';
import { createSystemRandom } from '../../random.ts';
import { openTestStore } from '../../store/test-store.ts';
import { createArns } from '../arn.ts';
import { createAccess } from './access.ts';
import { createRefusals } from './refusals.ts';
import { createTeamSignIn } from './team-sign-in.ts';

const CALLER = { requestId: 'a-request', sourceAddress: '192.0.2.7' };
const RETURN_URL = 'https://api.studio.example/console/';
const ADA = { sub: 'ada-1', name: 'Ada', groups: ['live-ops'] };

/** Sign-ins at a provider of a long name that vouches for whomever the test wants. */
async function open(t: TestContext, { role = 'moderator', maxAccessKeys = 100 } = {}) {
  const store = await openTestStore(t);
  const [clock, random, keyring] = [new ManualClock(), createSystemRandom(), createKeyring(Buffer.alloc(32, 7))];
  const { log, lines } = recordedLog();
  const arns = createArns({ region: 'us-east-1', accountId: '123456789012' });
  const parts = { store, keyring, clock, random, arns, actions: ACTIONS, maxAccessKeys };
  const access = createAccess({ ...parts, record: (_, rule) => rule() });
  const refusals = createRefusals({ audit: { refused: async () => {} }, clock, log });
  t.after(() => refusals.close());
  let claims: Readonly<Record<string, unknown>> = ADA;
  const redeemed: string[] = [];
  const openAt = (issuer: string) =>
    createTeamSignIn({
      ...{ access, refusals, clock, random, log, audit: UNRECORDED, sealer: keyring },
      provider: {
        issuer,
        pageOf: async () => 'https://login.studio.example/auth',
        redeem: async ({ code }) => {
          redeemed.push(code);
          return claims;
        },
      },
      returnUrl: () => RETURN_URL,
      settings: { signInRoles: [`live-ops=${role}`], signInGroupsClaim: 'groups', signInKeyMinutes: 60 },
    });
  const signIn = openAt(`https://login.${'studio.'.repeat(12)}example`);
  return {
    ...{ access, clock, lines, openAt, redeemed, signIn },
    enter: async (change: object = {}) => {
      claims = { ...ADA, ...change };
      const { state, ticket } = await signIn.begin(CALLER);
      return await signIn.finish({ state, ticket, code: 'code', issuer: undefined }, CALLER);
    },
  };
}

test('a key is described by its role and its person, in as many characters as a description may have', async (t) => {
  const [game, stage] = ['g'.repeat(36), 's'.repeat(36)];
  const { access, enter } = await open(t, { role: `moderator@${game}/${stage}` });
  const describe = async (claims: object) => {
    const { accessKeyId } = await enter(claims);
    return (await access.listKeys()).find(({ id }) => id === accessKeyId)?.description ?? '';
  };
  const role = `moderator, game ${game}, stage ${stage}`;
  const long = await describe({ name: '\u{1F600}'.repeat(300) });
  assert.ok(long.startsWith(`${role}: \u{1F600}`) && long.endsWith('…'), long);
  assert.equal([...long].length, 250);

  const named = async (claims: object) => (await describe(claims)).slice(role.length + 2).split(', signed in at ')[0];
  const [email, isVerified] = ['ada@studio.example', { email_verified: true }];
  assert.equal(await named({ email, ...isVerified }), 'Ada <ada@studio.example>');
  for (const other of [false, 'true', undefined]) assert.equal(await named({ email, email_verified: other }), 'Ada');
  assert.equal(await named({ name: `Eve <${email}>` }), `Eve ${email}`, 'nobody names an address that is not verified');
  assert.equal(await named({ name: '<>', preferred_username: 'ada', email, ...isVerified }), `ada <${email}>`);
  assert.equal(await named({ name: undefined }), 'ada-1');
});

test('the oldest key of a person ends only when there is another one', async (t) => {
  const { access, clock, enter } = await open(t, { maxAccessKeys: 6 });
  const keys: string[] = [];
  const active = async () => {
    const listed = await access.listKeys();
    return keys.filter((key) => listed.some(({ id, state }) => id === key && state === 'active'));
  };
  for (let n = 0; n < 6; n += 1) {
    keys.push((await enter()).accessKeyId);
    // Only the newest is certain where several are of the same millisecond.
    if (n < 4) clock.advance(1);
  }
  assert.deepEqual(await active(), keys.slice(1));
  await enter({ sub: 'ada-2' });
  await assert.rejects(enter(), /there are already 6 access keys/);
  assert.deepEqual(await active(), keys.slice(1));
});

test('no two people have one name in records', async (t) => {
  const { access, enter } = await open(t);
  const spelledOut = 'ada\\u{200b}';
  await enter({ sub: spelledOut });
  for (const sub of ['ada\u200b', `${'ada'.padEnd(250, '\u0001')}1`, 'ada\ud83c'])
    await assert.rejects(enter({ sub }), /names somebody by what cannot be shown/);
  const [long, other] = ['1', '2'].map((end) => '\u{1F600}'.repeat(127) + end);
  await enter({ sub: long });
  await enter({ sub: other });
  assert.equal(new Set((await access.listKeys()).map(({ subject }) => subject)).size, 3);
});

test('a key is good until when the person is told', async (t) => {
  const { access, clock, enter } = await open(t);
  const { accessKeyId, expiresAt } = await enter();
  assert.equal(expiresAt, clock.now() + 3_600_000);
  const [key] = await access.listKeys();
  assert.deepEqual([key?.id, key?.expiresAt], [accessKeyId, expiresAt]);
});

test('each refusal is in the log, under the request id that the page shows', async (t) => {
  const { lines, signIn } = await open(t);
  const { state } = await signIn.begin(CALLER);
  const ids = ['first', 'second', 'third'];
  for (const requestId of ids)
    await assert.rejects(
      signIn.finish({ state, ticket: 'e30', code: 'code', issuer: undefined }, { ...CALLER, requestId }),
      /not begun at this server/,
    );
  const refused = lines.filter(({ msg }) => msg === 'sign-in refused');
  assert.deepEqual(
    refused.map(({ requestId }) => requestId),
    ids,
  );
  assert.deepEqual([refused[0]?.sourceAddress, refused[0]?.cause], [CALLER.sourceAddress, 'SignInRefused']);
});

test('a provider that the settings have named meanwhile gets no code of the one before', async (t) => {
  const { openAt, redeemed, signIn } = await open(t);
  const { state, ticket } = await signIn.begin(CALLER);
  const returned = { state, ticket, code: 'code', issuer: undefined };
  await assert.rejects(openAt('https://login.elsewhere.example').finish(returned, CALLER), {
    name: 'SignInFault',
    message: 'this sign-in was begun at another provider: begin again',
  });
  assert.deepEqual(redeemed, []);
  assert.ok((await signIn.finish(returned, CALLER)).accessKeyId);
});
