import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { addAwsModel, createAwsCli, findAws } from '../support/aws-cli.ts';
import { ROOT, startTestServer, temporaryDirectory } from '../support/server.ts';
import { createTestWorld } from '../support/world.ts';

const older = await findAws();
const newer = await findAws({ knowsGameSparks: false });

const GAME = { GameName: 'Modelled' };
const SECTIONS = { 'Custom.Items': { sword: { price: 3 } }, 'Custom.Text': { hello: 'é' } };

const PROGRAMS = [
  {
    title: '[aws-cli] one that knows GameSparks obeys the model of ours instead of its own',
    aws: older,
    skip: older === undefined && 'no AWS CLI that knows GameSparks is installed (Debian: apt-get install awscli)',
  },
  {
    // No registry that CI may use has one: there it runs if the machine happens to have it.
    title: `${newer === undefined ? '' : '[aws-cli] '}one that does not know GameSparks any more learns it from the model`,
    aws: newer,
    skip: newer === undefined && 'no AWS CLI without GameSparks is on the PATH (pip install awscli)',
  },
];

it('is put where an AWS CLI finds it, or said to be in the way of what is there', async (t) => {
  const home = temporaryDirectory(t);
  const world = createTestWorld({ env: { HOME: home } });
  for (let turn = 0; turn < 2; turn += 1) assert.equal(await world.run('aws-model', '--install'), 0, world.err());
  const place = join(home, '.aws', 'models', 'gamesparks', '2021-08-17', 'service-2.json');
  assert.equal(world.out(), `wrote ${place}\n`.repeat(2));
  assert.equal(JSON.parse(readFileSync(place, 'utf8')).metadata.endpointPrefix, 'gamesparks');
  const taken = createTestWorld({ env: { HOME: place } });
  assert.equal(await taken.run('aws-model', '--install'), 1);
  assert.match(taken.err(), /^cannot make the directory ".*": .* \([A-Z]+\): .*\n$/);
  assert.equal(await createTestWorld().run('aws-model', '--install', '--output', 'x'), 2);
});

describe('the service model in an AWS CLI', () => {
  for (const { title, aws = '', skip } of PROGRAMS) {
    it(title, { skip }, async (t) => {
      const server = await startTestServer(t);
      const home = temporaryDirectory(t);
      const file = join(home, 'model.json');
      assert.equal(await createTestWorld().run('aws-model', '--output', file), 0);
      // One thing in it is changed, by which it shows that it counts.
      const model = JSON.parse(readFileSync(file, 'utf8'));
      model.shapes.GameName.min = 4;
      writeFileSync(file, JSON.stringify(model));
      await addAwsModel(aws, file, home);
      // The command puts its own in the very place; this one is put back for what follows.
      const place = join(home, '.aws', 'models', 'gamesparks', '2021-08-17', 'service-2.json');
      const added = readFileSync(place);
      assert.equal(await createTestWorld({ env: { HOME: home } }).run('aws-model', '--install'), 0);
      assert.equal(JSON.parse(readFileSync(place, 'utf8')).shapes.GameName.min, 1);
      writeFileSync(place, added);
      // Version 1 takes bytes as they are, and version 2 too when told to.
      const config = join(home, 'config');
      writeFileSync(config, '[default]\ncli_binary_format = raw-in-base64-out\n');
      const cli = createAwsCli(aws);
      const env = { HOME: home, AWS_CONFIG_FILE: config };
      const call = async <T = unknown>(operation: string, input: Readonly<Record<string, unknown>>): Promise<T> =>
        (await cli({ endpoint: server.url, operation, input, credentials: ROOT, env })) as T;

      // In the body, the path and the query; text, maps, documents, lists, bytes and times.
      const { Game } = await call<{ Game: { Arn: string; Created: string } }>('CreateGame', {
        ...GAME,
        Description: 'of the model',
        Tags: { team: 'red' },
      });
      assert.ok(!Number.isNaN(Date.parse(Game.Created)));
      const File = JSON.stringify({ Document: { Type: 'Game', Sections: SECTIONS } });
      await call('ImportGameConfiguration', { ...GAME, ImportSource: { File } });
      const modification = { Section: 'Custom.Items', Operation: 'ADD', Path: '/sword/sizes', Value: [1, 2] };
      await call('UpdateGameConfiguration', { ...GAME, Modifications: [modification] });
      const { GameConfiguration } = await call<{
        GameConfiguration: { Sections: Record<string, { Attributes: unknown }> };
      }>('GetGameConfiguration', { ...GAME, Sections: ['Custom.Items', 'Custom.Absent'] });
      const { 'Custom.Items': items, ...others } = GameConfiguration.Sections;
      assert.deepEqual([items?.Attributes, others], [{ sword: { price: 3, sizes: [1, 2] } }, {}]);
      await call('UntagResource', { ResourceArn: Game.Arn, TagKeys: ['team'] });
      await assert.rejects(call('CreateGame', GAME), { name: 'ConflictException' });
      await assert.rejects(call('GetGame', { GameName: 'abc' }), /valid min length: 4/);
    });
  }
});
