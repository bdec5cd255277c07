import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from '../../../test/support/faults-of.ts';
import { loadSettings } from '../config.ts';

test('scripts reach nothing unless settings say so', () => {
  const settings = loadSettings({ env: {} });
  const { lambdaFunctions, lambdaRoutes, dynamodbTables, outsideHosts } = settings;
  assert.deepEqual([lambdaFunctions, lambdaRoutes, dynamodbTables, outsideHosts], [[], [], [], []]);
  assert.deepEqual([settings.lambdaEndpoint, settings.dynamodbEndpoint], [undefined, undefined]);
  assert.deepEqual([settings.outsideTimeoutMs, settings.outsideMaxResponseBytes], [3_000, 262_144]);
});

test('functions and tables are listed by name, with wildcards, and need no endpoint', () => {
  const env = { RESPARK_LAMBDA_FUNCTIONS: 'Match, Score-*, Pay:Live, *', RESPARK_DYNAMODB_TABLES: 'dev.Weapons,dev.*' };
  const settings = loadSettings({ env });
  assert.deepEqual(settings.lambdaFunctions, ['Match', 'Score-*', 'Pay:Live', '*']);
  assert.deepEqual(settings.dynamodbTables, ['dev.Weapons', 'dev.*']);
  const arn = 'arn:aws:lambda:us-east-1:123456789012:function:Match';
  for (const name of ['a/b', 'a b', arn, ':Live', 'a,,b']) {
    assert.equal(faultsOf({ RESPARK_LAMBDA_FUNCTIONS: name }).length, 1, name);
  }
  for (const name of ['a/b', 'a:b', 'ü']) assert.equal(faultsOf({ RESPARK_DYNAMODB_TABLES: name }).length, 1, name);
});

for (const [variable, key] of [
  ['RESPARK_LAMBDA_ENDPOINT', 'lambdaEndpoint'],
  ['RESPARK_DYNAMODB_ENDPOINT', 'dynamodbEndpoint'],
] as const) {
  test(`${variable} is a URL without anything that would not be sent`, () => {
    for (const url of ['http://127.0.0.1:8000', 'https://lambda.example/path/', 'http://[::1]:3001']) {
      assert.equal(loadSettings({ env: { [variable]: url } })[key], url);
    }
    for (const url of ['127.0.0.1:8000', 'ftp://a.example', 'http://', 'http://a b', 'http://a.example:99999']) {
      assert.equal(faultsOf({ [variable]: url }).length, 1, url);
    }
    for (const url of ['http://key:secret@a.example', 'http://a.example/?a=b', 'http://a.example/#a']) {
      assert.equal(faultsOf({ [variable]: url }).length, 1, url);
    }
  });
}

test('a route is a name and a URL, and each name has one', () => {
  const routes = 'Match=https://match.example/invoke?a=b, Pay:Live=http://10.0.0.1:9000';
  assert.deepEqual(loadSettings({ env: { RESPARK_LAMBDA_ROUTES: routes } }).lambdaRoutes, routes.split(', '));
  for (const [route, fault] of [
    ['https://match.example', '"https://match.example" has no =: write it as name=https://…'],
    ['=https://match.example', '"=https://match.example" does not begin with the name of a function'],
    ['Ma*=https://match.example', '"Ma*=https://match.example" does not begin with the name of a function'],
    ['Match=match.example', '"Match=match.example" does not end with an http or https URL without credentials'],
    ['A=https://b:c@d.example', '"A=https://…@d.example" does not end with an http or https URL without credentials'],
  ] as const) {
    assert.ok(faultsOf({ RESPARK_LAMBDA_ROUTES: route })[0]?.endsWith(fault), route);
  }
  assert.deepEqual(faultsOf({ RESPARK_LAMBDA_ROUTES: 'A=https://b.example,A=https://c.example' }), [
    'RESPARK_LAMBDA_ROUTES has two URLs for "A"; keep one of them',
  ]);
});

test('hosts are spelled as in a URL, or the fault says how', () => {
  const hosts = [
    'api.example',
    'api.example:8080',
    '127.0.0.1:1',
    '[::1]:8080',
    '[2001:db8::1]',
    'localhost:80',
    'xn--bcher-kva.example',
  ];
  assert.deepEqual(loadSettings({ env: { RESPARK_OUTSIDE_HOSTS: hosts.join(',') } }).outsideHosts, hosts);
  for (const [host, advice] of [
    ['*.example', 'has a wildcard: list every host by name'],
    ['https://api.example', 'has a scheme or a path: write the host alone, as in api.example or api.example:8080'],
    ['api.example/path', 'has a scheme or a path: write the host alone, as in api.example or api.example:8080'],
    ['API.example:80', 'is not spelled as in a URL: write "api.example:80"'],
    ['bücher.example', 'is not spelled as in a URL: write "xn--bcher-kva.example"'],
    ['127.1', 'is not spelled as in a URL: write "127.0.0.1"'],
    ['::1', 'is an address of IPv6: write [::1], with its port behind the bracket'],
    ['2001:db8::1', 'is an address of IPv6: write [2001:db8::1], with its port behind the bracket'],
    ['[2001:DB8::1]:80', 'is not spelled as in a URL: write "[2001:db8::1]:80"'],
    ['api.example:0', 'has no port of 1-65535'],
    ['api.example:70000', 'has no port of 1-65535'],
    ['user@api.example', 'is no host'],
    ['a b', 'is no host'],
    [':80', 'is no host'],
  ] as const) {
    assert.ok(faultsOf({ RESPARK_OUTSIDE_HOSTS: host })[0]?.endsWith(`: "${host}" ${advice}`), host);
  }
});
