import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  AccessDeniedException,
  CreateGameCommand,
  DeleteGameCommand,
  GetGameCommand,
  GetGameConfigurationCommand,
  ImportGameConfigurationCommand,
  type SectionModification,
  ServiceQuotaExceededException,
  UpdateGameConfigurationCommand,
  ValidationException,
} from '@aws-sdk/client-gamesparks';
import type { Settings } from '../../src/config/config.ts';
import { documentSizeOf, type Sections } from '../../src/domain/configuration/document.ts';
import { createKey } from '../support/administration.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { attributesOf, fileOf, GAME_DOCUMENT, gameSections, realGameDocument } from '../support/game-document.ts';
import { rawCall } from '../support/raw-call.ts';
import { GAME, ROOT, startTestServer } from '../support/server.ts';

const CONFIGURATION = `/game/${GAME}/configuration`;
const MAX_FILE_BYTES = 1_024_000;
const MAX_UPDATE_BODY_BYTES = 2_000_000;

const add = (
  Path: string,
  Value: NonNullable<SectionModification['Value']>,
  Section = 'My.Section',
): SectionModification => ({
  Section,
  Operation: 'ADD',
  Path,
  Value,
});
const replace = (...parts: Parameters<typeof add>): SectionModification => ({ ...add(...parts), Operation: 'REPLACE' });
const remove = (Path: string, Section = 'My.Section'): SectionModification => ({ Section, Operation: 'REMOVE', Path });

const UPDATE = { GameName: GAME, Modifications: [add('/a', 'x')] };
const IMPORT = { GameName: GAME, ImportSource: { File: GAME_DOCUMENT } };

const aws = await findAwsCli();

testEachClient(aws, 'a configuration is imported, read and changed', async (t, client) => {
  const server = await startTestServer(t);
  const call = client.open(server);
  const { Game } = await server.sdk().send(new GetGameCommand({ GameName: GAME }));
  const { Created } = Game ?? {};
  const empty = await call('GetGameConfiguration', { GameName: GAME });
  assert.deepEqual(empty, { GameConfiguration: { Created, LastUpdated: Created, Sections: {} } });

  const imported = await call('ImportGameConfiguration', IMPORT);
  const { LastUpdated, Sections, ...rest } = imported.GameConfiguration ?? {};
  assert.deepEqual(rest, { Created });
  assert(LastUpdated instanceof Date && Created instanceof Date && LastUpdated >= Created);
  assert.deepEqual(attributesOf(Sections), gameSections());
  assert.deepEqual(await call('GetGameConfiguration', { GameName: GAME }), imported);

  const names = ['Studio.Notes', 'GameSparks.Core.Events', 'Not.There'];
  const filtered = (await call('GetGameConfiguration', { GameName: GAME, Sections: names })).GameConfiguration;
  assert.deepEqual(Object.keys(filtered?.Sections ?? {}).sort(), ['GameSparks.Core.Events', 'Studio.Notes']);
  assert.deepEqual(filtered?.Sections?.['Studio.Notes'], Sections?.['Studio.Notes']);

  const updated = await call('UpdateGameConfiguration', {
    GameName: GAME,
    Modifications: [
      replace('/author', { name: 'né 💥', '': [] }, 'Studio.Notes'),
      add('/~0~1keys//1', 'inserted', 'Studio.Notes'),
      add('/~0~1keys//-', false, 'Studio.Notes'),
      remove('/~0~1keys//2/a~1b', 'Studio.Notes'),
      add('/first', 0.5),
      remove('/ThrowStone', 'GameSparks.Core.Events'),
    ],
  });
  assert.deepEqual(attributesOf(updated.GameConfiguration?.Sections), {
    ...gameSections(),
    'GameSparks.Core.Events': {},
    'Studio.Notes': { author: { name: 'né 💥', '': [] }, '~/keys': { '': [1, 'inserted', {}, false] } },
    'My.Section': { first: 0.5 },
  });
  assert.deepEqual(await call('GetGameConfiguration', { GameName: GAME }), updated);
});

/** A server with a configuration, and its operations by the AWS SDK. */
async function start(
  t: TestContext,
  { settings = {}, sections = {} }: { settings?: Partial<Settings>; sections?: Sections } = {},
) {
  const server = await startTestServer(t, { settings });
  const sdk = server.sdk({ maxAttempts: 1 });
  const importFile = (File: Uint8Array) =>
    sdk.send(new ImportGameConfigurationCommand({ GameName: GAME, ImportSource: { File } }));
  const update = async (...Modifications: SectionModification[]) =>
    (await sdk.send(new UpdateGameConfigurationCommand({ GameName: GAME, Modifications }))).GameConfiguration;
  const get = async (Sections?: string[]) =>
    (await sdk.send(new GetGameConfigurationCommand({ GameName: GAME, ...(Sections && { Sections }) })))
      .GameConfiguration;
  await importFile(fileOf(sections));
  return { ...server, importFile, update, get };
}

