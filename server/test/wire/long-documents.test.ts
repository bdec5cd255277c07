import assert from 'node:assert/strict';
import { type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { GetGameConfigurationCommand, UpdateGameConfigurationCommand } from '@aws-sdk/client-gamesparks';
import { signRequest } from '../../src/api/signature/sigv4.ts';
import type { Sections } from '../../src/domain/configuration/document.ts';
import { LONG } from '../../src/domain/long-work.ts';
import { attributesOf, fileOf } from '../support/game-document.ts';
import { importDocument } from '../support/publishing.ts';
import { GAME, ROOT, startTestServer, type TestServer } from '../support/server.ts';

const CONFIGURATION = `/game/${GAME}/configuration`;
const SNAPSHOTS = `/game/${GAME}/snapshot`;

/** Nearly half of what a configuration may have, with keys that JSON escapes. */
function longSections(): Sections {
  const members = Array.from({ length: 20_000 }, (_, index) => [`"key" ${index}`, index]);
  return { 'My.Section': Object.fromEntries(members) };
}

/** The bytes of a reply, which nothing here parses. */
async function call(server: TestServer, method: string, path: string, body = ''): Promise<string> {
  const url = new URL(path, server.url);
  const signature = signRequest({
    ...{ method, url, body: Buffer.from(body), ...ROOT, region: 'us-east-1', nowMs: Date.now() },
  });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { method, headers: { ...signature }, agent: false }, resolve)
      .on('error', reject)
      .end(body);
  });
  const text = (await buffer(response)).toString();
  assert.equal(response.statusCode, 200, text.slice(0, 300));
  return text;
}

/** Notes the length of every text that this thread parses as JSON, or writes. */
function watchJson(t: TestContext): number[] {
  const lengths: number[] = [];
  const { parse, stringify } = JSON;
  t.mock.method(JSON, 'parse', (text: string) => {
    lengths.push(text.length);
    return parse(text);
  });
  t.mock.method(JSON, 'stringify', (value: unknown, replacer?: undefined, space?: number) => {
    const text = stringify(value, replacer, space);
    lengths.push(text?.length ?? 0);
    return text;
  });
  return lengths;
}

test('no call makes the thread of the players parse or write a long document', async (t) => {
  const server = await startTestServer(t);
  const file = fileOf(longSections());
  const importing = JSON.stringify({ ImportSource: { File: Buffer.from(file).toString('base64') } });
  const value = longSections()['My.Section'];
  const add = (Path: string, Value: unknown) => ({ Section: 'Other', Operation: 'ADD', Path, Value });
  const update = (modification: object) => JSON.stringify({ Modifications: [modification] });
  const updates = [add('/a', value), { Section: 'Other', Operation: 'REMOVE', Path: '/a' }, add('/b', 1)].map(update);

  const lengths = watchJson(t);
  await call(server, 'PUT', CONFIGURATION, importing);
  const described = await call(server, 'GET', CONFIGURATION);
  assert.ok(described.length > 300_000);
  await call(server, 'GET', `${CONFIGURATION}?Sections=None`);
  const created = await call(server, 'POST', SNAPSHOTS);
  const [, id = ''] = /"Id":"([^"]*)"/.exec(created) ?? [];
  const snapshot = `${SNAPSHOTS}/${encodeURIComponent(id)}`;
  await call(server, 'GET', snapshot);
  await call(server, 'PATCH', snapshot, '{"Description":"changed"}');
  const [, url = ''] = /"S3Url":"([^"]*)"/.exec(await call(server, 'GET', `${snapshot}/export`)) ?? [];
  const exported = await call(server, 'GET', new URL(url).pathname);
  for (const body of updates) await call(server, 'PATCH', CONFIGURATION, body);
  await call(server, 'POST', '/game', `${' '.repeat(60_000)}{"GameName":"Other"}`);
  t.mock.restoreAll();

  assert.deepEqual(
    lengths.filter((length) => length > LONG),
    [],
  );
  assert.ok(lengths.length > 10, 'short JSON was seen');
  assert.deepEqual(JSON.parse(exported).Document.Sections, longSections());
  assert.ok(described.includes(`"Sections":${created.slice(created.indexOf('"Sections":') + 11, -2)}`));
});

test('[aws-sdk] long updates that come at once are all made, one after the other', async (t) => {
  const server = await startTestServer(t);
  await importDocument(server, fileOf(longSections()));
  const sdk = server.sdk();
  const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
  await Promise.all(
    keys.map((key) => {
      const Modifications = [{ Section: 'Counted', Operation: 'ADD', Path: `/${key}`, Value: key }] as const;
      return sdk.send(new UpdateGameConfigurationCommand({ GameName: GAME, Modifications: [...Modifications] }));
    }),
  );
  const { GameConfiguration } = await sdk.send(
    new GetGameConfigurationCommand({ GameName: GAME, Sections: ['Counted'] }),
  );
  assert.deepEqual(attributesOf(GameConfiguration?.Sections), {
    Counted: Object.fromEntries(keys.map((key) => [key, key])),
  });
});
