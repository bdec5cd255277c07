import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AccessDeniedException,
  GetExtensionCommand,
  GetExtensionVersionCommand,
  ListExtensionsCommand,
  ListExtensionVersionsCommand,
  paginateListExtensions,
  paginateListExtensionVersions,
  ResourceNotFoundException,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import { createKey } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, startTestServer } from '../support/server.ts';

const CORE = { Namespace: 'GameSparks', Name: 'Core' };
const IDENTITY = { Namespace: 'GameSparks', Name: 'Identity' };

const aws = await findAwsCli();

testEachClient(aws, 'extensions are listed and read, down to the schema of a version', async (t, client) => {
  const call = client.open(await startTestServer(t));
  const { Extensions = [], ...rest } = await call('ListExtensions', {});
  assert.deepEqual(rest, {}, 'no token');
  const [core, identity, ...others] = Extensions;
  const { Description: ofCore = '', ...named } = core ?? {};
  assert.deepEqual([named, others], [CORE, []]);
  assert.match(ofCore, /^\S.*\.$/);
  assert.deepEqual(await call('GetExtension', CORE), { Extension: core });
  assert.deepEqual(await call('GetExtension', IDENTITY), { Extension: identity });

  const { ExtensionVersions: [version, ...older] = [] } = await call('ListExtensionVersions', CORE);
  const { Schema = '', ...rest2 } = version ?? {};
  assert.deepEqual([rest2, older], [{ ...CORE, Version: '1.0.0' }, []]);
  assert.ok(Schema.length <= 2_048);
  assert.equal(typeof JSON.parse(Schema), 'object');
  const one = await call('GetExtensionVersion', { ...CORE, ExtensionVersion: '1.0.0' });
  assert.deepEqual(one, { ExtensionVersion: version });
});

test('[aws-sdk] its paginators give every extension and every version once', async (t) => {
  const server = await startTestServer(t);
  const client = server.sdk();
  const names: (string | undefined)[][] = [];
  for await (const { Extensions = [] } of paginateListExtensions({ client, pageSize: 1 }, {})) {
    names.push(Extensions.map(({ Name }) => Name));
  }
  assert.deepEqual(names, [['Core'], ['Identity']]);
  const versions: (string | undefined)[][] = [];
  for await (const page of paginateListExtensionVersions({ client, pageSize: 1 }, IDENTITY)) {
    versions.push(page.ExtensionVersions?.map(({ Version }) => Version) ?? []);
  }
  assert.deepEqual(versions, [['1.0.0']]);
});

test('[aws-sdk] a token is taken only for the list that gave it', async (t) => {
  const sdk = (await startTestServer(t)).sdk();
  const { NextToken } = await sdk.send(new ListExtensionsCommand({ MaxResults: 1 }));
  assert.ok(NextToken !== undefined);
  const elsewhere = sdk.send(new ListExtensionVersionsCommand({ ...CORE, NextToken }));
  await assert.rejects(elsewhere, ValidationException);
  const { Extensions } = await sdk.send(new ListExtensionsCommand({ NextToken }));
  assert.deepEqual(
    Extensions?.map(({ Name }) => Name),
    ['Identity'],
  );
});

test('[aws-sdk] names and versions are compared as they are written', async (t) => {
  const server = await startTestServer(t);
  const sdk = server.sdk();
  for (const name of [
    { ...CORE, Name: 'core' },
    { ...CORE, Namespace: 'gamesparks' },
    { Namespace: 'Core', Name: 'GameSparks' },
    { Namespace: '__proto__', Name: 'constructor' },
  ]) {
    await assert.rejects(sdk.send(new GetExtensionCommand(name)), (error) => {
      assert(error instanceof ResourceNotFoundException);
      assert.match(error.message, /use GameSparks\/Core or GameSparks\/Identity/);
      return true;
    });
  }
  for (const ExtensionVersion of ['1.0.0 ', '1', 'LATEST', '__proto__', 'constructor', 'é/💥']) {
    const get = sdk.send(new GetExtensionVersionCommand({ ...CORE, ExtensionVersion }));
    await assert.rejects(get, /there is no version ".*" of GameSparks\/Core: use 1\.0\.0/);
  }
  const empty = await rawCall(server, 'GET', '/extension/GameSparks/Core/version/');
  assert.deepEqual([empty.status, empty.error], [404, 'ResourceNotFoundException']);
});

test('[aws-sdk] extensions are no resources: "*" alone allows to read them', async (t) => {
  const server = await startTestServer(t);
  const keyFor = (Resource: string) =>
    createKey(server, [{ Effect: 'Allow', Action: 'gamesparks:GetExtension*', Resource }]);
  const narrow = server.sdk({ credentials: await keyFor(`arn:aws:gamesparks:us-east-1:000000000000:game/${GAME}`) });
  await assert.rejects(narrow.send(new GetExtensionCommand(CORE)), AccessDeniedException);
  const wide = server.sdk({ credentials: await keyFor('*') });
  await wide.send(new GetExtensionCommand(CORE));
  await wide.send(new GetExtensionVersionCommand({ ...CORE, ExtensionVersion: '1.0.0' }));
  await assert.rejects(wide.send(new ListExtensionsCommand({})), /gamesparks:ListExtensions on resource: \*/);
});