test('[aws-sdk] an export imports and comes back equal, one that the original service has made too', async (t) => {
  const { importFile, get } = await start(t);
  for (const file of [GAME_DOCUMENT, realGameDocument() ?? GAME_DOCUMENT]) {
    await importFile(file);
    const { Document } = JSON.parse(`${Buffer.from(file)}`);
    assert.deepEqual(attributesOf((await get())?.Sections), Document.Sections);
  }
});

test('[aws-sdk] an import replaces everything, and one that cannot be made changes nothing', async (t) => {
  const { importFile, get } = await start(t, { sections: { Old: { a: 1 }, Both: { b: 1 } } });
  await importFile(fileOf({ Both: { c: 1 } }));
  const before = await get();
  assert.deepEqual(attributesOf(before?.Sections), { Both: { c: 1 } });
  const deep = JSON.parse(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`);
  const refusals: [string | Uint8Array, RegExp][] = [
    ['{"Document":', /it is not JSON/],
    [Buffer.from('7b22446f63756d656e74223aff7d', 'hex'), /it is not UTF-8/],
    ['{"Document":{"Type":"Stage","Sections":{}}}', /does not have the form/],
    ['{"Document":{"Type":"Game","Sections":[]}}', /does not have the form/],
    [fileOf({ 'no spaces': {}, Fine: {}, Number: 5 }), /"no spaces" has a name .*; section "Number" is not an object/],
    [fileOf({ Deep: deep }), /"Deep" nests deeper than 64 levels/],
    ['{"Document":{"Type":"Game","Sections":{"A":{"n":1e999}}}}', /"A" holds a number beyond/],
  ];
  for (const [file, message] of refusals) {
    await assert.rejects(importFile(typeof file === 'string' ? Buffer.from(file) : file), (error) => {
      assert(error instanceof ValidationException);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.deepEqual(await get(), before);
});

/** What makes the configuration below `bytes` long as a compact document. */
const fillerFor = (bytes: number) => 'x'.repeat(bytes - documentSizeOf({ 'My.Section': { filler: '' } }));
const sectionsOfSize = (bytes: number): Sections => ({ 'My.Section': { filler: fillerFor(bytes) } });

test('[aws-sdk] a file may have from 10 to 1,024,000 bytes', async (t) => {
  const { importFile, get } = await start(t);
  const largest = fileOf(sectionsOfSize(MAX_FILE_BYTES));
  assert.equal(largest.length, MAX_FILE_BYTES);
  const padded = (length: number) => Buffer.from('{"Document":{"Type":"Game","Sections":{}}}'.padEnd(length));
  await assert.rejects(
    importFile(Buffer.from('123456789')),
    /'importSource.file' .*length greater than or equal to 10/,
  );
  await assert.rejects(importFile(Buffer.from('1234567890')), /does not have the form/);
  await importFile(padded(MAX_FILE_BYTES - 1));
  await importFile(largest);
  assert.deepEqual(attributesOf((await get())?.Sections), sectionsOfSize(MAX_FILE_BYTES));
  for (const file of [padded(MAX_FILE_BYTES + 1), Buffer.concat([largest, Buffer.from(' ')])]) {
    await assert.rejects(importFile(file), (error) => {
      assert(error instanceof ValidationException);
      assert.match(error.message, /'importSource.file' .*length less than or equal to 1024000/);
      return true;
    });
  }
});

test('[aws-cli] the largest file is imported', { skip: aws === undefined }, async (t) => {
  const server = await startTestServer(t);
  const File = Buffer.from(fileOf(sectionsOfSize(MAX_FILE_BYTES))).toString('base64');
  const source = join(server.dataDir, 'source.json');
  writeFileSync(source, JSON.stringify({ File }));
  const input = { GameName: GAME, ImportSource: `file://${source}` };
  const flags = ['--query=length(GameConfiguration.Sections."My.Section".Attributes.filler)'];
  const call = { endpoint: server.url, operation: 'ImportGameConfiguration', credentials: ROOT };
  assert.equal(await aws?.({ ...call, input, flags }), fillerFor(MAX_FILE_BYTES).length);
});

test('[aws-sdk] a configuration may be as large as maxConfigurationBytes, however it came to be so', async (t) => {
  const maxConfigurationBytes = 2_000;
  const { importFile, update, get } = await start(t, { settings: { maxConfigurationBytes } });
  const isTooLarge = (error: unknown) => {
    assert(error instanceof ServiceQuotaExceededException);
    assert.equal(error.$metadata.httpStatusCode, 402);
    assert.match(
      error.message,
      /would have 2001 bytes when exported, and this server allows 2000: .*RESPARK_MAX_CONFIGURATION_BYTES/,
    );
    return true;
  };
  await assert.rejects(importFile(fileOf(sectionsOfSize(maxConfigurationBytes + 1))), isTooLarge);
  assert.deepEqual((await get())?.Sections, {});
  const spacious = JSON.stringify(JSON.parse(`${Buffer.from(fileOf(sectionsOfSize(maxConfigurationBytes)))}`), null, 9);
  await importFile(Buffer.from(spacious));
  const full = await get();
  const filler = fillerFor(maxConfigurationBytes);
  for (const oneMore of [`${filler}x`, `${filler.slice(1)}é`, `${filler.slice(1)}"`]) {
    await assert.rejects(update(replace('/filler', oneMore)), isTooLarge);
  }
  assert.deepEqual(await get(), full);
  await update(replace('/filler', `${filler.slice(2)}é`));
  await update(remove('/filler'), add('/filler', `${filler.slice(2)}"`));
});

test('the body of an update may have 2,000,000 bytes', async (t) => {
  const server = await startTestServer(t);
  const patch = (length: number) =>
    rawCall(server, 'PATCH', CONFIGURATION, {
      body: JSON.stringify({ Modifications: UPDATE.Modifications }).padEnd(length),
    });
  assert.equal((await patch(MAX_UPDATE_BODY_BYTES)).status, 200);
  const { status, error, message } = await patch(MAX_UPDATE_BODY_BYTES + 1);
  assert.deepEqual([status, error], [413, 'RequestEntityTooLargeException']);
  assert.match(message ?? '', /at most 2000000 bytes/);
});

test('[aws-sdk] an update is made as a whole or not at all, and names the modification that cannot be made', async (t) => {
  const { update, get } = await start(t, { sections: { 'My.Section': { list: [1], text: 'x', object: {} } } });
  const before = await get();
  const fine = [add('/new', 1), replace('/text', 'y'), add('/other', {}, 'Other')];
  const refusals: [SectionModification, RegExp][] = [
    [replace('/nothing', 1), /cannot REPLACE "\/nothing" in section "My.Section": there is nothing there/],
    [remove('/list/1'), /cannot REMOVE "\/list\/1" in section "My.Section": there is nothing there/],
    [add('/list/3', 1), /its parent is an array of 1/],
    [add('/none/a', 1), /there is nothing at "\/none"/],
    [add('/text/a', 1), /what is at "\/text" has no members/],
    [add('/object/~', 1), /"~" is written "~0"/],
    [add('/object/~2', 1), /"~" is written "~0"/],
    [replace('/a', 1, 'Not.There'), /in section "Not.There": there is no such section/],
    [remove('/toString'), /there is nothing there/],
    [remove('/a', 'constructor'), /there is no such section/],
    [{ ...remove('/text'), Value: 1 }, /REMOVE takes no Value/],
    [{ ...remove('/a'), Operation: 'ADD' }, /ADD needs a Value/],
    [{ ...remove('/text'), Operation: 'REPLACE' }, /REPLACE needs a Value/],
  ];
  for (const [wrong, message] of refusals) {
    await assert.rejects(update(...fine, wrong, remove('/also/wrong')), (error) => {
      assert(error instanceof ValidationException);
      assert.match(error.message, /^modifications\.4\.member: cannot /);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.deepEqual(await get(), before, 'LastUpdated is the same too');
  const updated = await update(...fine);
  const expected = { 'My.Section': { list: [1], text: 'y', object: {}, new: 1 }, Other: { other: {} } };
  assert.deepEqual(attributesOf(updated?.Sections), expected);
});

test('[aws-sdk] an update has at most 100 modifications', async (t) => {
  const { update, get } = await start(t, { sections: { 'My.Section': { list: [] } } });
  const appended = (length: number) => Array.from({ length }, (_, index) => add('/list/-', index));
  await assert.rejects(update(...appended(101)), /'modifications' .*length less than or equal to 100/);
  await update(...appended(100));
  const list = Array.from({ length: 100 }, (_, index) => index);
  assert.deepEqual(attributesOf((await get())?.Sections), { 'My.Section': { list } });
});

test('[aws-sdk] of many updates at once none is lost', async (t) => {
  const { update, get } = await start(t, { sections: { 'My.Section': {} } });
  const keys = Array.from({ length: 20 }, (_, index) => `key${index}`);
  await Promise.all(keys.map((key) => update(add(`/${key}`, true))));
  const [section = {}] = Object.values(attributesOf((await get())?.Sections));
  assert.deepEqual(Object.keys(section as object).sort(), keys.sort());
});

test('[aws-sdk] names that mean something to JavaScript are data, of sections and in them', async (t) => {
  const sections = JSON.parse(
    '{"constructor":{"prototype":{"a":1}},"toString":{},' +
      '"Data":{"__proto__":{"isAdmin":true},"hasOwnProperty":"\\u0000\\ud800"}}',
  );
  const { importFile, update, get } = await start(t, { sections: { valueOf: {} } });
  await importFile(fileOf(sections));
  const stored = async (names?: string[]) => JSON.stringify(attributesOf((await get(names))?.Sections));
  assert.equal(await stored(), JSON.stringify(sections));
  assert.equal(await stored(['constructor', 'valueOf', 'isPrototypeOf']), '{"constructor":{"prototype":{"a":1}}}');

  await update(
    remove('/__proto__/isAdmin', 'Data'),
    add('/__proto__/polluted', true, 'Data'),
    replace('/hasOwnProperty', JSON.parse('{"__proto__":{"polluted":true}}'), 'Data'),
    add('/__proto__', { polluted: true }, 'toString'),
    add('/constructor', {}, 'toString'),
    add('/constructor/prototype', 'x', 'toString'),
    remove('/prototype', 'constructor'),
  );
  const expected =
    '{"constructor":{},"toString":{"__proto__":{"polluted":true},"constructor":{"prototype":"x"}},' +
    '"Data":{"__proto__":{"polluted":true},"hasOwnProperty":{"__proto__":{"polluted":true}}}}';
  assert.equal(await stored(), expected);
  assert.equal(Reflect.get({}, 'polluted'), undefined);
  await update(remove('/__proto__', 'toString'), remove('/__proto__', 'Data'));
  await assert.rejects(update(remove('/__proto__', 'Data')), /there is nothing there/);
});

test('[aws-sdk] of the sections only those are given that are named and there', async (t) => {
  const { get } = await start(t, { sections: { A: { a: 1 }, 'B.C': {}, D: {} } });
  const named = async (...names: string[]) => Object.keys((await get(names))?.Sections ?? {}).sort();
  assert.deepEqual(await named('B.C', 'A', 'A', 'a', 'B'), ['A', 'B.C']);
  assert.deepEqual(await named('Not.There'), []);
  const hundred = Array.from({ length: 100 }, (_, index) => `N${index}`);
  assert.deepEqual(await named('D', ...hundred.slice(1)), ['D']);
  await assert.rejects(get(['D', ...hundred]), /'sections' .*length less than or equal to 100/);
});

test('a null that the AWS SDK would leave out is a value all the same', async (t) => {
  const server = await startTestServer(t);
  const body = { Modifications: [{ ...add('/nothing', 1), Value: null }] };
  const { status, json } = await rawCall(server, 'PATCH', CONFIGURATION, { body });
  assert.equal(status, 200);
  assert.match(JSON.stringify(json), /"Attributes":\{"nothing":null\}/);
});

test('[aws-sdk] games have configurations of their own, which go with them', async (t) => {
  const server = await start(t, { sections: { 'My.Section': { a: 1 } } });
  const sdk = server.sdk();
  await sdk.send(new CreateGameCommand({ GameName: 'Other' }));
  const ofOther = () => sdk.send(new GetGameConfigurationCommand({ GameName: 'Other' }));
  assert.deepEqual((await ofOther()).GameConfiguration?.Sections, {});
  await sdk.send(new UpdateGameConfigurationCommand({ ...UPDATE, GameName: 'Other' }));
  assert.deepEqual(attributesOf((await server.get())?.Sections), { 'My.Section': { a: 1 } });
  await sdk.send(new DeleteGameCommand({ GameName: 'Other' }));
  await sdk.send(new CreateGameCommand({ GameName: 'Other' }));
  assert.deepEqual((await ofOther()).GameConfiguration?.Sections, {});
});

test('[aws-sdk] who may read a configuration may not therefore change it', async (t) => {
  const server = await startTestServer(t);
  const Resource = `arn:aws:gamesparks:us-east-1:000000000000:game/${GAME}`;
  const credentials = await createKey(server, [
    { Effect: 'Allow', Action: 'gamesparks:*', Resource },
    { Effect: 'Deny', Action: ['gamesparks:Update*', 'gamesparks:Import*'], Resource },
  ]);
  const sdk = server.sdk({ credentials });
  await assert.rejects(sdk.send(new UpdateGameConfigurationCommand(UPDATE)), AccessDeniedException);
  await assert.rejects(sdk.send(new ImportGameConfigurationCommand(IMPORT)), /with an explicit deny/);
  const { GameConfiguration } = await sdk.send(new GetGameConfigurationCommand({ GameName: GAME }));
  assert.deepEqual(GameConfiguration?.Sections, {});
});
