import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { gameSections } from '../../test/support/game-document.ts';
import { createKeyring } from '../keyring.ts';
import { createExtensions } from './extensions.ts';
import { createPageTokens, createPaginate } from './pagination.ts';

const extensions = createExtensions({
  paginate: createPaginate({ pageTokens: createPageTokens({ sealer: createKeyring(new Uint8Array(32).fill(1)) }) }),
});

test('the extensions are listed, also page by page', async () => {
  const { items, nextToken } = await extensions.list({});
  assert.deepEqual(
    items.map(({ namespace, name }) => `${namespace}/${name}`),
    ['GameSparks/Core', 'GameSparks/Identity'],
  );
  assert.equal(nextToken, undefined);
  const first = await extensions.list({ maxResults: 1 });
  const second = await extensions.list({ maxResults: 1, nextToken: first.nextToken });
  assert.deepEqual([...first.items, ...second.items], items);
  assert.equal(second.nextToken, undefined);
  for (const extension of items) {
    assert.deepEqual(extensions.get(extension.namespace, extension.name), extension);
    assert.match(extension.description, /^\S(.*\S)?$/);
    assert.ok(extension.description.length <= 250);
  }
});

test('a version has a schema within the limits of the API', async () => {
  for (const name of ['Core', 'Identity']) {
    const version = extensions.version('GameSparks', name, '1.0.0');
    assert.deepEqual(await extensions.versions('GameSparks', name, {}), { items: [version], nextToken: undefined });
    assert.ok(version.schema.length <= 2_048, `${version.schema.length} characters`);
    new Ajv2020({ strictTypes: false }).compile(JSON.parse(version.schema));
  }
});

test('the schema of Core says of a game what another reader of JSON Schema can check', () => {
  const { schema } = extensions.version('GameSparks', 'Core', '1.0.0');
  const isValid = new Ajv2020({ strictTypes: false }).compile(JSON.parse(schema));
  assert.ok(isValid(gameSections()));
  assert.ok(!isValid({ 'GameSparks.Core.Requests': { 'a b': {} } }));
});

test('the schema of Identity describes the request that every game has', () => {
  const { schema } = extensions.version('GameSparks', 'Identity', '1.0.0');
  const { $defs } = JSON.parse(schema) as { $defs: Record<string, object> };
  assert.deepEqual(Object.keys($defs), ['GetPlayerTokenRequest', 'GetPlayerTokenResponse']);
  assert.match(schema, /GameSparks\.Identity\.GetPlayerToken.*AuthenticationToken/);
});

test('an extension or version that does not exist is not found, and the message lists those that do', async () => {
  const missing = (message: RegExp) => ({ name: 'ServiceError', code: 'not_found', message });
  for (const [namespace, name] of [
    ['Custom', 'Game'],
    ['GameSparks', 'core'],
    ['GameSparks', 'toString'],
  ] as const) {
    assert.throws(() => extensions.get(namespace, name), missing(/use GameSparks\/Core or GameSparks\/Identity/));
    assert.throws(() => extensions.version(namespace, name, '1.0.0'), missing(/there is no extension/));
    await assert.rejects(extensions.versions(namespace, name, {}), missing(/there is no extension/));
  }
  for (const version of ['', '1.0', '2.0.0', '__proto__', 'toString']) {
    assert.throws(() => extensions.version('GameSparks', 'Core', version), missing(/use 1\.0\.0/));
  }
});
