import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROLES } from '../../domain/access/roles.ts';
import { loadSettings, SettingsError, settingsForDisplay } from '../config.ts';
import { SIGN_IN_ROLES } from './sign-in.ts';

const WHOLE = {
  RESPARK_SIGN_IN_ISSUER: 'https://login.example/realms/studio',
  RESPARK_SIGN_IN_CLIENT_ID: 'respark',
  RESPARK_SIGN_IN_ROLES: 'admins=admin, live-ops=developer@Demo/Dev,ada@studio.example=viewer@Demo,a=b=viewer',
};

function faultsOf(env: Record<string, string>): readonly string[] {
  try {
    loadSettings({ env, flags: {} });
    return [];
  } catch (error) {
    assert.ok(error instanceof SettingsError);
    return error.faults;
  }
}

test('sign-in is off, and on when all of it is set', () => {
  assert.equal(loadSettings({ env: {} }).signInIssuer, undefined);
  const settings = loadSettings({ env: WHOLE });
  assert.equal(settings.signInRoles.length, 4);
  assert.deepEqual([settings.signInGroupsClaim, settings.signInKeyMinutes], ['groups', 480]);
});

test('the roles are those that there are', () => {
  assert.deepEqual([...SIGN_IN_ROLES].sort(), Object.keys(ROLES).sort());
});

test('half of a sign-in is refused, with what is missing', () => {
  const without = (name: keyof typeof WHOLE) =>
    faultsOf(Object.fromEntries(Object.entries(WHOLE).filter(([key]) => key !== name)));
  assert.match(String(without('RESPARK_SIGN_IN_CLIENT_ID')), /ISSUER is set without RESPARK_SIGN_IN_CLIENT_ID/);
  assert.match(String(without('RESPARK_SIGN_IN_ROLES')), /ISSUER is set without RESPARK_SIGN_IN_ROLES, so nobody/);
  assert.match(String(without('RESPARK_SIGN_IN_ISSUER')), /CLIENT_ID is set without RESPARK_SIGN_IN_ISSUER/);
  const alone = {
    RESPARK_SIGN_IN_CLIENT_SECRET: 'words',
    RESPARK_SIGN_IN_ROLES: 'admins=admin',
    RESPARK_SIGN_IN_SCOPES: 'groups',
    RESPARK_SIGN_IN_NAME: 'Studio',
    RESPARK_SIGN_IN_KEY_MINUTES: '60',
    RESPARK_SIGN_IN_GROUPS_CLAIM: 'hd',
  };
  for (const [name, value] of Object.entries(alone)) {
    const [fault = '', ...more] = faultsOf({ [name]: value });
    assert.deepEqual(more, []);
    assert.match(fault, new RegExp(`^${name} is .*RESPARK_SIGN_IN_ISSUER`));
    assert.ok(!fault.includes('words'), 'a secret is not shown');
  }
});

test('an issuer is asked over https, or on this machine', () => {
  for (const issuer of ['http://127.0.0.1:8081', 'http://localhost/realms/a', 'http://[::1]:1', 'https://a.example/'])
    assert.deepEqual(faultsOf({ ...WHOLE, RESPARK_SIGN_IN_ISSUER: issuer }), []);
  for (const issuer of [
    ...['http://login.example', 'http://127.0.0.1.evil.example', 'http://localhost.example', 'ftp://localhost'],
    ...['https://a@login.example', 'https://login.example?a=b', 'https://login.example#a', 'https://', 'login.example'],
  ])
    assert.match(String(faultsOf({ ...WHOLE, RESPARK_SIGN_IN_ISSUER: issuer })), /must be an https URL/, issuer);
});

test('a pair that gives no role is refused with what to write', () => {
  const faults: Record<string, RegExp> = {
    admins: /"admins" does not begin with a group and =/,
    '=admin': /does not begin with a group/,
    'admins=administrator': /gives "administrator": a role is viewer, moderator/,
    'ops=operator@': /a role is/,
    'ops=operator@De mo': /a role is/,
    'ops=operator@Demo/Dev/x': /a role is/,
  };
  for (const [pair, fault] of Object.entries(faults))
    assert.match(String(faultsOf({ ...WHOLE, RESPARK_SIGN_IN_ROLES: `a=viewer,${pair}` })), fault, pair);
});

test('a server that other machines reach must know its address', () => {
  const reached = { ...WHOLE, RESPARK_HOST: '0.0.0.0' };
  assert.match(String(faultsOf(reached)), /ISSUER is set without RESPARK_PUBLIC_URL/);
  assert.deepEqual(faultsOf({ ...reached, RESPARK_PUBLIC_URL: 'https://api.studio.example' }), []);
});

test('the secret of the client has no flag and is not displayed', () => {
  const settings = loadSettings({ env: { ...WHOLE, RESPARK_SIGN_IN_CLIENT_SECRET: 'words' } });
  assert.ok(!JSON.stringify(settingsForDisplay(settings)).includes('words'));
});
