import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { recordedLog } from '../../test/support/domain.ts';
import { startTestServer, temporaryDirectory } from '../../test/support/server.ts';
import { RUNNING_FILE } from '../data-directory/local-files.ts';
import { findBootId, warnOfLostPower } from './lost-power.ts';

for (const [what, text, isTold] of [
  ['a server of an earlier boot', '{"url":"http://here","bootId":"earlier"}', true],
  ['a server of this boot, which was killed', '{"url":"http://here","bootId":"this"}', false],
  ['a server of a version that did not say', '{"url":"http://here"}', false],
  ['nothing, as after a stop', undefined, false],
  ['half a file', '{"url":', false],
] as const) {
  test(`after ${what} a loss of power is ${isTold ? '' : 'not '}told`, () => {
    const { log, lines } = recordedLog();
    warnOfLostPower({ directory: { path: '/data', readFile: () => text }, log, bootId: 'this' });
    assert.deepEqual(
      lines.map(({ level, dataDir }) => [level, dataDir]),
      isTold ? [[40, '/data']] : [],
    );
  });
}

test('a server tells that its machine may have stopped under the one before', {
  skip: findBootId() === undefined && 'the system does not say when it was started',
}, async (t) => {
  const dataDir = join(temporaryDirectory(t), 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  const said = async () => {
    const server = await startTestServer(t, { dataDir });
    const told = server.logged.filter(({ msg }) =>
      /machine was started anew, or is another one/.test(String(msg)),
    ).length;
    await server.close();
    return told;
  };
  writeFileSync(join(dataDir, RUNNING_FILE), '{"url":"http://here","playerUrl":"ws://here","bootId":"earlier"}');
  assert.equal(await said(), 1);
  assert.equal(await said(), 0, 'the one before was stopped');
});
