import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createWorkplace } from '../support/process.ts';
import { GAME, STAGE } from '../support/server.ts';

const FIELDS = { item: { Shape: 'String', Cardinality: 'Required' } };
const SECTIONS = {
  'GameSparks.Core.Model': {
    BuyRequest: { Structure: { Description: '', Fields: FIELDS } },
    BuyResponse: { Structure: { Description: '', Fields: {} } },
  },
  'GameSparks.Core.Requests': {
    Buy: { AllowedSources: ['Player'], RequestShape: 'BuyRequest', ResponseShape: 'BuyResponse', Description: '' },
  },
  'Custom.Data': { ['__proto__']: { deep: [1, 'é'] } },
};
const documentOf = (Sections: object) => ({ Document: { Type: 'Game', Sections } });
const DEV = ['--game', GAME, '--stage', STAGE];

describe('a configuration by the commands', () => {
  it('goes into a game, onto its stage, and by a snapshot into a second game that is made for it', async (t) => {
    const place = createWorkplace(t);
    await place.serve(['--demo']);
    const at = (name: string) => join(place.directory, name);
    writeFileSync(at('in.json'), JSON.stringify(documentOf(SECTIONS)));

    const imported = await place.respark(['import', 'in.json', '--game', GAME]);
    assert.deepEqual([imported.exitCode, imported.stderr], [0, '']);
    const [title, head, ...rows] = imported.stdout.trimEnd().split('\n');
    assert.equal(title, `imported into game "${GAME}"`);
    assert.match(head ?? '', /^SECTION +BYTES$/);
    assert.deepEqual(
      Object.fromEntries(rows.map((row) => row.split(/ +/))),
      Object.fromEntries(
        Object.entries(SECTIONS).map(([name, attributes]) => [
          name,
          `${Buffer.byteLength(JSON.stringify(attributes))}`,
        ]),
      ),
    );

    const deployed = await place.respark(['deploy', ...DEV, '--description', 'first']);
    assert.equal(deployed.exitCode, 0, deployed.stderr);
    const [, snapshot = '', deployment = ''] =
      /^deployed (Snapshot_\S+Z) to stage Dev of game Demo \(deployment (\S+)\)\n$/.exec(deployed.stdout) ?? [];
    assert.match(
      deployed.stderr,
      new RegExp(`^created ${snapshot}\n(deployment ${deployment}: \\w+\n)*deployment ${deployment}: COMPLETED\n$`),
    );

    const exported = await place.respark(['export', '--game', GAME, '--output', 'out.json']);
    assert.deepEqual([exported.exitCode, exported.stdout], [0, ''], exported.stderr);
    assert.equal(exported.stderr, `exported ${snapshot} of game ${GAME}\n`);
    assert.deepEqual(JSON.parse(readFileSync(at('out.json'), 'utf8')), documentOf(SECTIONS));
    const again = await place.respark(['import', 'out.json', '--game', 'Second', '--create']);
    assert.equal(again.exitCode, 0, again.stderr);
    const copy = await place.respark(['export', '--game', 'Second', '--working-copy']);
    assert.deepEqual(JSON.parse(copy.stdout), documentOf(SECTIONS));

    const generated = await place.respark(['generate', '--game', GAME, '--platform', 'Web', '--output', 'code.zip']);
    assert.equal(generated.exitCode, 0, generated.stderr);
    assert.match(generated.stdout, /^wrote code\.zip \(\d+ bytes\)\n$/);
    assert.equal(readFileSync(at('code.zip')).subarray(0, 2).toString(), 'PK');

    const input = JSON.stringify({ GameName: GAME, SnapshotId: snapshot });
    const called = await place.respark(['api', 'get-snapshot', '--json', '-'], { stdin: input });
    assert.equal(called.exitCode, 0, called.stderr);
    assert.equal(JSON.parse(called.stdout).Snapshot.Description, 'first');
  });

  it('with faults is imported with a warning for each, and not deployed because of them', async (t) => {
    const place = createWorkplace(t);
    await place.serve(['--demo']);
    const { 'GameSparks.Core.Model': _, ...sections } = SECTIONS;
    const imported = await place.respark(['import', '-', '--game', GAME], {
      stdin: JSON.stringify(documentOf(sections)),
    });
    assert.equal(imported.exitCode, 0);
    const faults = imported.stderr
      .trimEnd()
      .split('\n')
      .map((warning) => warning.replace(/^warning: /, ''));
    assert.equal(faults.length, 2);

    const { exitCode, stdout, stderr } = await place.respark(['deploy', ...DEV]);
    assert.deepEqual([exitCode, stdout], [1, '']);
    assert.match(
      stderr,
      /^cannot deploy Snapshot_\S+ to stage Dev of game Demo \(deployment \S+\): UNSPECIFIED_FAILURE$/m,
    );
    for (const fault of faults) assert.ok(stderr.includes(`  ${fault}\n`), `${fault} is in ${stderr}`);
  });
});
